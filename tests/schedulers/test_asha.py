from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas import Asha
from raynas.errors import ConfigError
from raynas.testing.scheduler import SchedulerContract, play


class TestAsha(SchedulerContract):
    def make(self):
        return Asha(rungs=(1, 3, 9), eta=3)


def at_one_rung(scores, eta=3.0):
    """The decisions on trials that reach a rung one after the other."""
    rungs = Asha(rungs=(1,), eta=eta).begin()
    return [rungs.report(trial, 1, score) for trial, score in enumerate(scores)]


def test_a_trial_must_be_the_best_or_among_the_best_third():
    assert at_one_rung([0.5]) == [True]
    assert at_one_rung([0.5, 0.4]) == [True, False]
    assert at_one_rung([0.5, 0.6]) == [True, True]
    assert at_one_rung([0.9, 0.8, 0.1, 0.1, 0.1, 0.85]) == [True, False, False, False, False, True]  # 2nd of 6
    assert at_one_rung([0.9, 0.8, 0.1, 0.1, 0.85]) == [True, False, False, False, False]  # 2nd of 5


def test_ties_with_the_best_go_on():
    assert at_one_rung([0.5, 0.5, 0.5, 0.4]) == [True, True, True, False]


def test_bad_scores_count_as_reached():
    """A trial that diverged is one of those that were compared: the others need not be better than its like."""
    assert at_one_rung([0.9, math.nan, math.nan, math.nan, math.nan, 0.85])[-1] is True


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.sampled_from([2.0, 3.0, 4.0, 2.5]))
def test_the_rule(scores, eta):
    """Asynchronous: nobody waits, so each is compared with those that came before, in whatever order they came."""
    for index, decision in enumerate(at_one_rung(scores, eta)):
        seen = scores[: index + 1]
        better = sum(other > scores[index] for other in seen)
        assert decision == (better < max(1, int(len(seen) / eta)))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_those_before_does_not_matter(scores, rng):
    *before, last = scores
    shuffled = rng.sample(before, len(before))
    assert at_one_rung([*before, last])[-1] == at_one_rung([*shuffled, last])[-1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_better_score_never_fares_worse(before, one, other):
    low, high = sorted((one, other))
    assert at_one_rung([*before, low])[-1] <= at_one_rung([*before, high])[-1]


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_about_one_of_eta_goes_on(eta):
    """With scores in random order, as in a search; early comers are let through, since the rung knows few others."""
    rng = Random(0)
    decisions = at_one_rung([rng.random() for _ in range(3000)], eta)
    assert abs(sum(decisions) / len(decisions) - 1 / eta) < 0.03


def test_resources_are_spent_on_the_good_ones():
    rng = Random(0)
    scores = {trial: rng.random() for trial in range(243)}
    reached = play(Asha(rungs=(1, 3, 9), eta=3), scores, range(243))
    full = [scores[t] for t, budget in reached.items() if budget == 9]
    assert sum(reached.values()) < 0.35 * 243 * 9
    assert sum(full) / len(full) > 0.8


@pytest.mark.parametrize(
    "rungs",
    [
        (),
        (0,),
        (-1, 3),
        (3, 1),
        (1, 1),
        (1, 3, 3),
        (math.nan,),
        (1, math.nan),
        (1, math.inf),
        (math.inf,),
        ("1",),
        [1, 3],
        (True, 3),
        None,
    ],
    ids=str,
)
def test_rungs_must_rise_and_be_finite(rungs):
    with pytest.raises(ConfigError, match="rungs must be a tuple of positive and rising numbers"):
        Asha(rungs=rungs)


@pytest.mark.parametrize("eta", [1, 0.5, 0, -3, math.nan, math.inf, "3"])
def test_eta_must_be_above_one(eta):
    with pytest.raises(ConfigError, match="eta must be above 1"):
        Asha(eta=eta)
    if eta not in (math.inf, "3"):
        with pytest.raises(ConfigError, match="eta above 1"):
            Asha.for_budget(9, eta)


@pytest.mark.parametrize(
    ("budget", "eta", "rungs"),
    [
        (1, 3, (1,)),
        (2, 3, (2,)),
        (9, 3, (1, 3, 9)),
        (10, 3, (1, 3, 10)),
        (26, 3, (2, 8, 26)),
        (27, 3, (1, 3, 9, 27)),
        (8, 2, (1, 2, 4, 8)),
        (200, 4, (3, 12, 50, 200)),
        (3, 1.2, (1, 2, 3)),
    ],
)
def test_for_budget(budget, eta, rungs):
    assert Asha.for_budget(budget, eta) == Asha(rungs=rungs, eta=eta)


@pytest.mark.parametrize("budget", [0, 0.5, -1, math.nan, math.inf])
def test_for_budget_needs_an_epoch(budget):
    with pytest.raises(ConfigError, match="budget must be at least 1"):
        Asha.for_budget(budget)
