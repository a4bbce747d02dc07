from __future__ import annotations

import dataclasses
import math
from random import Random

import pytest

from raynas import Constraint, Nsga2, Objective, spaces
from raynas.errors import ConfigError
from raynas.records import FINISHED, Measurement, Trial
from raynas.spaces.nasbench201 import OPS
from raynas.strategies.nsga2 import Point, crowding, dominates, fronts, ranked, violation
from raynas.testing.strategy import Session, StrategyContract

BOTH = (Objective("val_accuracy"), Objective("params_m", maximise=False))
CELLS = spaces.NasBench201()


def point(*scores, violation=0.0, budget=3.0):
    return Point(violation, budget, scores)


def evaluated(number, proposal):
    """Accuracy rises with later ops on earlier edges, size with later ops on all edges: a conflict."""
    ops = [OPS.index(op) for op in proposal.architecture.answers.values()]
    accuracy = sum(op * weight for op, weight in zip(ops, (6, 5, 4, 3, 2, 1), strict=True)) / 84
    size = sum(op**2 for op in ops) / 96
    reading = Measurement(3, {"val_accuracy": accuracy, "params_m": size})
    return Trial(number, proposal.architecture, proposal.parent, FINISHED, "", (reading,), (accuracy, -size))


def hypervolume(points):
    """Of two objectives, against (0, -1)."""
    area, low = 0.0, -1.0
    for accuracy, size in sorted(set(points), reverse=True):
        if size > low:
            area += accuracy * (size - low)
            low = size
    return area


class TestNsga2(StrategyContract):
    def make(self):
        return Nsga2(population=6)

    def test_sizes_for_a_number_of_trials(self):
        assert Nsga2.for_trials(200) == Nsga2(50, at_once=25)
        assert Nsga2.for_trials(1).population == 10

    def test_warns_of_too_many_workers(self):
        assert Nsga2.for_trials(200).advice(25) == ""
        assert "keeps 25 of 64 workers busy" in Nsga2.for_trials(200).advice(64)
        assert "more than half the population of 30" in Nsga2().advice(16)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"population": 1}, "population must be a whole number of at least 2"),
            ({"crossover": -0.1}, "crossover must be in"),
            ({"constraints": ("params_m<=1",)}, "constraints must be a tuple of Constraint"),
            ({"at_once": 1.5}, "at_once must be"),
        ],
    )
    def test_bad_settings(self, settings, message):
        with pytest.raises(ConfigError, match=message):
            Nsga2(**settings)

    def test_constraints_survive_json(self):
        from raynas import catalog

        strategy = Nsga2(constraints=(Constraint("latency_ms", "<", 3.0),))
        assert catalog.from_json(catalog.to_json(strategy)) == strategy

    def test_finds_a_better_front_than_random_search(self):
        def mean_volume(crossover):
            total = 0.0
            for seed in range(5):
                session = Session(Nsga2(20, crossover).begin(CELLS, BOTH, seed))
                found = []
                for number in range(1, 201):
                    trial = evaluated(number, session.ask())
                    session.tell(trial)
                    found.append(trial.scores)
                total += hypervolume(found)
            return total / 5

        rng = Random(0)
        guess = 0.0
        for _ in range(5):
            session = Session(Nsga2(200).begin(CELLS, BOTH, rng.randrange(1000)))
            guess += hypervolume([evaluated(n, session.ask()).scores for n in range(1, 201)]) / 5
        assert mean_volume(0.5) > guess + 0.02
        assert mean_volume(0.0) > guess + 0.02

    def test_who_keeps_the_constraints_stays(self):
        wanted = Constraint("params_m", "<=", 0.3)
        session = Session(Nsga2(10, constraints=(wanted,)).begin(CELLS, BOTH, 0))
        for number in range(1, 121):
            session.tell(evaluated(number, session.ask()))
        members = {member.trial for member in session.proposer.members}
        sizes = [-evaluated(n, p).scores[1] for n, p in enumerate(session.proposals, 1) if n in members]
        assert len(sizes) == 10
        assert max(sizes) <= 0.3
        without = Session(Nsga2(10).begin(CELLS, BOTH, 0))
        for number in range(1, 121):
            without.tell(evaluated(number, without.ask()))
        members = {member.trial for member in without.proposer.members}
        assert max(-evaluated(n, p).scores[1] for n, p in enumerate(without.proposals, 1) if n in members) > 0.3

    def test_a_short_training_is_dominated_by_a_long_one(self):
        session = Session(Nsga2(2).begin(CELLS, BOTH, 0))
        for number in range(1, 4):
            trial = evaluated(number, session.ask())
            if number == 2:
                best = Measurement(1, {"val_accuracy": 1.0, "params_m": 0.0})
                trial = dataclasses.replace(trial, measurements=(best,), scores=(1.0, -0.0))
            session.tell(trial)
        assert [member.trial for member in session.proposer.members] == [1, 3]


class TestRanks:
    def test_domination(self):
        assert dominates(point(2, 1), point(1, 1))
        assert not dominates(point(1, 1), point(1, 1))
        assert not dominates(point(2, 1), point(1, 2))
        assert dominates(point(0, 0), point(9, 9, violation=0.1))
        assert dominates(point(0, 0, violation=0.1), point(9, 9, violation=0.2))
        assert not dominates(point(9, 9, violation=0.1), point(0, 0, violation=0.1))
        assert dominates(point(0, 0), point(9, 9, budget=1.0))

    def test_fronts(self):
        points = [point(1, 4), point(2, 3), point(1, 3), point(4, 1), point(0, 0), point(1, 1)]
        assert fronts(points) == [[0, 1, 3], [2], [5], [4]]
        assert fronts([]) == []

    @pytest.mark.parametrize("seed", range(5))
    def test_fronts_by_their_definition(self, seed):
        """The first front is who nobody dominates; the others are so without those before them."""
        rng = Random(seed)
        points = [point(*(rng.randrange(5) for _ in range(3))) for _ in range(40)]
        left = list(range(40))
        for front in fronts(points):
            assert front == [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
            left = [i for i in left if i not in front]
        assert left == []

    def test_crowding(self):
        assert crowding([(0.0, 4.0), (1.0, 3.0), (4.0, 0.0)]) == [math.inf, 2.0, math.inf]
        assert crowding([(0.0, 8.0), (1.0, 4.0), (2.0, 2.0), (4.0, 0.0)])[1:3] == [0.5 + 0.75, 0.75 + 0.5]
        assert crowding([(1.0, 1.0)] * 3) == [0.0, 0.0, 0.0]
        assert crowding([]) == []

    def test_ranked(self):
        assert ranked([point(0, 4), point(4, 0), point(0, 0)]) == [(0.0, math.inf), (0.0, math.inf), (-1.0, 0.0)]

    def test_violation_is_relative_to_the_bound(self):
        constraints = (Constraint("latency_ms", "<=", 2.0), Constraint("val_accuracy", ">", 0.5))
        assert violation(constraints, {"latency_ms": 1.0, "val_accuracy": 0.6}) == 0
        assert violation(constraints, {"latency_ms": 3.0, "val_accuracy": 0.6}) == 0.5
        assert violation(constraints, {"latency_ms": 3.0, "val_accuracy": 0.25}) == 1.0
        assert 0 < violation(constraints, {"latency_ms": 1.0, "val_accuracy": 0.5}) < 1e-9
        assert violation(constraints, {"latency_ms": 1.0}) == math.inf
        assert violation((Constraint("loss", "<=", 0.0),), {"loss": 0.25}) == 0.25
