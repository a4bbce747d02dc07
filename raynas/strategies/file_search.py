"""Architectures from a file, one after the other: candidates of a paper, of a colleague, of another program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from raynas.errors import ConfigError, DataError, Exhausted, SpaceError
from raynas.objectives import Objectives
from raynas.records import Architecture, Proposal, Space, Trial
from raynas.settings import check_types
from raynas.strategies.fresh import Fresh
from raynas.strategies.plain import LONGEST_QUOTE, Questions


@dataclass(frozen=True)
class FileSearch:
    """Proposes what a file lists, in its order; a network that was listed before is passed over.

    Each line of the file is a JSON object: answers, address -> answer, or an object that holds them as `answers`, as
    `Architecture.to_json` tells one. Empty lines are passed over. All lines are checked before the search begins.
    Lines may be added to the file before a run is resumed.

    Attributes:
        path: of the file.
    """

    path: str = ""

    def __post_init__(self) -> None:
        check_types(self)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> FileProposer:
        """A new search; the seed changes nothing.

        Raises:
            ConfigError: there is no path.
            DataError: the file cannot be read, holds no architecture, or a line is none of the space.
        """
        return FileProposer(space, self.read(space))

    def check(self, space: Space, objectives: Objectives, trials: int) -> None:
        """See `raynas.records.Checked`; raises what `begin` raises."""
        self.read(space)

    def read(self, space: Space) -> list[Architecture]:
        """What the file lists; raises what `begin` raises."""
        if not self.path:
            raise ConfigError("path must be that of a file of architectures: --set strategy.path=FILE")
        try:
            if Path(self.path).exists() and not Path(self.path).is_file():
                raise DataError(f"path {self.path} cannot be read: it is no file")
            lines = Path(self.path).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise DataError(f"path {self.path} cannot be read: {error}") from error
        questions = Questions(space)
        found = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    found.append(questions.read(line)[0])
                except (SpaceError, RecursionError) as error:
                    raise DataError(f"{self.path}, line {number}: {str(error)[:LONGEST_QUOTE]}") from error
        if not found:
            raise DataError(f"{self.path} holds no architecture: each line must be a JSON object, question -> answer")
        return found


class FileProposer:
    """The state: how far the file was read."""

    def __init__(self, space: Space, listed: list[Architecture]) -> None:
        self.space = space
        self.fresh = Fresh(space, Random(0))
        self._left: Iterator[Architecture] = iter(listed)

    def ask(self) -> Proposal:
        """The next network of the file.

        Raises:
            Exhausted: it has no further one.
        """
        for architecture in self._left:
            if self.fresh.take(architecture):
                return Proposal(architecture)
        raise Exhausted(self.space.name, len(self.fresh.seen))

    def tell(self, trial: Trial) -> None:
        """Results change nothing."""
