"""Against values of the literature, of scipy, or worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from raynas.bench import statistics as st


class TestSteps:
    def test_by_hand(self):
        read = st.at([1, 3, 3, 7], [10, 20, 30, 40], [0, 1, 2.9, 3, 6.9, 7, 100])
        np.testing.assert_array_equal(read, [np.nan, 10, 10, 30, 30, 40, 40])

    def test_no_step(self):
        assert np.isnan(st.at([], [], [0, 1])).all()

    def test_time_to_a_target(self):
        assert st.time_to([1, 3, 7], [0.2, 0.5, 0.9], 0.5) == 3
        assert st.time_to([1, 3, 7], [0.2, 0.5, 0.9], 0.91) == math.inf
        assert st.time_to([], [], 0.5) == math.inf

    def test_share_that_arrived(self):
        assert st.ecdf([4, 2, math.inf, 2], [1, 2, 3, 4, 99]).tolist() == [0, 0.5, 0.5, 0.75, 0.75]


class TestBootstrap:
    def test_covers_the_normal_interval(self):
        """For many normal values it must be mean +- 1.96 standard errors."""
        values = np.random.default_rng(1).normal(5, 2, (400, 1))
        band = st.bootstrap(values, resamples=20_000)
        error = values.std() / math.sqrt(400)
        assert band.mean[0] == values.mean()
        assert band.low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.05 * error)
        assert band.high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.05 * error)

    def test_equals_scipy(self):
        values = np.random.default_rng(2).exponential(1, (50, 1))
        ours = st.bootstrap(values, resamples=20_000)
        theirs = stats.bootstrap(
            (values[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        assert (ours.low[0], ours.high[0]) == (
            pytest.approx(theirs.low, abs=0.01),
            pytest.approx(theirs.high, abs=0.01),
        )

    def test_level(self):
        values = np.random.default_rng(3).normal(0, 1, (60, 3))
        wide, narrow = st.bootstrap(values, level=0.99), st.bootstrap(values, level=0.5)
        assert (wide.low < narrow.low).all()
        assert (narrow.high < wide.high).all()

    def test_one_seed_and_equal_seeds_have_no_width(self):
        for values in ([[1.0, 2.0]], [[1.0, 2.0]] * 9):
            band = st.bootstrap(values)
            assert band.mean.tolist() == band.low.tolist() == band.high.tolist() == [1, 2]

    def test_no_mean_where_a_seed_has_no_value(self):
        band = st.bootstrap([[math.nan, 1.0], [2.0, 3.0]])
        assert [np.isnan(part).tolist() for part in band] == [[True, False]] * 3

    def test_same_seed_same_interval(self):
        values = np.random.default_rng(4).normal(0, 1, (20, 2))
        assert st.bootstrap(values).low.tolist() == st.bootstrap(values).low.tolist()
        assert st.bootstrap(values).low.tolist() != st.bootstrap(values, seed=1).low.tolist()


class TestRanks:
    def test_friedman_equals_scipy(self):
        values = np.random.default_rng(0).integers(0, 5, (20, 4)).astype(float)  # with many ties
        ranking = st.rank(values)
        assert ranking.p_value == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
        assert ranking.ranks.tolist() == pytest.approx(stats.rankdata(-values, axis=1).mean(axis=0).tolist())
        assert ranking.ranks.mean() == 2.5

    @pytest.mark.parametrize(
        ("strategies", "alpha", "q"),
        [(2, 0.05, 1.960), (3, 0.05, 2.343), (4, 0.05, 2.569), (5, 0.05, 2.728), (10, 0.05, 3.164), (4, 0.1, 2.291)],
    )
    def test_critical_values_of_demsar(self, strategies, alpha, q):
        """His table 5(a)."""
        values = np.random.default_rng(0).normal(size=(30, strategies))
        distance = q * math.sqrt(strategies * (strategies + 1) / (6 * 30))
        assert st.rank(values, alpha=alpha).distance == pytest.approx(distance, rel=1e-3)

    def test_the_example_of_demsar(self):
        """His section 3.2.2: four classifiers on 14 data sets; chi² is 9.28, the critical difference 1.25."""
        auc = np.array([
            [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
        ])  # fmt: skip
        ranking = st.rank(auc)
        assert ranking.ranks.tolist() == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=1e-3)
        without_ties = 12 * 14 / (4 * 5) * ((ranking.ranks**2).sum() - 4 * 5**2 / 4)
        assert without_ties == pytest.approx(9.28, abs=0.01)  # his; the correction for ties makes it a little larger
        assert without_ties < stats.chi2.isf(ranking.p_value, 3) < 1.2 * without_ties
        assert ranking.distance == pytest.approx(1.25, abs=5e-3)

    def test_all_alike(self):
        ranking = st.rank(np.ones((8, 3)))
        assert ranking.ranks.tolist() == [2, 2, 2]
        assert ranking.p_value == 1

    def test_two_strategies(self):
        ranking = st.rank([[1.0, 2.0]] * 10)
        assert ranking.ranks.tolist() == [2, 1]
        assert ranking.p_value == pytest.approx(stats.chi2.sf(10, 1))

    def test_cliques(self):
        assert st.cliques([3.1, 1.0, 2.4, 1.5], 1.0) == [(1, 3), (3, 2), (2, 0)]
        assert st.cliques([1.0, 1.2, 1.4, 3.0], 0.5) == [(0, 1, 2)]
        assert st.cliques([1.0, 2.0, 3.0], 0.5) == []


class TestPairs:
    def test_wilcoxon_of_darwins_maize(self):
        """Heights of crossed less self-fertilised plants, as Fisher 1935 and scipy's manual treat them: p = 0.0413."""
        differences = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
        ours = st.wilcoxon(differences, np.zeros(15))
        assert ours == pytest.approx(0.0413, abs=1e-4)
        assert ours == pytest.approx(stats.wilcoxon(differences).pvalue)

    def test_wilcoxon_by_hand(self):
        """All of five pairs on one side: 2 of 2^5 outcomes are so extreme."""
        assert st.wilcoxon([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]) == pytest.approx(2 / 32)
        assert st.wilcoxon([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]) == pytest.approx(2 / 32)

    def test_equal_pairs_count_for_nobody(self):
        assert st.wilcoxon([1, 2, 3], [1, 2, 3]) == 1
        few = st.wilcoxon([2, 4, 6, 8, 10], [1, 2, 3, 4, 5])
        assert st.wilcoxon([2, 4, 6, 8, 10, 7, 7, 7], [1, 2, 3, 4, 5, 7, 7, 7]) > few / 2
        assert st.wilcoxon([1], [2]) == 1

    def test_holm(self):
        """0.005 x 4, 0.01 x 3, 0.03 x 2, then never less than before."""
        assert st.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert st.holm([0.6, 0.7]) == [1, 1]
        assert st.holm([0.2]) == [0.2]
        assert st.holm([]) == []

    def test_a12(self):
        assert st.a12([1, 2, 3], [2, 3, 4]) == pytest.approx(2 / 9)  # 3 > 2, two ties count half
        assert st.a12([5, 5], [5, 5]) == 0.5
        assert st.a12([2, 3], [0, 1]) == 1
        assert st.a12([0, 1], [2, 3]) == 0

    def test_a12_equals_mann_whitney(self):
        rng = np.random.default_rng(0)
        a, b = rng.integers(0, 9, 40), rng.integers(2, 11, 30)
        assert st.a12(a, b) == pytest.approx(stats.mannwhitneyu(a, b).statistic / (40 * 30))

    def test_words_of_vargha_and_delaney(self):
        assert [st.effect(x) for x in (0.5, 0.555, 0.56, 0.65, 0.72, 0.43, 0.3, 0.0)] == [
            "none", "none", "small", "medium", "large", "small", "medium", "large",
        ]  # fmt: skip
