"""Strategies as Searcher plug-ins of a plain `tune.Tuner`."""

from __future__ import annotations

import pytest
from ray import tune
from ray.tune.search import Searcher

import raynas
from raynas.errors import ConfigError
from raynas.graph import GraphBuilder
from raynas.spaces.decide import replay
from raynas.strategies import RandomSearch, RegularizedEvolution

SPACE = raynas.spaces.nasbench201(width=4, repeats=1)


def searcher(seed=0, **settings):
    return raynas.tune.StrategySearcher(
        RegularizedEvolution(population=5, tournament=2), SPACE, metric="score", mode="max", seed=seed, **settings
    )


def score(config):
    return sum(op == "nor_conv_3x3" for op in config["arch"].values())


def drive(search, trials, start=0):
    """Suggests and completes trials one after the other."""
    configs = []
    for number in range(start, start + trials):
        config = search.suggest(f"t{number}")
        configs.append(config)
        search.on_trial_complete(f"t{number}", {"score": score(config), "training_iteration": 1})
    return configs


def test_suggests_answers_and_learns():
    configs = drive(searcher(), 60)
    assert all(replay(SPACE, c["arch"]) for c in configs)
    late, early = (sum(map(score, part)) for part in (configs[-10:], configs[:10]))
    assert late > early


def test_same_seed_same_suggestions():
    assert drive(searcher(seed=4), 20) == drive(searcher(seed=4), 20)
    assert drive(searcher(seed=4), 20) != drive(searcher(seed=5), 20)


def test_minimises_when_told():
    search = raynas.tune.StrategySearcher(RegularizedEvolution(5, 3), SPACE, metric="loss", mode="min", seed=0)
    scores = []
    for number in range(60):
        config = search.suggest(f"t{number}")
        scores.append(score(config))
        search.on_trial_complete(f"t{number}", {"loss": 6 - score(config), "training_iteration": 1})
    assert sum(scores[-10:]) > sum(scores[:10])
    with pytest.raises(ConfigError, match="mode must be max or min, but got 'best'"):
        raynas.tune.StrategySearcher(RandomSearch(), SPACE, mode="best")


def test_failed_missing_and_odd_results_are_survived():
    search = searcher()
    for number, result in enumerate([None, {}, {"score": float("nan")}, {"score": None}, {"score": "0.9"}]):
        search.suggest(f"t{number}")
        search.on_trial_complete(f"t{number}", result)
    search.suggest("raised")
    search.on_trial_complete("raised", {"score": 1.0}, error=True)
    search.on_trial_complete("unknown", {"score": 1.0})
    assert drive(search, 10, start=10)


def test_saved_and_restored_it_goes_on_alike(tmp_path):
    whole = searcher()
    drive(whole, 12)
    pending = whole.suggest("pending")
    whole.save(str(tmp_path / "state.json"))
    copy = searcher()
    copy.restore(str(tmp_path / "state.json"))
    for search in (whole, copy):
        search.on_trial_complete("pending", {"score": score(pending), "training_iteration": 1})
    assert drive(whole, 20, start=20) == drive(copy, 20, start=20)
    with pytest.raises(ConfigError, match="seed 0"):
        searcher(seed=1).restore(str(tmp_path / "state.json"))


def test_an_exhausted_space_finishes():
    def two(choose):
        g = GraphBuilder()
        x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)))
        return g.build(g.add("classifier", x))

    search = raynas.tune.StrategySearcher(RandomSearch(), two)
    assert {search.suggest(f"t{n}")["arch"]["width"] for n in range(2)} == {4, 8}
    assert search.suggest("t2") == Searcher.FINISHED


def test_tunes_domains_beside_the_architecture_are_searched():
    search = searcher()
    beside = {
        "arch": raynas.tune.domain(SPACE),
        "lr": tune.loguniform(1e-3, 1e-1),
        "batch": tune.choice([32, 64]),
        "depth": tune.randint(1, 4),
        "optimizer": {"momentum": tune.uniform(0.8, 0.9)},
        "fixed": 5,
    }
    assert search.set_search_properties(None, None, beside)
    configs = drive(search, 30)
    assert all(1e-3 <= c["lr"] <= 1e-1 and c["batch"] in (32, 64) and c["depth"] in (1, 2, 3) for c in configs)
    assert len({c["lr"] for c in configs}) > 5
    assert all(0.8 <= c["optimizer"]["momentum"] <= 0.9 for c in configs)
    assert "fixed" not in configs[0]


def test_what_cannot_be_searched_beside_is_refused():
    search = searcher()
    for refused, told in [
        ({"x": tune.randn()}, "train/x: .* is not supported beside an architecture"),
        ({"x": tune.choice([tune.choice([1, 2]), 3])}, "train/x: a choice inside a choice reaches no trial"),
        ({"x": tune.choice([{"y": tune.uniform(0, 1)}, 3])}, "train/x: a choice inside a choice reaches no trial"),
        ({"x": [1, tune.uniform(0, 1)]}, "'x' holds a domain inside a list: put it in a dict"),
        ({"x": tune.grid_search([1, 2])}, "'x' is a grid search, which no searcher resolves: use tune.choice"),
        ({"x": {"y": raynas.tune.domain(SPACE)}}, "'x/y' is a second architecture"),
    ]:
        with pytest.raises(ConfigError, match=told):
            search.set_search_properties(None, None, refused)
    with pytest.raises(ConfigError, match="own space"):
        searcher().set_search_properties(None, None, {"arch": raynas.tune.domain(raynas.spaces.cells())})


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_in_a_plain_tuner(tmp_path):
    """The ten lines of the README."""

    def trainable(config):
        if list(config["arch"].values()).count("none") == 3:
            raise RuntimeError("a trial may fail")
        tune.report({"score": sum(op == "nor_conv_3x3" for op in config["arch"].values())})

    results = tune.Tuner(
        trainable,
        param_space={"arch": raynas.tune.domain(SPACE)},
        tune_config=tune.TuneConfig(search_alg=searcher(), num_samples=12, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert len(results) == 12
    assert results.get_best_result("score", "max").metrics["score"] >= 2
    assert list(tmp_path.glob("*/searcher-state-*")) or list(tmp_path.glob("*/*search*"))
