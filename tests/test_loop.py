from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
import torch
from driver import Driver, Recorder
from fakes import Fake, merit
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas import Asha, RandomSearch, RegularizedEvolution, spaces
from raynas.cost import cost
from raynas.errors import AllTrialsFailed, ConfigError, GraphError, PluginError, StateError, StorageError
from raynas.graph import GraphBuilder
from raynas.ledger import Event, Ledger
from raynas.loop import ALIKE, Loop
from raynas.objectives import Constraint, Objective
from raynas.plan import Task
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Measurement, Proposal
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space

SPACE = spaces.NasBench201(width=4, repeats=1)
TASK = Task((1, 8, 8), 10)
EVOLUTION = RegularizedEvolution(population=5, tournament=3)


RANDOM = RandomSearch()


def loop_of(strategy=RANDOM, **settings):
    return Loop(settings.pop("space", SPACE), strategy, [Objective()], settings.pop("seed", 0), **settings)


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.write(tmp_path)
    yield opened
    opened.close()


def accuracy(value, budget=1):
    return Measurement(budget, {"val_accuracy": value})


def toy(choose):
    """Six networks."""
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8, 16)), kernel=choose("kernel", (1, 3)))
    return g.build(g.add("classifier", x))


class TestHowATrialStands:
    def test_one_that_is_asked_runs(self):
        loop = loop_of(trials=2)
        trial = loop.next()
        assert (trial.id, trial.status, trial.reason, trial.score, trial.budget) == (1, RUNNING, "", None, 0)
        assert loop.trials == loop.running == {1: trial}
        assert not loop.done

    def test_one_that_ends_well_has_its_last_score(self):
        loop = loop_of(trials=1)
        loop.next()
        assert loop.measure(1, accuracy(0.5, 1))
        assert loop.measure(1, accuracy(0.4, 2))
        trial = loop.end(1)
        assert (trial.status, trial.reason, trial.score, trial.budget) == (FINISHED, "", 0.4, 2)
        assert (loop.trials, loop.running, loop.done) == ({1: trial}, {}, True)

    def test_one_that_is_stopped_keeps_its_score(self):
        loop = loop_of()
        loop.next()
        loop.measure(1, accuracy(0.5))
        trial = loop.end(1, stopped=True)
        assert (trial.status, trial.reason, trial.score, trial.budget) == (STOPPED, "", 0.5, 1)

    def test_one_that_fails_has_a_reason_and_no_score(self):
        loop = loop_of()
        loop.next()
        loop.measure(1, accuracy(0.5))
        trial = loop.end(1, "epoch 2: OutOfMemoryError: no memory")
        assert (trial.status, trial.reason) == (FAILED, "epoch 2: OutOfMemoryError: no memory")
        assert (trial.score, trial.scores, trial.budget) == (None, None, 1)

    def test_a_loss_is_negated(self):
        loop = Loop(SPACE, RandomSearch(), [Objective("val_loss", maximise=False), Objective("val_accuracy")], 0)
        loop.next()
        loop.measure(1, Measurement(1, {"val_loss": 0.25, "val_accuracy": 0.75}))
        assert loop.end(1).scores == (-0.25, 0.75)

    @pytest.mark.parametrize(
        ("metrics", "reason"),
        [
            (None, "estimate: ended without a measurement"),
            ({"loss": 1.0, "train_s": 2.0}, "metrics: val_accuracy is missing; the estimator yields loss, train_s"),
            ({"val_accuracy": math.nan}, "metrics: val_accuracy is nan after 3 epochs"),
        ],
    )
    @pytest.mark.parametrize("stopped", [False, True])
    def test_one_without_a_usable_score_fails(self, metrics, reason, stopped):
        loop = loop_of()
        loop.next()
        if metrics is not None:
            assert not loop.measure(1, Measurement(3, metrics))
        trial = loop.end(1, stopped=stopped)
        assert (trial.status, trial.reason, trial.score) == (FAILED, reason, None)

    def test_a_reading_that_is_known_changes_nothing(self, ledger):
        heard = []
        loop = loop_of(ledger=ledger, listeners=[lambda kind, trial: heard.append(kind)])
        loop.next()
        loop.measure(1, accuracy(0.5, 1))
        loop.measure(1, accuracy(0.7, 2))
        for known in (accuracy(0.9, 2), accuracy(math.nan, 1), accuracy(0.1, 0)):
            assert loop.measure(1, known)
        assert loop.end(1).score == 0.7
        assert heard == [event.kind for event in ledger.events()] == ["asked", "measured", "measured", "ended"]

    def test_one_that_was_told_to_stop_is_told_so_again(self):
        """Its worker may have died between the reading and its end; the reading comes again, from its checkpoint."""
        loop = loop_of(scheduler=Asha(rungs=(2, 4)))
        for trial in (1, 2):
            loop.next()
            loop.measure(trial, accuracy(0.1, 1))
        assert loop.measure(1, accuracy(0.9, 2))
        assert not loop.measure(2, accuracy(0.2, 2))
        assert loop.measure(1, accuracy(0.9, 2))
        assert loop.measure(2, accuracy(0.1, 1))
        assert not loop.measure(2, accuracy(0.2, 2))

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (np.float16(0.5), 0.5),
            (np.float32(0.5), 0.5),
            (np.int64(1), 1.0),
            (torch.tensor(0.5), 0.5),
            (1, 1.0),
            (1e308, 1e308),
            (math.inf, None),
            (-math.inf, None),
            (None, None),
            ("0.9", None),
            (b"1", None),
            (True, None),
            ([0.9], None),
            (torch.zeros(2), None),
            (10**400, None),
            ({}, None),
        ],
        ids=str,
    )
    def test_odd_values_are_numbers_or_unusable(self, ledger, value, kept):
        """R27: they cannot stop the search, and what is replayed is what was live."""
        loop = loop_of(ledger=ledger, scheduler=Asha(rungs=(1,)))
        loop.next()
        assert loop.measure(1, Measurement(1, {"val_accuracy": value, "other": value})) == (kept is not None)
        assert not loop.failure
        trial = loop.end(1)
        assert (trial.score, trial.status) == (kept, FAILED if kept is None else FINISHED)
        assert type(trial.metrics["other"]) is float
        again = loop_of(scheduler=Asha(rungs=(1,)))
        again.replay(ledger.events())
        assert repr(again.trials) == repr(loop.trials)

    @pytest.mark.parametrize("budget", [math.nan, math.inf, "1", None])
    def test_a_reading_at_no_budget_is_none(self, budget):
        loop = loop_of()
        loop.next()
        assert not loop.measure(1, Measurement(budget, {"val_accuracy": 0.5}))
        assert loop.end(1, stopped=True).reason == "estimate: ended without a measurement"

    def test_rungs_are_not_missed_by_readings_that_pass_them(self):
        loop = loop_of(scheduler=Asha(rungs=(1, 3)))
        for trial in (1, 2):
            loop.next()
            assert loop.measure(trial, accuracy(0.9 - trial / 10, 0.5))
        assert loop.measure(1, accuracy(0.8, 2))
        assert not loop.measure(2, accuracy(0.7, 2))


