"""Every error that raynas raises on purpose.

    RaynasError
    ├── SpaceError             a space asks nonsense, or never ends                        (exit 2)
    │   ├── ArchitectureError  answers do not fit the space they are used with             (exit 2)
    │   └── Exhausted          every architecture of the space has been proposed           (ends a search)
    ├── GraphError             a graph is no DAG, or an op is used wrongly                 (exit 2)
    ├── ConfigError            a setting is wrong: which, its value, the fix               (exit 2)
    │   └── DataError          data is missing or unusable                                 (exit 2)
    ├── StateError             what a run recorded is damaged or does not fit              (exit 3)
    ├── StorageError           the disk of a run is full, failing or read-only             (exit 75)
    ├── PluginError            a strategy, scheduler or objective broke its contract       (exit 4)
    ├── AllTrialsFailed        every trial fails alike                                     (exit 5)
    └── Interrupted            stopped by the person; carries the command that continues   (exit 130 or 143)

All constructor arguments are positional, so that every error survives pickling between Ray processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RaynasWarning(UserWarning):
    """What a person should know of a trial; `warnings.warn` it in an estimator, and the search shows and records it."""


class RaynasError(Exception):
    """Base of all deliberate errors; `exit_code` is what the command line answers with."""

    exit_code = 1


class SpaceError(RaynasError, ValueError):
    """A search space asks something that cannot be answered."""

    exit_code = 2

    def __init__(self, address: str, value: object, rule: str) -> None:
        super().__init__(address, value, rule)

    def __str__(self) -> str:
        address, value, rule = self.args
        return f"question {address!r}: {rule}, but got {value!r}"


class ArchitectureError(SpaceError):
    """An architecture does not fit the space it was used with."""


class Exhausted(SpaceError):
    """The space has no architecture left that was not proposed already."""

    def __init__(self, space: str, proposed: int) -> None:
        RaynasError.__init__(self, space, proposed)

    def __str__(self) -> str:
        return f"space {self.args[0]!r} is exhausted: all {self.args[1]} distinct architectures were proposed"


class GraphError(RaynasError, ValueError):
    """A graph is malformed, or an op is used in a way that it does not allow."""

    exit_code = 2


class ConfigError(RaynasError, ValueError):
    """A setting is wrong. The message names the setting, the value and the fix."""

    exit_code = 2


class DataError(ConfigError):
    """Data is missing, unreadable or unusable. The message names the place and the fix."""


class StateError(RaynasError):
    """What a run recorded is damaged, or does not fit the search that wants to continue it."""

    exit_code = 3


class StorageError(RaynasError):
    """The disk of a run is full, failing or read-only; what was recorded before is safe."""

    exit_code = 75

    def __init__(self, folder: str, what: str) -> None:
        super().__init__(folder, what)

    def __str__(self) -> str:
        return f"{self.args[0]} cannot be used: {self.args[1]}; make room or repair the disk, then resume the run"


class PluginError(RaynasError):
    """A strategy, scheduler, objective or estimator broke its contract."""

    exit_code = 4

    def __init__(self, plugin: str, what: str) -> None:
        super().__init__(plugin, what)

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


class AllTrialsFailed(RaynasError):
    """Trial after trial failed with the same reason, or all of a search failed."""

    exit_code = 5

    def __init__(self, failures: int, reason: str, how: str = "in a row failed alike", traceback: str = "") -> None:
        super().__init__(failures, reason, how, traceback)

    def __str__(self) -> str:
        failures, reason, how, _ = self.args
        return f"{failures} trials {how}: {reason}"

    @property
    def traceback(self) -> str:
        """Where the last of them failed; empty where nobody knows."""
        return str(self.args[3])


class Interrupted(RaynasError):
    """The person stopped the run; everything recorded is safe and `command` continues it."""

    def __init__(self, command: str, exit_code: int = 130) -> None:
        super().__init__(command, exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"interrupted; continue with: {self.args[0]}"


def unknown(kind: str, value: object, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a table, with a did-you-mean.

    Args:
        kind: what was looked up, e.g. "space".
        value: what the person wrote.
        known: the names that exist.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return ConfigError(f"unknown {kind} {value!r}; {hint}")
