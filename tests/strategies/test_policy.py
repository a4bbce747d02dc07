from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from raynas import spaces
from raynas.records import Integer, Options, Real
from raynas.spaces.decide import sample
from raynas.spaces.domains import contains
from raynas.spaces.function import as_space
from raynas.strategies.policy import BINS, Rewards, answer_of, bins_of, decisions_of, index_of, pick
from raynas.testing.strategy import toy, tuned

DOMAINS = [
    Options(("a", "b", "c")),
    Options((False, True)),
    Options(("alone",)),
    Integer(1, 5),
    Integer(3, 3),
    Integer(0, 1000),
    Integer(1, 1024, True),
    Integer(1, 3, True),
    Real(-1.0, 1.0),
    Real(1e-5, 1.0, True),
    Real(0.5, 0.5),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_every_index_gives_answers_of_its_own(domain):
    rng = Random(0)
    assert 1 <= bins_of(domain) <= max(BINS, len(domain))
    for index in range(bins_of(domain)):
        for _ in range(50):
            answer = answer_of(domain, index, rng)
            assert contains(domain, answer)
            # Where bins are cut within [n, n + 1), the number n belongs to the lower one.
            assert index - index_of(domain, answer) in ((0, 1) if isinstance(domain, Integer) else (0,))


def test_small_ranges_are_answered_number_by_number():
    assert [answer_of(Integer(1, 5), index, Random(0)) for index in range(5)] == [1, 2, 3, 4, 5]
    assert [index_of(Integer(1, 5), number) for number in range(1, 6)] == [0, 1, 2, 3, 4]


def test_bins_of_a_logarithmic_range_are_equal_factors():
    domain = Real(1e-8, 1.0, True)
    assert bins_of(domain) == 8
    assert [index_of(domain, 3 * 10.0**-power) for power in range(8, 0, -1)] == list(range(8))
    assert 1e-6 <= answer_of(domain, 2, Random(0)) <= 1e-5


def test_decisions_leave_out_what_has_one_answer():
    architecture = sample(spaces.cells(), 0)
    alone = [address for address, domain in architecture.questions.items() if len(domain) == 1]
    assert alone
    decisions = decisions_of(architecture)
    assert len(decisions) == len(architecture.answers) - len(alone)
    for address, domain, index in decisions:
        assert domain[index] == architecture.answers[address]


@pytest.mark.parametrize("space", [toy, tuned, spaces.large_scale()], ids=["toy", "tuned", "large_scale"])
def test_decisions_of_any_space(space):
    for seed in range(20):
        for _, domain, index in decisions_of(sample(as_space(space), seed)):
            assert 0 <= index < bins_of(domain)


class TestRewards:
    def test_the_first_has_none_and_the_second_is_whole(self):
        """Were the average to learn a score first, the second advantage would be about half of this."""
        rewards = Rewards(decay=0.9, clip=0)
        assert rewards.advantage(1, 0.5) == 0
        assert rewards.advantage(1, 0.75) == pytest.approx(0.25)

    def test_an_early_average_takes_its_part_of_the_score(self):
        rewards = Rewards(decay=0.9, clip=0, late=False)
        assert rewards.advantage(1, 0.5) == pytest.approx(0)
        assert rewards.advantage(1, 0.75) == pytest.approx(0.25 * (1 - 0.1 / 0.19))

    def test_the_average_forgets(self):
        rewards = Rewards(decay=0.5, clip=0)
        for _ in range(50):
            rewards.advantage(1, 0.0)
        for _ in range(50):
            rewards.advantage(1, 1.0)
        assert rewards.advantage(1, 1.0) == pytest.approx(0)

    def test_advantages_are_in_standard_deviations_and_clipped(self):
        scaled, raw = Rewards(0.99, 3.0), Rewards(0.99, 3.0)
        rng = Random(0)
        scores = [rng.gauss(0, 1) for _ in range(500)]
        one = [scaled.advantage(1, 70 + 5 * score) for score in scores]
        two = [raw.advantage(1, score) for score in scores]
        assert one[10:] == pytest.approx(two[10:], abs=1e-6)
        assert math.sqrt(sum(a * a for a in one) / 500) == pytest.approx(1, abs=0.1)
        assert scaled.advantage(1, -1e6) == pytest.approx(-3)
        assert scaled.advantage(1, 1e9) == pytest.approx(3)

    def test_equal_scores_have_no_advantage(self):
        rewards = Rewards(0.9, 3.0)
        assert [rewards.advantage(1, 0.1) for _ in range(100)] == [0] * 100

    def test_rungs_are_apart(self):
        rewards = Rewards(0.9, clip=0)
        for _ in range(10):
            rewards.advantage(12, 0.4)
        assert rewards.advantage(200, 0.9) == 0
        assert rewards.advantage(200, 0.8) == pytest.approx(-0.1)
        assert rewards.advantage(12, 0.5) == pytest.approx(0.1)


def test_pick_draws_by_the_shares():
    rng = Random(0)
    drawn = Counter(pick([0.5, 0.0, 0.3, 0.2], rng) for _ in range(10_000))
    assert set(drawn) == {(0, math.log(0.5)), (2, math.log(0.3)), (3, math.log(0.2))}
    assert abs(drawn[0, math.log(0.5)] - 5000) < 5 * 50