class TestTheEnd:
    def test_so_many_trials(self):
        loop = loop_of(trials=3)
        Driver(loop, Fake(), concurrency=2).run()
        assert len(loop.trials) == 3
        assert loop.done
        assert loop.next() is None

    @pytest.mark.parametrize("strategy", [RandomSearch(), EVOLUTION], ids=str)
    @pytest.mark.parametrize("concurrency", [1, 4, 10])
    def test_a_space_that_is_used_up(self, strategy, concurrency):
        loop = loop_of(strategy, space=as_space(toy), trials=100)
        Driver(loop, Fake(), concurrency=concurrency, rng=Random(0)).run()
        assert loop.done
        assert loop.exhausted
        assert loop.failure is None
        assert len({t.architecture.key for t in loop.trials.values()}) == len(loop.trials) == 6

    def test_ten_failures_alike(self):
        loop = loop_of()
        for number in range(1, ALIKE + 1):
            trial = loop.next()
            loop.end(trial.id, f"epoch {number}: OutOfMemoryError: tried to allocate {number * 24}.5 MiB")
            assert bool(loop.failure) == loop.done == (number == ALIKE)
        assert isinstance(loop.failure, AllTrialsFailed)
        assert str(loop.failure) == (
            "10 trials in a row failed alike: epoch 10: OutOfMemoryError: tried to allocate 240.5 MiB"
        )
        assert loop.next() is None

    def test_failures_of_different_kinds_or_with_successes_between_go_on(self):
        loop = loop_of()
        for number in range(3 * ALIKE):
            trial = loop.next()
            loop.end(trial.id, "start: ValueError: odd" if number % 2 else "start: ValueError: even")
        for number in range(3 * ALIKE):
            trial = loop.next()
            if number % ALIKE == 0:
                loop.measure(trial.id, accuracy(0.5))
                loop.end(trial.id)
            else:
                loop.end(trial.id, "start: ValueError: no")
        assert loop.failure is None

    def test_a_resumed_search_gets_another_chance(self):
        recorder = Recorder()
        loop = loop_of(listeners=[recorder])
        while trial := loop.next():
            loop.end(trial.id, "start: ValueError: no")
        again = loop_of()
        again.replay(recorder.events)
        assert again.failure is None
        assert again.next().id == ALIKE + 1


