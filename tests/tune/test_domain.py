"""Spaces as Tune samplers, in programs that use nothing else of raynas."""

from __future__ import annotations

import json

import numpy as np
import optuna
import pytest
import torch
from ray import tune
from ray.tune.search.optuna import OptunaSearch
from ray.tune.search.variant_generator import generate_variants

import raynas
from raynas.errors import ConfigError, SpaceError
from raynas.graph import GraphBuilder
from raynas.spaces.decide import replay
from raynas.spaces.suggest import suggest


def tiny(choose):
    """A person's own space, in a few lines."""
    g = GraphBuilder()
    x = g.input()
    for layer in range(choose("depth", (1, 2))):
        x = g.add("conv_bn_relu", x, channels=choose(f"width{layer}", (4, 8)))
    return g.build(g.add("classifier", x))


@pytest.mark.parametrize(
    "state", [None, 7, np.random.RandomState(7), np.random.default_rng(7)], ids=["none", "int", "legacy", "generator"]
)
def test_samples_are_architectures_whatever_generator_tune_passes(state):
    space = raynas.spaces.cells()
    answers = raynas.tune.domain(space).sample(random_state=state)
    assert replay(space, json.loads(json.dumps(answers))).answers == answers


def test_the_same_seed_gives_the_same_sample_and_another_another():
    domain = raynas.tune.domain(raynas.spaces.chain())
    assert domain.sample(random_state=3) == domain.sample(random_state=3)
    assert domain.sample(random_state=3) != domain.sample(random_state=4)
    assert len({json.dumps(s) for s in domain.sample(size=20, random_state=1)}) > 10


def test_tunes_own_generator_resolves_it_beside_other_domains():
    spec = {"config": {"arch": raynas.tune.domain(tiny), "lr": tune.loguniform(1e-3, 1e-1)}}
    seen = []
    for seed in range(5):
        [(_, resolved)] = list(generate_variants(spec, random_state=seed))
        seen.append(resolved["config"]["arch"])
        assert raynas.model(tiny, seen[-1], input_shape=(1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert len({json.dumps(s) for s in seen}) > 1


def test_validity():
    domain = raynas.tune.domain(tiny)
    assert domain.is_valid({"depth": 1, "width0": 4})
    assert not domain.is_valid({"depth": 1, "width0": 5})
    assert not domain.is_valid({"depth": 1, "width0": 4, "width1": 4})
    assert not domain.is_valid(None)


def test_a_flat_space_is_a_plain_dict_of_tunes_domains():
    flat = raynas.tune.param_space(raynas.spaces.nasbench201())
    assert set(flat) == {"edge0to1", "edge0to2", "edge1to2", "edge0to3", "edge1to3", "edge2to3"}
    answers = {address: domain.sample(random_state=1) for address, domain in flat.items()}
    assert replay(raynas.spaces.nasbench201(), answers)


def test_a_conditional_space_is_refused_as_a_plain_dict():
    with pytest.raises(ConfigError, match=r"'tiny' is conditional \(question 'width1'"):
        raynas.tune.param_space(tiny)


def test_numbers_keep_their_ranges():
    def numbers(choose):
        choose.real("train/lr", 1e-4, 1e-1, log=True)
        choose.integer("train/batch_size", 16, 64)
        return tiny_graph()

    flat = raynas.tune.param_space(numbers)
    flat = flat["train"]
    assert all(1e-4 <= flat["lr"].sample() <= 1e-1 for _ in range(50))
    assert {flat["batch_size"].sample() for _ in range(1000)} >= {16, 64}
    assert all(16 <= flat["batch_size"].sample() <= 64 for _ in range(200))


def tiny_graph():
    g = GraphBuilder()
    return g.build(g.add("classifier", g.input()))


def test_optuna_picks_architectures_of_conditional_spaces():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0), direction="maximize")
    found = []

    def objective(trial):
        architecture = suggest(tiny, trial)
        found.append(architecture)
        assert replay(raynas.spaces.FunctionSpace(tiny), architecture.answers).key == architecture.key
        return float(sum(v for a, v in architecture.answers.items() if a.startswith("width")))

    study.optimize(objective, n_trials=25)
    assert study.best_params == {"depth": 2, "width0": 8, "width1": 8}


def test_what_is_no_space_is_refused():
    with pytest.raises(SpaceError, match="a space is an object with"):
        raynas.tune.domain(42)


def test_addresses_are_paths_in_a_plain_dict():
    space = raynas.spaces.cells(nodes=1, ops=("skip_connect",))
    tree = raynas.tune.param_space(space)
    assert set(tree) == {"normal", "reduce"}
    answers = {cell: {"node0": {q: d.sample() for q, d in tree[cell]["node0"].items()}} for cell in tree}
    assert raynas.model(space, answers, input_shape=(1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_optuna_search_drives_a_conditional_space_in_a_tuner(tmp_path):
    space = raynas.spaces.chain()

    def trainable(config):
        raynas.model(space, config["arch"], input_shape=(1, 8, 8))
        tune.report({"score": len(config["arch"])})

    results = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(raynas.tune.define_by_run(space), metric="score", mode="max", seed=0),
            num_samples=3,
            metric="score",
            mode="max",
        ),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert not results.errors
    assert {r.metrics["score"] for r in results} != {0}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_optuna_search_drives_a_flat_space_with_paths_in_a_tuner(tmp_path):
    space = raynas.spaces.cells(nodes=1, width=4)

    def trainable(config):
        raynas.model(space, config["arch"], input_shape=(1, 8, 8))
        tune.report({"score": 1.0})

    results = tune.Tuner(
        trainable,
        param_space={"arch": raynas.tune.param_space(space)},
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric="score", mode="max", seed=0), num_samples=2, metric="score", mode="max"
        ),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert not results.errors


def test_an_architecture_domain_is_refused_by_optuna_search_and_not_silently():
    with pytest.raises(ValueError, match="does not support parameters of type `ArchitectureDomain`"):
        OptunaSearch.convert_search_space({"arch": raynas.tune.domain(tiny)})


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_optuna_search_drives_a_flat_space_in_a_tuner(tmp_path):
    space = raynas.spaces.nasbench201(width=4, repeats=1)

    def trainable(config):
        tune.report({"score": raynas.cost.cost(raynas.spaces.replay(space, config).graph, raynas.plan.Task()).params})

    results = tune.Tuner(
        trainable,
        param_space=raynas.tune.param_space(space),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric="score", mode="max", seed=0), num_samples=4, metric="score", mode="max"
        ),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert len(results) == 4
    assert not results.errors
    assert results.get_best_result().metrics["score"] > 0
