"""Plain PyTorch code as a space, and the page that tells people how to write their own."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

import raynas as rn
from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, GraphError, SpaceError
from raynas.estimators.winner import open_model
from raynas.graph import Graph
from raynas.memory import training_memory
from raynas.nn import build
from raynas.plan import Task, plan

PAGE = Path(__file__).parents[2] / "docs" / "spaces.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
TASK = Task((3, 8, 8), 10)


def convolutions(choose):
    """A list of modules with a joint hyperparameter."""
    choose.real("train/lr", 0.01, 0.1)
    width = choose("width", (4, 8))
    return [
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, choose("kernel", (1, 3)), padding="same"),
    ]


def lazy(choose):
    """Sizes that only an input tells, and logits of its own."""
    return nn.Sequential(nn.LazyConv2d(choose("width", (4, 8)), 3), nn.Flatten(), nn.LazyLinear(10))


def huge(choose):
    """Terabytes of weights."""
    width = 2 ** choose("exponent", (32, 33))
    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.Linear(width, 10))


def test_a_graph_with_one_step_of_code_and_a_classifier():
    architecture = spaces.sample(convolutions, 0)
    width = architecture.answers["width"]
    steps = plan(architecture.graph, TASK).steps
    assert [(s.op, s.shape) for s in steps] == [
        ("input", (3, 8, 8)), ("code", (width, 8, 8)), ("classifier", (10,))
    ]  # fmt: skip


def test_what_is_predicted_is_what_is_built():
    for space in (convolutions, lazy):
        for seed in range(4):
            architecture = spaces.sample(space, seed)
            network = build(architecture.graph, TASK)
            assert sum(p.numel() for p in network.parameters()) == cost(architecture.graph, TASK).params
            logits = network(torch.randn(5, 3, 8, 8))
            assert logits.shape == (5, 10)
            logits.sum().backward()
            assert all(p.grad is not None for p in network.parameters())


def test_multiply_adds_are_those_of_the_convolutions():
    architecture = spaces.replay(convolutions, {"train/lr": 0.05, "width": 4, "kernel": 3})
    assert cost(architecture.graph, TASK).flops == (3 * 4 * 9 + 4 * 4 * 9) * 64 + 4 * 10 + 10
    kept = 3 * 64 + 4 * 64 + 4 * 64  # inputs of both convolutions, and what the ReLU put out is the second one
    assert training_memory(plan(architecture.graph, TASK), 8) >= 4 * 8 * kept


def test_sampling_and_costing_allocate_no_weights():
    architecture = spaces.sample(huge, 0)
    assert cost(architecture.graph, TASK).params > 2**39
    assert len({spaces.mutate(huge, architecture, Random(0)).key, architecture.key}) == 2


def test_logits_of_its_own_get_no_second_classifier():
    network = plan(spaces.sample(lazy, 0).graph, TASK)
    assert [step.op for step in network.steps] == ["input", "code"]
    assert [step.op for step in plan(spaces.sample(lazy, 0).graph, Task((3, 8, 8), 7)).steps][-1] == "classifier"


def test_keys_are_of_the_function_and_the_answers_that_shape_it():
    answers = {"train/lr": 0.05, "width": 4, "kernel": 3}
    one = spaces.replay(convolutions, answers)
    assert spaces.replay(convolutions, {**answers, "train/lr": 0.06}).key == one.key
    assert spaces.replay(convolutions, {**answers, "kernel": 1}).key != one.key
    assert spaces.replay(convolutions, {**answers, "train/lr": 0.06}).identity != one.identity


def test_weights_are_drawn_anew_for_each_network():
    graph = spaces.sample(convolutions, 0).graph
    torch.manual_seed(0)
    first, second = build(graph, TASK), build(graph, TASK)
    torch.manual_seed(0)
    again = build(graph, TASK)
    weights = [next(network.parameters()) for network in (first, second, again)]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_a_file_holds_no_code(tmp_path):
    architecture = spaces.sample(convolutions, 0)
    assert spaces.from_json(convolutions, architecture.to_json()) == architecture
    graph = Graph.from_json(architecture.to_json()["graph"])
    assert graph.key == architecture.key
    with pytest.raises(GraphError, match="code of function convolutions: replay its answers there"):
        plan(graph, TASK)


def test_the_trained_winner_opens_with_its_function(tmp_path):
    recipe = rn.Train(rn.data.digits(), epochs=2)
    architecture = spaces.sample(lazy_digits, 0)
    shared = recipe.load()
    measured = list(recipe.estimate(architecture, rn.Context(1, 0, shared, folder=str(tmp_path / "trial"))))
    assert measured[-1].metrics["val_accuracy"] > 0.5
    recipe.deliver(architecture, str(tmp_path / "trial"), str(tmp_path / "best"))
    model = open_model(tmp_path / "best", lazy_digits)
    assert model(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 10)


def lazy_digits(choose):
    width = choose("width", (32,))
    return [nn.LazyConv2d(width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.LazyConv2d(32, 3), nn.ReLU(), nn.Flatten()]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "must return a Graph, a torch module or a list of modules, but got 'NoneType'"),
        ([], "must return a Graph, a torch module or a list of modules, but got 'list'"),
        ([nn.ReLU(), "relu"], "must return a Graph, a torch module or a list of modules, but got 'list'"),
        (3, "must return a Graph, a torch module or a list of modules, but got 'int'"),
    ],
)
def test_what_is_no_network_is_refused(made, told):
    def mine(choose):
        return made

    with pytest.raises(SpaceError, match=told):
        spaces.sample(mine, 0)


def test_code_that_does_not_fit_the_data_says_so():
    def narrow(choose):
        return nn.Conv2d(1, 4, 3)

    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    def pair(choose):
        return Pair()

    with pytest.raises(GraphError, match=r"code fails on an input of shape \(3, 8, 8\)"):
        cost(spaces.sample(narrow, 0).graph, TASK)
    with pytest.raises(GraphError, match=r"must answer a tensor .* but on a batch of 2 it answered tuple"):
        cost(spaces.sample(pair, 0).graph, TASK)
    with pytest.raises(ArchitectureError, match="the answer must be one of"):
        spaces.replay(lazy, {"width": 5})


class TestParts:
    def test_addresses_are_prefixed_and_hyperparameters_are_not(self):
        def part(choose):
            choose.real("train/lr", 0.1, 0.2)
            return choose.integer("n", 1, 3) + choose.at("deep")("width", (4, 8))

        def whole(choose):
            g = rn.GraphBuilder()
            x = g.input()
            for name in ("one", "two"):
                x = g.add("conv_bn_relu", x, channels=part(choose.at(name)))
            return g.build(g.add("classifier", x))

        architecture = spaces.sample(whole, 3)
        assert list(architecture.answers) == ["train/lr", "one/n", "one/deep/width", "two/n", "two/deep/width"]
        assert spaces.replay(whole, architecture.answers) == architecture

    def test_a_space_is_an_option_inside_another(self):
        def whole(choose):
            if choose("kind", ("chain", "cells")) == "chain":
                return spaces.chain(max_layers=2).decide(choose.at("chain"))
            return spaces.cells(nodes=1).decide(choose.at("cells"))

        kinds = {spaces.sample(whole, seed).answers["kind"] for seed in range(20)}
        assert kinds == {"chain", "cells"}
        for seed in range(20):
            child = spaces.mutate(whole, spaces.sample(whole, seed), Random(seed))
            assert all(a == "kind" or a.startswith(f"{child.answers['kind']}/") for a in child.answers)
            assert cost(child.graph, TASK).params > 0

    def test_an_address_must_be_a_text(self):
        with pytest.raises(SpaceError, match="an address must be a text"):
            spaces.sample(lambda choose: choose.at("part")(3, (1, 2)), 0)


def test_there_are_four_examples():
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_of_the_page_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "example"}
    exec(compile(BLOCKS[number], "docs/spaces.md", "exec", dont_inherit=True), names)
    shape = [(1, 8, 8), (13,), (3, 50), (3, 32, 32)][number]
    if "search" in names:
        search = names["search"]
        search.check()
        network = rn.model(search.space, spaces.sample(search.space, 0).answers, input_shape=shape)
    elif "network" in names:
        network = names["network"]
    else:
        network = rn.model(names["blocks"], names["best_of_three"].answers)
    logits = network(torch.randn(4, *shape))
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None for p in network.parameters())