class TestConstraints:
    def test_on_static_metrics_refuse_proposals(self):
        bound = 0.006  # a third of the space
        loop = loop_of(constraints=[Constraint("params_m", "<=", bound)], task=TASK, trials=30)
        Driver(loop, Fake()).run()
        assert len(loop.trials) == 30
        assert all(cost(t.architecture.graph, TASK).params / 1e6 <= bound for t in loop.trials.values())

    def test_on_other_metrics_refuse_nothing(self):
        loop = loop_of(constraints=[Constraint("latency_ms", "<=", 0.0)], task=TASK, trials=3)
        Driver(loop, Fake()).run()
        assert len(loop.trials) == 3

    @pytest.mark.parametrize("space", [as_space(toy), SPACE], ids=["small", "large"])
    def test_that_nothing_meets_are_bad_input(self, space, monkeypatch):
        monkeypatch.setattr("raynas.loop.INFEASIBLE", 500)
        loop = loop_of(space=space, constraints=[Constraint("params_m", "<=", 0.0)], task=TASK, trials=3)
        assert loop.next() is None
        assert isinstance(loop.failure, ConfigError)
        assert str(loop.failure).startswith("no architecture that was proposed meets params_m<=0: relax it")
        assert loop.done

    @pytest.mark.parametrize(("space", "bound"), [(as_space(toy), 0.0002), (SPACE, 0.00483)], ids=["small", "large"])
    def test_that_few_meet_end_the_search_with_those(self, space, bound, monkeypatch):
        monkeypatch.setattr("raynas.loop.INFEASIBLE", 200)
        loop = loop_of(space=space, constraints=[Constraint("params_m", "<=", bound)], task=TASK, trials=10**6)
        Driver(loop, Fake(epochs=1)).run()
        assert loop.done
        assert loop.exhausted
        assert loop.failure is None
        assert len(loop.trials) >= 1

    def test_a_network_that_does_not_fit_the_data_becomes_a_trial_that_fails(self):
        def misfit(choose):
            g = GraphBuilder()
            image = g.input()
            return g.build(g.add("sum", image, g.add("classifier", image, classes=choose("classes", (2, 3)))))

        with pytest.raises(GraphError):
            cost(sample(as_space(misfit), Random(0)).graph, TASK)
        loop = loop_of(space=as_space(misfit), constraints=[Constraint("params_m", "<=", 1.0)], task=TASK)
        assert loop.next().id == 1


@dataclass(frozen=True)
class Broken:
    """A strategy and scheduler that raises at the n-th call of a method."""

    method: str
    at: int = 3
    rungs = (1,)

    def begin(self, *_):
        return BrokenState(self)


class BrokenState:
    def __init__(self, settings):
        self.settings = settings
        self.calls = 0
        self.good = RandomSearch().begin(SPACE, (), 0)

    def call(self, method):
        self.calls += method == self.settings.method
        if self.calls == self.settings.at:
            raise KeyError("oops")

    def ask(self):
        self.call("ask")
        return None if self.settings.method == "none" else self.good.ask()

    def tell(self, trial):
        self.call("tell")

    def report(self, trial, budget, score):
        self.call("report")
        return True


