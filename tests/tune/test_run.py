"""Whole searches on a real Ray, with estimators that misbehave on purpose."""

from __future__ import annotations

import json
import math
from collections import Counter
from random import Random

import pytest
from fakes import Fake, Logging, Misbehaving, merit

import raynas
from raynas.cost import cost
from raynas.errors import AllTrialsFailed, ConfigError
from raynas.ledger import Ledger
from raynas.records import FAILED, FINISHED, STOPPED
from raynas.search import Search
from raynas.seeds import seed_for
from raynas.spaces.decide import sample
from raynas.tune.run import Resources, slots

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

SPACE = raynas.spaces.nasbench201(width=4, repeats=1)


def search(tmp_path, estimator, **settings):
    defaults = {"trials": 8, "concurrency": 2, "scheduler": None, "seed": 1, "strategy": raynas.RandomSearch()}
    return Search(space=SPACE, estimator=estimator, storage=str(tmp_path), name="run", **(defaults | settings))


def lines(path):
    return [line.split() for line in path.read_text().splitlines()]


def test_a_search_tries_what_was_asked_and_finds_the_best(tmp_path):
    run = search(tmp_path, Fake(), trials=12).run()
    assert [t.id for t in run.trials] == list(range(1, 13))
    assert all(t.status == FINISHED and t.budget == 3 and len(t.measurements) == 3 for t in run.trials)
    assert len({t.key for t in run.trials}) == 12
    best = run.best()
    assert best.score == max(t.score for t in run.trials) == merit(best.architecture)
    summary = run.summary()
    assert summary["state"] == "finished"
    assert summary["trials"] == {"asked": 12, "finished": 12, "stopped": 0, "failed": 0, "running": 0}
    assert summary["epochs_trained"] == 36
    assert json.dumps(summary, allow_nan=False)


def test_trials_get_their_seed_threads_device_and_memory_share(tmp_path):
    log = tmp_path / "log"
    search(tmp_path, Logging(epochs=1, log=str(log)), trials=4, cpus_per_trial=2, seed=7).run()
    assert {(int(t), int(seed), device, int(threads)) for t, _, seed, device, threads, _ in lines(log)} == {
        (t, seed_for(7, "trial", t), "cpu", 2) for t in range(1, 5)
    }


def test_fractions_of_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr("raynas.search_checks.count_gpus", lambda: 1)  # declared to Ray, not in the machine
    log = tmp_path / "log"
    estimator = Logging(epochs=1, seconds=0.3, log=str(log))
    search(tmp_path, estimator, trials=8, concurrency=None, cpus_per_trial=0.5, gpus_per_trial=0.25).run()
    assert {(device, float(memory)) for *_, device, _, memory in lines(log)} == {("cuda", 0.25)}


def test_how_many_trials_fit():
    assert slots(Resources(cpus=1)) == 4
    assert slots(Resources(cpus=0.5)) == 8
    assert slots(Resources(cpus=0.5, gpus=0.25)) == 4
    assert slots(Resources(cpus=1, slots=3)) == 3
    assert slots(Resources(cpus=1, slots=100)) == 4
    with pytest.raises(ConfigError, match="needs 2 GPUs, but the cluster has 1"):
        slots(Resources(gpus=2))
    with pytest.raises(ConfigError, match="needs 9 CPUs, but the cluster has 4"):
        slots(Resources(cpus=9))


def test_bad_trials_are_recorded_and_the_search_goes_on(tmp_path):
    estimator = Misbehaving(folder=str(tmp_path))
    run = search(tmp_path, estimator, trials=12).run()
    trials = {t.id: t for t in run.trials}
    assert len(trials) == 12
    assert {i for i, t in trials.items() if t.status == FAILED} == {2, 3, 4, 5, 7, 8}
    assert "epoch 2: ZeroDivisionError: division by zero (fakes.py:" in trials[2].reason
    assert "start: SystemExit: 3" in trials[3].reason
    assert trials[4].reason == "metrics: val_accuracy is nan after 1 epochs"
    assert trials[5].reason == "estimate: ended without a measurement"
    assert trials[7].reason.startswith("worker: ")
    assert trials[8].reason == "metrics: val_accuracy is missing; the estimator yields loss"
    assert trials[6].status == FINISHED
    assert [m.budget for m in trials[6].measurements] == [1, 2, 3]
    assert all(trials[i].score is None for i in (2, 3, 4, 5, 7, 8))
    assert math.isnan(trials[4].measurements[0].metrics["val_accuracy"])
    assert run.best().trial not in (2, 3, 4, 5, 7, 8)


