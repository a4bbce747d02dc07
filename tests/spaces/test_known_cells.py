"""Published cell networks have their published parameters."""

from __future__ import annotations

from random import Random

import pytest
import torch

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.spaces import known

CIFAR10, IMAGENET = Task((3, 32, 32), 10), Task((3, 224, 224), 1000)

PARAMS = {
    "darts_v1": 3_169_414,
    "darts_v2": 3_349_342,
    "pc_darts": 3_634_678,
    "nasnet_a": 3_830_950,
    "amoebanet_a": 3_145_078,
}
"""On CIFAR-10, 20 cells, C = 36, without the auxiliary head, of the evaluation network of quark0/darts."""

SMALL = {
    "darts_v1": spaces.darts(layers=3, width=4),
    "darts_v2": spaces.darts(layers=3, width=4),
    "pc_darts": spaces.darts(layers=3, width=4),
    "pc_darts_imagenet": spaces.darts(layers=3, width=4, imagenet=True),
    "nasnet_a": spaces.nasnet(blocks=5, layers=3, width=4),
    "amoebanet_a": spaces.amoebanet(blocks=5, layers=3, width=4),
}


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_parameters_on_cifar10(name, params):
    assert cost(known(name).graph, CIFAR10).params == params


@pytest.mark.parametrize(("name", "params"), [("darts_v2", 4_718_752), ("pc_darts_imagenet", 5_342_464)])
def test_parameters_on_imagenet(name, params):
    """4.7 M and 5.3 M in the papers."""
    space = spaces.darts(layers=14, width=48, imagenet=True)
    assert cost(known(name, space).graph, IMAGENET).params == params


def test_pc_darts_for_imagenet_has_its_size_by_default():
    assert cost(known("pc_darts_imagenet").graph, IMAGENET).params == 5_342_464


@pytest.mark.parametrize(
    ("name", "normal", "reduce"),
    [("darts_v2", 4, 4), ("nasnet_a", 5, 3), ("amoebanet_a", 3, 3)],
)
def test_cells_concatenate_the_published_states(name, normal, reduce):
    """NASNet-A all five and 4, 5, 6; AmoebaNet-A 4, 5, 6 and 3, 4, 6: those that no block reads."""
    joined = [len(step.inputs) for step in plan(known(name).graph, CIFAR10).steps if step.op == "concat"]
    assert joined == ([normal] * 6 + [reduce] + [normal] * 6 + [reduce] + [normal] * 6)


@pytest.mark.parametrize(("name", "space"), SMALL.items())
def test_they_are_points_of_smaller_spaces_that_learn(name, space):
    architecture = known(name, space)
    assert architecture.answers == known(name).answers
    network = build(architecture.graph, Task((1, 8, 8), 10))
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_all_are_different_networks():
    keys = {known(name).key for name in SMALL}
    assert len(keys) == len(SMALL)


def test_a_neighbour_of_a_known_network_is_another_network():
    space = SMALL["amoebanet_a"]
    child = spaces.mutate(space, known("amoebanet_a", space), Random(0))
    assert child.key != known("amoebanet_a", space).key


def test_a_network_of_another_space_is_refused():
    with pytest.raises(ArchitectureError, match="the answer must be one of"):
        known("nasnet_a", spaces.nasnet(blocks=5, ops=("skip_connect",)))
