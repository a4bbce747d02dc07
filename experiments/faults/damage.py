"""Files of a run are cut, changed, blanked and deleted: raynas repairs and says so, or refuses; it never makes believe.

The runs are real searches that train (without Ray, see without_ray.py): one that came to its end, and some that were
killed with a live write-ahead log. Each case damages one file of a copy, reads it as `raynas show` does, and goes on
with it as `raynas resume` does.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
import torch

import raynas
from faults.outcome import Outcome, Progress
from faults.searching import told
from faults.without_ray import without_ray
from raynas.cli.build import remake_search
from raynas.errors import ConfigError, RaynasError, StateError
from raynas.ledger import Event, Ledger
from raynas.outcome import Outcome as TrialOutcome
from raynas.run import BEST, RESULT, Run
from raynas.search import Search

TRIALS, NAME, PAGE = 12, "run", 4096
KILLED_AT = (9, 21, 30)
"""Events after which a search is killed."""

UNREPORTED = 6
"""Or trials whose outcome is written."""

CUT, FLIPPED, BLANKED, DELETED = "cut", "bit flipped", "page blanked", "deleted"
NOTHING, RECOVERED, REFUSED, WRONG = "no effect", "recovered, said so", "refused (exit 3)", "WRONG"


@dataclass(frozen=True)
class Seen:
    """What a run tells: of its trials, its winner, and the winner's weights."""

    trials: list[dict[str, Any]]
    winner: dict[str, Any] | None
    weights: str


@dataclass(frozen=True)
class Case:
    """One file, damaged in one way."""

    original: Path
    file: str
    how: str
    seed: int

    @property
    def kind(self) -> str:
        """Of the file, whichever trial it belongs to."""
        return "/".join("*" if part.isdigit() else part for part in Path(self.file).parts)

    def __str__(self) -> str:
        return f"{self.original.parent.name}: {self.file} {self.how}, seed {self.seed}"


class Listener:
    """A display that keeps what it is told to warn of, and may kill this process after so many events."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.left = kill_at
        self.warnings: list[str] = []

    def start(self, search: Search, loop: object) -> None:
        """Nothing."""

    def stage(self, text: str) -> None:
        """Nothing."""

    def tick(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Keeps it."""
        self.warnings.append(text)

    def heard(self, event: str, trial: object) -> None:
        """Counts."""
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def search(folder: Path) -> Search:
    """Twelve small perceptrons on sixty tiny images."""
    data = folder / "images.npz"
    if not data.exists():
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
        np.savez(data, x=x, y=(x.mean((1, 2)) > 127).astype(int))
    return Search(
        space=raynas.spaces.mlp(),
        strategy=raynas.RegularizedEvolution(population=4, tournament=2),
        estimator=raynas.Train(data=raynas.data.npz(str(data)), epochs=2, batch_size=16),
        scheduler=raynas.Asha((1, 2), 2),
        trials=TRIALS,
        concurrency=1,
        storage=str(folder),
        name=NAME,
    )


@contextmanager
def killed_before_it_reports(outcomes: int) -> Iterator[None]:
    """This process dies when the outcome of that many trials is written, and nobody has heard of the last."""
    write, left = TrialOutcome.write, outcomes

    def written(self: TrialOutcome, folder: Path) -> None:
        nonlocal left
        write(self, folder)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    with mock.patch.object(TrialOutcome, "write", written):
        yield


def make(folder: Path, kill_at: int | None, *, unreported: int = 0) -> Path:
    """A run that came to its end, or one that was killed.

    Args:
        folder: for it, its data and nothing else.
        kill_at: after so many events.
        unreported: or when the outcome of that many trials is written and not yet recorded.
    """
    folder.mkdir()
    if kill_at is None and not unreported:  # in this process, so that its forks find everything imported
        with without_ray():
            search(folder).run(Listener())
        return folder / NAME
    child = os.fork()
    if not child:
        code = 1
        try:
            with without_ray(), killed_before_it_reports(unreported):
                search(folder).run(Listener(kill_at))
            code = 0
        except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        raise RuntimeError(f"the run to be damaged ended with {os.waitstatus_to_exitcode(status)}")
    return folder / NAME


def events(run: Path) -> list[Event]:
    """The whole record of a run, times included."""
    ledger = Ledger.read(run)
    try:
        return list(ledger.events())
    finally:
        ledger.close()


def see(run: Path) -> Seen:
    """Everything that a run tells.

    Raises:
        RaynasError: it notices the damage.
    """
    opened = Run(run)
    try:
        best = opened.best()
    except StateError as error:
        if "no finished trial yet" not in str(error):
            raise
        return Seen(told(opened.trials), None, "")
    winner = {
        "trial": best.trial,
        "score": best.score,
        "answers": dict(best.architecture.answers),
        "key": best.architecture.key,
        "metrics": {name: value for name, value in best.metrics.items() if not name.endswith("_s")},
    }
    weights = ""
    if best.folder.exists():
        state = best.model().state_dict()
        weights = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()
    return Seen(told(opened.trials), winner, weights)


def apply(path: Path, how: str, rng: Random) -> None:
    """Damages a file."""
    data = bytearray(path.read_bytes())
    if how == DELETED or not data:
        path.unlink()
        return
    if how == CUT:
        data = data[: rng.randrange(len(data))]
    elif how == FLIPPED:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        begin = rng.randrange(len(data)) // PAGE * PAGE if len(data) > PAGE else rng.randrange(len(data))
        end = min(len(data), begin + (PAGE if len(data) > PAGE else 64))
        data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