def test_all_trials_failing_alike_end_the_search(tmp_path):
    class Broken(Fake):
        def act(self, architecture, context, epoch):
            raise RuntimeError("no such file: weights.pt")

    with pytest.raises(AllTrialsFailed, match=r"10 trials in a row failed alike: start: RuntimeError: no such file"):
        search(tmp_path, Broken(), trials=50).run()
    assert 10 <= len(raynas.Run(tmp_path / "run").trials) <= 12


def test_asha_stops_most_and_finishes_the_good(tmp_path):
    run = search(tmp_path, Fake(epochs=9), trials=30, scheduler=raynas.Asha((1, 3, 9), eta=3)).run()
    status = Counter(t.status for t in run.trials)
    assert status[STOPPED] >= 15
    assert status[FINISHED] >= 2
    assert all(t.budget in (1, 3) for t in run.trials if t.status == STOPPED)
    # The fake's order is the same at every rung, so the best of all is never stopped.
    assert run.best().score == max(merit(run.best().architecture), *(t.score for t in run.trials if t.budget == 9))


def test_never_more_at_once_than_asked(tmp_path):
    log = tmp_path / "log"
    run = search(tmp_path, Logging(epochs=2, seconds=0.05, log=str(log)), trials=20, concurrency=3).run()
    moments = sorted([(t.asked_at, 1) for t in run.trials] + [(t.ended_at, -1) for t in run.trials])
    running, most = 0, 0
    for _, step in moments:
        running += step
        most = max(most, running)
    assert most == 3


def test_same_seed_same_search_one_at_a_time(tmp_path):
    settings = {"trials": 15, "concurrency": 1, "strategy": raynas.RegularizedEvolution(5, 2)}
    first = search(tmp_path / "a", Fake(), **settings).run()
    second = search(tmp_path / "b", Fake(), **settings).run()
    other = search(tmp_path / "c", Fake(), **(settings | {"seed": 2})).run()
    assert [(t.answers, t.score) for t in first.trials] == [(t.answers, t.score) for t in second.trials]
    assert [t.answers for t in first.trials] != [t.answers for t in other.trials]


def test_an_exhausted_space_ends_the_search(tmp_path):
    def three(choose):
        g = raynas.GraphBuilder()
        x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8, 12)))
        return g.build(g.add("classifier", x))

    run = Search(
        space=three,
        strategy=raynas.RandomSearch(),
        estimator=Fake(),
        scheduler=None,
        trials=50,
        storage=str(tmp_path),
        name="run",
        concurrency=2,
    ).run()
    assert len(run.trials) == 3
    assert run.state == "finished"


def test_the_time_limit_stops_cleanly_and_resume_finishes(tmp_path):
    log = tmp_path / "log"
    made = search(tmp_path, Logging(epochs=2, seconds=0.05, log=str(log)), trials=150, hours=9 / 3600)
    run = made.run()
    assert run.state == "stopped"
    done = [t for t in run.trials if t.status == FINISHED]
    assert 1 <= len(done) < 150
    again = raynas.search.dataclasses.replace(made, hours=None).resume()
    assert again.state == "finished"
    assert [t.id for t in again.trials] == list(range(1, 151))
    assert [t.answers for t in again.trials[: len(run.trials)]] == [t.answers for t in run.trials]
    epochs = Counter((trial, epoch) for trial, epoch, *_ in lines(log))
    assert all(epochs[(str(t.id), "1")] == 1 for t in done)  # nothing that was finished was trained again


def test_a_constraint_is_checked_before_a_trial_starts(tmp_path):
    task, rng = Fake().task(None), Random(0)
    free = [cost(sample(SPACE, rng).graph, task).metrics()["params_m"] for _ in range(60)]
    limit = sorted(free)[15]
    run = search(tmp_path, Fake(), constraints=(raynas.Constraint("params_m", "<=", limit),)).run()
    sizes = [cost(run.graph(t.id), task).metrics()["params_m"] for t in run.trials]
    assert len(sizes) == 8
    assert max(sizes) <= limit < max(free)


def test_a_run_that_is_being_written_is_refused_to_a_second_writer(tmp_path):
    made = search(tmp_path, Fake(epochs=1), trials=2)
    made.run()
    ledger = Ledger.write(tmp_path / "run")
    try:
        with pytest.raises(ConfigError, match=r"is being written by process \d+"):
            made.resume()
    finally:
        ledger.close()


def test_an_existing_run_is_not_overwritten(tmp_path):
    made = search(tmp_path, Fake(epochs=1), trials=2)
    made.run()
    with pytest.raises(ConfigError, match=r"exists; continue it with `raynas resume"):
        made.run()


def test_ray_that_was_there_before_stays(tmp_path):
    import ray

    search(tmp_path, Fake(epochs=1), trials=1).run()
    assert ray.is_initialized()