class TestPlugins:
    @pytest.mark.parametrize("method", ["ask", "tell", "report"])
    def test_one_that_raises_is_named_and_ends_the_search_with_its_record_whole(self, method, ledger):
        """R26."""
        settings = {"scheduler": Broken(method)} if method == "report" else {"strategy": Broken(method)}
        loop = loop_of(ledger=ledger, **settings)
        Driver(loop, Fake(epochs=1)).run()
        assert isinstance(loop.failure, PluginError)
        assert str(loop.failure) == "BrokenState: KeyError: 'oops'"
        assert isinstance(loop.failure.__cause__, KeyError)
        assert loop.done
        assert len(ledger.trials()) == len(loop.trials) in (2, 3)
        assert all(trial.status == FINISHED for trial in ledger.trials())
        if method != "ask":
            with pytest.raises(PluginError):
                loop_of(**settings).replay(ledger.events())
        repaired = loop_of() if method == "report" else loop_of(Broken(method, at=-1))
        repaired.replay(ledger.events())
        assert repaired.next().id == len(loop.trials) + 1

    def test_a_listener_that_raises_is_named(self):
        def board(kind, trial):
            raise OSError("no space left on device")

        loop = loop_of(listeners=[board])
        Driver(loop, Fake()).run()
        assert "board: OSError: no space left on device" in str(loop.failure)

    def test_a_strategy_that_proposes_nothing_although_nothing_runs(self):
        loop = loop_of(Broken("none", at=-1))
        assert loop.next() is None
        assert str(loop.failure) == "BrokenState: has no proposal although nothing is running"

    def test_a_strategy_may_wait_for_results(self):
        class Pairs:
            """Asks for two, then waits for both."""

            def begin(self, space, objectives, seed):
                self.inner, self.asked, self.told = RandomSearch().begin(space, objectives, seed), 0, 0
                return self

            def ask(self):
                if self.asked - self.told == 2:
                    return None
                self.asked += 1
                return self.inner.ask()

            def tell(self, trial):
                self.told += trial.status != RUNNING

        loop = loop_of(Pairs(), trials=6)
        Driver(loop, Fake(), concurrency=4).run()
        assert loop.done
        assert loop.failure is None
        assert len(loop.trials) == 6

    def test_a_strategy_is_told_at_each_rung_that_is_passed_and_once_at_the_end(self):
        told = []

        class Spy:
            def begin(self, space, objectives, seed):
                self.ask = RandomSearch().begin(space, objectives, seed).ask
                return self

            def tell(self, trial):
                told.append((trial.id, trial.status, trial.budget))

        loop = loop_of(Spy(), scheduler=Asha(rungs=(1, 3)))
        for trial, value in ((1, 0.9), (2, 0.5)):
            loop.next()
            for budget in (1, 2, 3):
                if not loop.measure(trial, accuracy(value, budget)):
                    break
            loop.end(trial, stopped=trial == 2)
        assert told == [(1, RUNNING, 1), (1, RUNNING, 3), (1, FINISHED, 3), (2, STOPPED, 1)]

    def test_a_full_disk_ends_the_search_without_a_gap_in_the_record(self, tmp_path):
        ledger = Ledger.write(tmp_path)
        ledger._db.execute("PRAGMA max_page_count=12")
        loop = loop_of(ledger=ledger)
        Driver(loop, Fake(epochs=9), concurrency=3, rng=Random(0)).run()
        assert isinstance(loop.failure, StorageError)
        ledger._db.execute("PRAGMA max_page_count=1000")
        ledger.close()
        ledger = Ledger.write(tmp_path)
        again = loop_of(ledger=ledger, trials=30)
        again.replay(ledger.events())
        Driver(again, Fake(epochs=9), concurrency=3, rng=Random(1)).run()
        assert again.done
        assert all(len(trial.measurements) == 9 for trial in ledger.trials())
        ledger.close()


@dataclass(frozen=True)
class Eventful(Fake):
    """Some architectures raise, some yield NaN, some end early; the others learn."""

    epochs: int = 4

    def estimate(self, architecture, context):
        fate = int(architecture.key[8:10], 16)
        if fate < 20:
            raise ValueError(f"no luck with {fate}")
        for measurement in super().estimate(architecture, context):
            if fate < 40 and measurement.budget == 2:
                return
            if fate < 60 and measurement.budget == 3:
                yield accuracy(math.nan, 3)
            yield measurement


@dataclass(frozen=True)
class Scenario:
    strategy: object
    scheduler: object
    seed: int
    space: object = SPACE
    constraints: tuple = ()
    trials: int = 14

    def loop(self, listeners=()):
        return loop_of(
            self.strategy, space=self.space, seed=self.seed, trials=self.trials, scheduler=self.scheduler,
            constraints=self.constraints, task=TASK, listeners=listeners,
        )  # fmt: skip