def try_case(case: Case, truth: Seen) -> tuple[str, tuple[str, ...]]:
    """What became of a damaged run: an ending, and what is wrong."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        shutil.copytree(case.original.parent, folder, dirs_exist_ok=True)
        run = folder / NAME
        before = events(_spare(run))
        apply(run / case.file, case.how, Random(case.seed))
        ending, troubles = _go_through(run, before, truth)
        return ending, tuple(f"{case}: {trouble}" for trouble in troubles)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spare(run: Path) -> Path:
    """A copy that may be read: reading changes the files of a log that is live."""
    spare = run.with_name("spare")
    spare.mkdir()
    for path in run.glob("ledger.*"):
        shutil.copy(path, spare)
    return spare


def _go_through(run: Path, before: list[Event], truth: Seen) -> tuple[str, list[str]]:
    troubles: list[str] = []
    listener = Listener()
    noticed = ""
    with warnings.catch_warnings(record=True) as heard, without_ray():
        warnings.simplefilter("always")
        try:
            noticed = _shown(run, before, truth, troubles)
            remake_search(run).resume(listener)
            listener.warnings += [str(w.message) for w in heard if w.category.__module__.startswith("raynas")]
            ending = RECOVERED if listener.warnings or noticed else NOTHING
            seen = see(run)
            if seen != truth:
                troubles.append(f"after the resume, {_difference(seen, truth)}")
            kept = [event for event in events(run) if event.kind != "noted"][: len(before)]
            if kept != before and not listener.warnings:
                troubles.append("records are gone and nobody said so")
        except (StateError, ConfigError) as error:
            ending = REFUSED if isinstance(error, StateError) else f"refused (exit {error.exit_code})"
            if isinstance(error, ConfigError) and "is no run" not in str(error):
                troubles.append(f"{type(error).__name__}: {error}")
        except BaseException as error:  # noqa: BLE001 - whatever breaks is what is looked for
            ending = "crashed"
            where = traceback.extract_tb(error.__traceback__)[-1]
            troubles.append(f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
    return ending, troubles


def _shown(run: Path, before: list[Event], truth: Seen, troubles: list[str]) -> str:
    """Looks before the resume: what is told must be so, or refused. The refusal, if any."""
    try:
        seen = see(run)
        if events(run) != before:
            troubles.append("`show` tells fewer or other records and does not say so")
        if seen.weights and seen != (truth if (run / BEST / RESULT).exists() else untested(truth)):
            troubles.append(f"`show` tells that {_difference(seen, truth)}")
    except RaynasError as error:
        return str(error)
    return ""


def untested(seen: Seen) -> Seen:
    """The same before the test split was read: a run whose result is gone says nothing of it."""
    if seen.winner is None:
        return seen
    metrics = {name: value for name, value in seen.winner["metrics"].items() if not name.startswith("test_")}
    return replace(seen, winner={**seen.winner, "metrics": metrics})


def _difference(seen: Seen, truth: Seen) -> str:
    if seen.trials != truth.trials:
        return f"the record is another ({len(seen.trials)} trials)"
    if seen.winner != truth.winner:
        return f"the winner is {seen.winner}, not {truth.winner}"
    return "the winner's weights are others"


def cases(originals: Sequence[Path], number: int) -> list[Case]:
    """So many cases, spread evenly over kinds of files, runs and kinds of damage."""
    rng = Random(0)
    kinds: dict[tuple[str, str], list[Case]] = {}
    for original in originals:
        for path in sorted(original.rglob("*")):
            name = str(path.relative_to(original))
            if path.is_file() and is_state(name):
                case = Case(original, name, "", 0)
                kinds.setdefault((original.parent.name, case.kind), []).append(case)
    order = sorted(kinds)
    made = []
    for index in range(number):
        example = rng.choice(kinds[order[index % len(order)]])
        how = (CUT, FLIPPED, BLANKED, DELETED)[index // len(order) % 4]
        made.append(Case(example.original, example.file, how, index))
    return made


def is_state(name: str) -> bool:
    """Whether raynas reads this file of a run again; tables and TensorBoard files are made anew."""
    return name.startswith(("ledger.", "search.json", "checkpoints/", "best/")) and name != "ledger.lock"


def run(number: int, workers: int, progress: Progress) -> list[Outcome]:
    """Damages files.

    Args:
        number: of cases.
        workers: processes at once.
        progress: told.
    """
    torch.set_num_threads(1)
    base = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        ended = make(base / "ended", None)
        killed = [make(base / f"killed{at}", at) for at in KILLED_AT]
        killed.append(make(base / "unreported", None, unreported=UNREPORTED))
        truth = see(ended)
        endings: dict[str, Counter[str]] = {}
        troubles: dict[str, list[str]] = {}
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            jobs = {pool.submit(try_case, case, truth): case for case in cases([ended, *killed], number)}
            for done, job in enumerate(as_completed(jobs), 1):
                ending, wrong = job.result()
                kind = jobs[job].kind
                endings.setdefault(kind, Counter())[WRONG if wrong else ending] += 1
                troubles.setdefault(kind, []).extend(wrong[:1])
                progress(done, len(jobs))
        return _outcomes(endings, troubles)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _outcomes(endings: dict[str, Counter[str]], troubles: dict[str, list[str]]) -> list[Outcome]:
    rows = []
    for kind, counts in sorted(endings.items()):
        told_one = ", ".join(f"{n:,} {ending}" for ending, n in counts.most_common())
        mine = tuple(sorted(troubles[kind]))
        rows.append(Outcome(f"damaged {kind}", f"{counts.total():,} cases", counts[WRONG], told_one, mine))
    return rows
