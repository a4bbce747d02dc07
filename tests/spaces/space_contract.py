"""What every space must hold: a test class inherits it and says how its space is made."""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raynas.cost import cost
from raynas.errors import ArchitectureError, SpaceError
from raynas.graph import Graph
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.records import Options
from raynas.spaces.decide import (
    count,
    crossover,
    enumerate_space,
    from_json,
    mutate,
    neighbours,
    replay,
    sample,
)

TASKS = (Task((1, 8, 8), 10), Task((3, 32, 32), 100), Task((1, 28, 28), 10), Task((3, 7, 5), 2))
SEEDS = st.integers(0, 2**32)
# Every space inherits these tests: different executors are what a contract is for.
FEW = settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.differing_executors])


class SpaceContract:
    """Inherit it and give `make`, `small` (enumerable in a moment) and `code` (makes the space in a new process)."""

    code: str

    def make(self):
        raise NotImplementedError

    def small(self):
        raise NotImplementedError

    @FEW
    @given(seed=SEEDS)
    def test_answers_make_the_architecture_again(self, seed):
        space = self.make()
        architecture = sample(space, Random(seed))
        again = replay(space, architecture.answers)
        assert again == architecture
        assert again.questions == architecture.questions

    @FEW
    @given(seed=SEEDS)
    def test_json_and_back(self, seed):
        space = self.make()
        architecture = sample(space, Random(seed))
        told = json.loads(json.dumps(architecture.to_json(), allow_nan=False))
        assert from_json(space, told) == architecture
        assert Graph.from_json(told["graph"]) == architecture.graph
        assert Graph.from_json(told["graph"]).key == architecture.key == told["key"]

    @FEW
    @given(seed=SEEDS)
    def test_a_mutation_changes_one_answer_and_keeps_the_others(self, seed):
        space, rng = self.make(), Random(seed)
        parent = sample(space, rng)
        child = mutate(space, parent, rng)
        assert replay(space, child.answers) == child
        both = parent.answers.keys() & child.answers.keys()
        changed = [a for a in both if parent.answers[a] != child.answers[a]]
        # A kept answer may be asked again with other options, once a question before it was answered differently.
        assert len([a for a in changed if parent.questions[a] == child.questions[a]]) <= 1
        assert changed or parent.answers.keys() != child.answers.keys()

    @FEW
    @given(seed=SEEDS)
    def test_crossover_takes_every_answer_from_a_parent_where_it_can(self, seed):
        space, rng = self.make(), Random(seed)
        mother, father = sample(space, rng), sample(space, rng)
        child = crossover(space, mother, father, rng)
        assert replay(space, child.answers) == child
        for address, value in child.answers.items():
            parents = [p for p in (mother, father) if p.questions.get(address) == child.questions[address]]
            if len(parents) == 2:
                assert value in (mother.answers[address], father.answers[address])

    def test_neighbours_differ_in_one_answer_and_are_all_there(self):
        space, rng = self.make(), Random(3)
        architecture = sample(space, rng)
        found = list(neighbours(space, architecture, rng))
        options = [d for d in architecture.questions.values() if isinstance(d, Options)]
        assert len(found) >= sum(len(d) - 1 for d in options)
        for neighbour in found:
            both = architecture.answers.keys() & neighbour.answers.keys()
            changed = [a for a in both if architecture.answers[a] != neighbour.answers[a]]
            assert len([a for a in changed if architecture.questions[a] == neighbour.questions[a]]) <= 1
            assert neighbour.answers != architecture.answers

    @pytest.mark.parametrize("task", TASKS, ids=lambda t: "x".join(map(str, t.input_shape)))
    def test_every_architecture_fits_every_task(self, task):
        space, rng = self.make(), Random(11)
        architecture = sample(space, rng)
        for _ in range(40):
            steps = plan(architecture.graph, task).steps
            assert steps[-1].shape == (task.classes,)
            assert cost(architecture.graph, task).params > 0
            architecture = mutate(space, sample(space, rng), rng, 5)

    def test_networks_have_the_parameters_and_flops_that_were_predicted_and_learn(self):
        space, rng = self.small_to_train(), Random(5)
        torch.set_num_threads(1)
        for task in TASKS:
            for _ in range(3):
                architecture = sample(space, rng)
                network = build(architecture.graph, task)
                predicted = cost(architecture.graph, task)
                assert sum(p.numel() for p in network.parameters()) == predicted.params
                assert hooked_flops(network, task) == predicted.flops
                logits = network.train()(torch.randn(4, *task.input_shape))
                assert logits.shape == (4, task.classes)
                logits.square().mean().backward()
                assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())

    def small_to_train(self):
        return self.small()

    def test_count_is_what_enumeration_finds(self):
        space = self.small()
        found = [tuple(a.answers.items()) for a in enumerate_space(space)]
        assert len(found) == len(set(found)) == count(space)

    def test_keys_are_the_same_in_every_process(self):
        code = (
            "from random import Random; import raynas as rn; from raynas.spaces import sample\n"
            f"rng = Random(8); print([sample(rn.spaces.{self.code}, rng).key for _ in range(10)])"
        )
        told = {
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
            ).stdout
            for seed in ("0", "1", "4242")
        }
        assert len(told) == 1

    def test_wrong_answers_are_refused(self):
        space = self.make()
        architecture = sample(space, Random(0))
        first = next(iter(architecture.answers))
        with pytest.raises(ArchitectureError, match=first):
            replay(space, {**architecture.answers, first: "nonsense"})
        with pytest.raises(ArchitectureError, match="is missing"):
            replay(space, {})
        with pytest.raises(ArchitectureError, match="never asks this"):
            replay(space, {**architecture.answers, "unheard/of": 1})
        with pytest.raises(SpaceError, match="must belong to space"):
            from_json(space, architecture.to_json() | {"space": "another"})


def hooked_flops(network, task):
    """Multiply-adds counted while the network runs, by the shapes that really occur."""
    total = 0

    def count_one(module, inputs, output):
        nonlocal total
        if isinstance(module, torch.nn.Conv2d):
            weights = module.weight.numel() + (0 if module.bias is None else module.bias.numel())
            total += weights * output.shape[2] * output.shape[3]
        elif isinstance(module, torch.nn.Linear):
            total += module.weight.numel() + module.bias.numel()

    hooks = [m.register_forward_hook(count_one) for m in network.modules()]
    network.eval()(torch.zeros(1, *task.input_shape))
    for hook in hooks:
        hook.remove()
    return total