SCENARIOS = st.builds(
    Scenario,
    strategy=st.sampled_from([RandomSearch(), EVOLUTION]),
    scheduler=st.sampled_from([None, Asha(rungs=(1, 2, 4), eta=2), Asha(rungs=(1, 3), eta=3)]),
    seed=st.integers(0, 2**32),
    space=st.sampled_from([SPACE, as_space(toy)]),
    constraints=st.sampled_from([(), (Constraint("params_m", "<=", 0.0085),)]),
)


def continued(loop, concurrency, rng):
    """The events of a search that goes on, with stimuli that `rng` decides."""
    recorder = Recorder()
    loop.listeners = (recorder,)
    Driver(loop, Eventful(), concurrency=concurrency, rng=rng).run()
    return recorder.events


def check_cut(scenario, concurrency, order, cut):
    """A search that is killed after `cut` events and replayed goes on as one that was never killed. Events so far."""
    recorder = Recorder()
    loop = scenario.loop([recorder])
    driver = Driver(loop, Eventful(), concurrency=concurrency, rng=Random(order))
    driver.run(cut)
    replayed = scenario.loop()
    replayed.replay(recorder.events)
    assert repr(replayed.trials) == repr(loop.trials)
    assert list(replayed.running) == list(loop.running)
    before = len(recorder.events)
    driver.rng = Random(order + 1)
    driver.run()
    assert continued(replayed, concurrency, Random(order + 1)) == recorder.events[before:]
    assert replayed.done == loop.done is True
    assert replayed.exhausted == loop.exhausted
    assert repr(replayed.trials) == repr(loop.trials)
    return before


class TestReplay:
    @settings(max_examples=100)
    @given(SCENARIOS, st.integers(1, 5), st.integers(0, 2**32), st.integers(0, 90))
    def test_equals_the_search_that_was_never_killed(self, scenario, concurrency, order, cut):
        """R4-R7: any interleaving of up to five trials, killed anywhere."""
        check_cut(scenario, concurrency, order, cut)

    @pytest.mark.parametrize("strategy", [RandomSearch(), EVOLUTION], ids=str)
    def test_equals_it_at_every_event(self, strategy):
        scenario = Scenario(strategy, Asha(rungs=(1, 2, 4), eta=2), seed=1)
        cut = 0
        while check_cut(scenario, concurrency=3, order=2, cut=cut) == cut:
            cut += 1
        assert cut > 40

    def test_survives_being_killed_again_and_again(self, tmp_path):
        """R1, R2 with a real ledger: after each few events the process is gone; nothing is asked or read twice."""
        scenario = Scenario(EVOLUTION, Asha(rungs=(1, 2, 4), eta=2), seed=3, trials=20)
        rng, kills = Random(0), 0
        while True:
            ledger = Ledger.write(tmp_path)
            loop = scenario.loop()
            loop.ledger = ledger
            loop.replay(ledger.events())
            Driver(loop, Eventful(), concurrency=2, rng=rng).run(rng.randrange(1, 8))
            trials = ledger.trials()
            ledger.close()
            if loop.done:
                break
            kills += 1
        assert kills > 10
        assert [t.id for t in trials] == list(range(1, 21))
        assert all(t.status != RUNNING for t in trials)
        for trial in trials:
            budgets = [m.budget for m in trial.measurements]
            assert budgets == sorted(set(budgets))

    def test_one_at_a_time_killed_or_not_gives_the_same_record(self, tmp_path):
        """R4: concurrency 1."""

        def run(folder, every):
            folder.mkdir()
            while True:
                ledger = Ledger.write(folder)
                loop = Scenario(EVOLUTION, Asha(rungs=(1, 2, 4), eta=2), seed=3).loop()
                loop.ledger = ledger
                loop.replay(ledger.events())
                Driver(loop, Eventful()).run(every)
                events = [(e.kind, e.trial, e.body) for e in ledger.events()]
                ledger.close()
                if loop.done:
                    return events

        assert run(tmp_path / "whole", None) == run(tmp_path / "killed", 3)

    def test_unfinished_trials_come_first_and_keep_their_ids(self):
        recorder = Recorder()
        loop = loop_of(listeners=[recorder], trials=5)
        asked = [loop.next() for _ in range(4)]
        loop.measure(2, accuracy(0.5))
        loop.measure(3, accuracy(0.6))
        loop.end(3)
        again = loop_of(trials=5)
        again.replay(recorder.events)
        issued = [again.next() for _ in range(4)]
        assert [t.id for t in issued] == [1, 2, 4, 5]
        assert [t.architecture for t in issued[:3]] == [asked[i].architecture for i in (0, 1, 3)]
        assert issued[1].measurements == (accuracy(0.5),)
        assert again.next() is None

    def test_a_runtime_that_reissues_by_itself(self):
        recorder = Recorder()
        loop = loop_of(listeners=[recorder])
        loop.next()
        again = loop_of()
        again.replay(recorder.events, reissue=False)
        assert again.next().id == 2

    @pytest.mark.parametrize(
        "other",
        [{"seed": 1}, {"space": as_space(toy)}, {"constraints": [Constraint("params_m", "<=", 0.006)], "task": TASK}],
        ids=lambda o: next(iter(o)),
    )
    def test_another_search_is_refused(self, other):
        recorder = Recorder()
        loop = loop_of(listeners=[recorder], trials=5)
        Driver(loop, Fake()).run()
        with pytest.raises(StateError, match="resume with the space, strategy, seed and raynas version"):
            loop_of(**other).replay(recorder.events)

    def test_another_strategy_is_refused(self):
        recorder = Recorder()
        Driver(loop_of(EVOLUTION, listeners=[recorder], trials=20), Fake()).run()
        with pytest.raises(StateError, match="was proposed with other answers"):
            loop_of(RegularizedEvolution(population=5, tournament=2)).replay(recorder.events)

    def test_a_used_up_space_replays(self):
        recorder = Recorder()
        loop = loop_of(space=as_space(toy), listeners=[recorder])
        Driver(loop, Fake()).run()
        again = loop_of(space=as_space(toy))
        again.replay(recorder.events)
        assert not again.done
        assert again.next() is None
        assert again.done


