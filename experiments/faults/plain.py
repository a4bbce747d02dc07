"""Plain Ray Tune and plain Optuna, as their documentation has them: the programs to which faults happen beside raynas.

    python plain.py PROGRAM FOLDER      # answers with JSON on the last line

Each trial notes in FOLDER/diary when it has finished: the ground truth.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIALS, SECONDS = 24, 0.5


def note(folder: str, number: int) -> None:
    """Appends a line to the diary."""
    descriptor = os.open(f"{folder}/diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"finished {number}\n".encode())
    os.close(descriptor)


def trainable() -> Any:
    """Half a second of work, in actors that are used again: function trainables take seconds each to start."""
    from ray import tune

    class Work(tune.Trainable):  # type: ignore[misc]  # Ray has no types
        def setup(self, config: dict[str, Any]) -> None:
            self.spec = config

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.spec = new_config
            return True

        def step(self) -> dict[str, Any]:
            time.sleep(SECONDS)
            note(self.spec["folder"], self.spec["number"])
            return {"score": float(self.spec["number"]), "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
            return {}

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing."""

    return Work


def counting(folder: str) -> Any:
    """A searcher that asks for trial 1, 2, 3, ..."""
    from ray.tune.search import Searcher

    class Counting(Searcher):  # type: ignore[misc]  # Ray has no types
        asked = 0

        def suggest(self, trial_id: str) -> dict[str, Any]:
            self.asked += 1
            return {"number": self.asked, "folder": folder}

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            """Learns nothing."""

        def save(self, checkpoint_path: str) -> None:
            Path(checkpoint_path).write_text(str(self.asked))

        def restore(self, checkpoint_path: str) -> None:
            self.asked = int(Path(checkpoint_path).read_text())

    return Counting(metric="score", mode="max")


def tune_search(folder: str) -> dict[str, Any]:
    """Trials, two at a time."""
    import ray
    from ray import tune

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        trainable(),
        tune_config=tune.TuneConfig(search_alg=counting(folder), num_samples=TRIALS, reuse_actors=True),
        run_config=tune.RunConfig(name="run", storage_path=folder, verbose=0),
    )
    return {"results": len(tuner.fit())}


def tune_restore(folder: str) -> dict[str, Any]:
    """The same, restored."""
    import ray
    from ray import tune

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner.restore(f"{folder}/run", trainable(), resume_unfinished=True, restart_errored=True)
    return {"results": len(tuner.fit())}


def tune_metric(folder: str, bad: Any) -> dict[str, Any]:
    """Eight trials under ASHA, one of which reports a value that is no number. How far it gets, and the others."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    def train(config: dict[str, Any]) -> None:
        for epoch in range(1, 10):
            tune.report({"score": bad if config["number"] == 4 else config["number"] * epoch})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        train,
        param_space={"number": tune.grid_search(list(range(1, 9)))},
        tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=ASHAScheduler(max_t=9, grace_period=1)),
        run_config=tune.RunConfig(name="run", storage_path=folder, verbose=0),
    )
    try:
        results = tuner.fit()
    except Exception as error:  # noqa: BLE001 - this is what is asked about
        return {"ended": f"{type(error).__name__}", "epochs": None}
    epochs = {r.config["number"]: (r.metrics or {}).get("training_iteration", 0) for r in results}
    return {"ended": "", "epochs": epochs.get(4), "results": len(results)}


def tune_name(folder: str) -> dict[str, Any]:
    """A name that leads out of the storage."""
    import ray
    from ray import tune

    (root := Path(folder) / "jail" / "deep" / "store").mkdir(parents=True)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    name = "../../escaped"
    tuner = tune.Tuner(
        lambda config: {"score": 1.0}, run_config=tune.RunConfig(name=name, storage_path=str(root), verbose=0)
    )
    try:
        tuner.fit()
    except Exception as error:  # noqa: BLE001 - a refusal
        return {"refused": f"{type(error).__name__}: {error}"[:200], "escaped": False}
    return {"escaped": (Path(folder) / "jail" / "escaped").exists()}


def study(folder: str) -> Any:
    """An Optuna study on a journal, resumed where there is one."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(f"{folder}/journal"))
    return optuna.create_study(study_name="run", storage=storage, direction="maximize", load_if_exists=True)


def optuna_search(folder: str) -> dict[str, Any]:
    """Trials, one at a time, with those that are there already."""
    from optuna.trial import TrialState

    def value(trial: Any) -> float:
        trial.suggest_float("x", 0, 1)
        time.sleep(SECONDS / 5)
        note(folder, trial.number)
        return float(trial.number)

    opened = study(folder)
    opened.optimize(value, n_trials=TRIALS - len([t for t in opened.trials if t.state == TrialState.COMPLETE]))
    states = [t.state.name for t in opened.trials]
    return {"complete": states.count("COMPLETE"), "running": states.count("RUNNING")}


def optuna_torn(folder: str) -> dict[str, Any]:
    """A torn last line, one more trial, and whether the study can be loaded ever after."""
    opened = study(folder)
    for number in range(10):
        opened.tell(opened.ask(), float(number))
    journal = Path(folder) / "journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    again = study(folder)
    told = len(again.trials)
    again.ask()
    try:
        return {"before": told, "after": len(study(folder).trials), "error": ""}
    except Exception as error:  # noqa: BLE001 - this is what is asked about
        return {"before": told, "after": 0, "error": f"{type(error).__name__}"}


def optuna_metric(folder: str) -> dict[str, Any]:
    """Objectives that are no numbers."""
    states = {}
    for name, bad in (("nan", math.nan), ("none", None)):
        opened = study(folder)
        opened.optimize(lambda trial, bad=bad: bad, n_trials=1)
        states[name] = opened.trials[-1].state.name
    return states


PROGRAMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "tune-search": tune_search,
    "tune-restore": tune_restore,
    "tune-none": lambda folder: tune_metric(folder, None),
    "tune-nan": lambda folder: tune_metric(folder, math.nan),
    "tune-name": tune_name,
    "optuna-search": optuna_search,
    "optuna-torn": optuna_torn,
    "optuna-metric": optuna_metric,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PROGRAMS[sys.argv[1]](sys.argv[2])) + "\n")