def test_a_better_strategy_finds_better_networks():
    """The driver, the loop and evolution together do what a search is for."""
    best = {}
    for strategy in (RandomSearch(), RegularizedEvolution(population=10, tournament=5)):
        found = []
        for seed in range(10):
            loop = loop_of(strategy, seed=seed, trials=60)
            Driver(loop, Counting(), concurrency=2).run()
            found.append(max(t.score for t in loop.trials.values()))
        best[type(strategy)] = sum(found) / len(found)
    assert best[RegularizedEvolution] > best[RandomSearch]


@dataclass(frozen=True)
class Counting(Fake):
    """Likes 3x3 convolutions."""

    epochs: int = 1

    def score(self, architecture, context, epoch):
        ops = [op for address, op in architecture.answers.items()]
        return ops.count("nor_conv_3x3") / len(ops) + merit(architecture) / 100


def test_proposals_remember_their_parent():
    class Heirs:
        def begin(self, space, objectives, seed):
            self.inner = RandomSearch().begin(space, objectives, seed)
            return self

        def ask(self):
            return Proposal(self.inner.ask().architecture, 7)

        def tell(self, trial):
            """Nothing."""

    assert loop_of(Heirs()).next().parent == 7


class Finalist:
    """Proposes what another strategy does; the third trial is to be trained in full."""

    def begin(self, space, objectives, seed):
        proposer = RandomSearch().begin(space, objectives, seed)
        asked = []

        class Asking:
            def ask(self):
                asked.append(1)
                return proposer.ask()._replace(budget=math.inf if len(asked) == 3 else None)

            def tell(self, trial):
                proposer.tell(trial)

        return Asking()


def test_no_rung_stops_a_finalist():
    loop = Loop(SPACE, Finalist(), [Objective()], 0, trials=4, scheduler=Asha(rungs=(1, 9)))
    goes_on = []
    for trial_id in range(1, 5):
        loop.next()
        goes_on.append(loop.measure(trial_id, Measurement(1, {"val_accuracy": 1 / trial_id})))
    assert goes_on == [True, False, True, False]
    assert not loop.measure(3, Measurement(2, {"val_accuracy": math.nan}))


def test_a_finalist_is_one_after_a_resume_too():
    events = []

    def heard(kind, trial):
        body = {"answers": dict(trial.architecture.answers)} if kind == "asked" else {}
        events.append(Event(0.0, kind, trial.id, body))

    first = Loop(SPACE, Finalist(), [Objective()], 0, trials=3, scheduler=Asha(rungs=(1, 9)), listeners=[heard])
    for _ in range(3):
        first.next()
    again = Loop(SPACE, Finalist(), [Objective()], 0, trials=3, scheduler=Asha(rungs=(1, 9)))
    again.replay(events)
    assert [again.measure(n, Measurement(1, {"val_accuracy": 1 / n})) for n in (1, 2, 3)] == [True, False, True]
