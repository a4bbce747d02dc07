"""What every search space must do. Inherit, and say how to make one.

class TestMySpace(SpaceContract):
    def make(self):
        return my_space

    def small(self):
        return my_small_space
"""

from __future__ import annotations

import atexit
import functools
import json
import pickle
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import IO, Any, cast

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import raynas
from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError
from raynas.graph import Graph
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.records import Architecture, Options, Space
from raynas.spaces.decide import AnySpace, replay
from raynas.spaces.domains import contains
from raynas.spaces.function import as_space
from raynas.testing.multiply_adds import multiply_adds
from raynas.testing.settings import untouched_randomness

TASKS = [Task((1, 8, 8), 10), Task((3, 32, 32), 10), Task((1, 28, 28), 100), Task((3, 7, 5), 2)]

SAMPLED = 20
"""So many seeds are drawn in another process."""

IDENTITIES = f"""
import json, pickle, sys
from random import Random
from raynas.spaces import sample
for line in sys.stdin:
    folder, space = json.loads(line)
    sys.path.insert(0, folder)
    try:
        space = pickle.loads(bytes.fromhex(space))
        told = [sample(space, Random(seed)).identity for seed in range({SAMPLED})]
    except Exception as error:
        told = repr(error)
    print(json.dumps(told), flush=True)
"""

seeded = given(st.integers(0, 2**32))
"""Each example is one seed of everything random."""


@functools.cache
def another_process() -> subprocess.Popen[str]:
    """A Python that hashes strings differently; told a folder and a space, a line each, it answers with identities."""
    surroundings = {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(Path(raynas.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", IDENTITIES], env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.communicate)
    return process


def examples(number: int) -> settings:
    """So many, the same in every run, however slow the machine."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.differing_executors],  # the tests are inherited
    )


def moved(parent: Architecture, child: Architecture) -> list[str]:
    """The questions of both that the child answers differently though it could have kept the answer."""
    return [
        address
        for address, answer in parent.answers.items()
        if address in child.answers and child.answers[address] != answer and contains(child.questions[address], answer)
    ]


class SpaceContract:
    """The suite; its methods are the promises."""

    tasks = TASKS
    """Shapes of data that its networks must fit."""

    built = 8
    """How many architectures are built and trained for a step."""

    def make(self) -> AnySpace:
        """The space, small enough that its networks train a step in milliseconds."""
        raise NotImplementedError

    def small(self) -> AnySpace:
        """A variant with at most some thousand architectures."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def one_thread(self) -> None:
        """More are slower for networks as small as these."""
        torch.set_num_threads(1)

    @property
    def space(self) -> Space:
        """The space, made anew."""
        return as_space(self.make())

    def draw(self, seed: int) -> Architecture:
        """An architecture."""
        return spaces.sample(self.space, Random(seed))

    @examples(20)
    @seeded
    def test_one_seed_is_one_architecture(self, seed: int) -> None:
        one, other = self.draw(seed), self.draw(seed)
        assert one == other
        assert (one.key, one.identity, hash(one)) == (other.key, other.identity, hash(other))

    @examples(20)
    @seeded
    def test_answers_decide_everything(self, seed: int) -> None:
        architecture = self.draw(seed)
        assert architecture.answers.keys() == architecture.questions.keys()
        assert all(contains(architecture.questions[a], v) for a, v in architecture.answers.items())
        again = replay(self.space, architecture.answers)
        assert again == architecture
        assert again.questions == architecture.questions

    @examples(20)
    @seeded
    def test_survives_json(self, seed: int) -> None:
        architecture = self.draw(seed)
        text = json.dumps(architecture.to_json(), allow_nan=False)
        again = spaces.from_json(self.space, json.loads(text))
        assert again == architecture
        assert {a: type(v) for a, v in again.answers.items()} == {a: type(v) for a, v in architecture.answers.items()}
        graph = Graph.from_json(json.loads(text)["graph"])
        assert graph == architecture.graph
        assert graph.key == architecture.key

    def test_answers_that_do_not_fit_are_refused(self) -> None:
        architecture = self.draw(0)
        first = next(iter(architecture.answers))
        for answers in ({}, {**architecture.answers, first: "nonsense"}):
            with pytest.raises(ArchitectureError, match=first):
                replay(self.space, answers)
        with pytest.raises(ArchitectureError, match=r"'unheard/of': space .* never asks this"):
            replay(self.space, {**architecture.answers, "unheard/of": 1})
        with pytest.raises(ArchitectureError, match="must belong to space"):
            spaces.from_json(self.space, {**architecture.to_json(), "space": "another"})

    @examples(40)
    @seeded
    def test_a_mutation_changes_one_answer(self, seed: int) -> None:
        rng = Random(seed)
        parent = self.draw(seed)
        child = spaces.mutate(self.space, parent, rng)
        (address,) = moved(parent, child)
        assert contains(parent.questions[address], child.answers[address])
        assert replay(self.space, child.answers) == child

    @examples(20)
    @seeded
    def test_several_changes_at_once(self, seed: int) -> None:
        parent = self.draw(seed)
        child = spaces.mutate(self.space, parent, Random(seed), changes=3)
        assert 1 <= len(moved(parent, child)) <= 3
        everything = spaces.mutate(self.space, parent, Random(seed), changes=10**6)
        asked = [a for a, d in parent.questions.items() if d == everything.questions.get(a)]
        assert all(
            parent.answers[a] != everything.answers[a] or (isinstance(d, Options) and len(d) == 1)
            for a in asked
            for d in [parent.questions[a]]
        )

    @examples(4)
    @seeded
    def test_neighbours_differ_in_one_answer(self, seed: int) -> None:
        centre = self.draw(seed)
        found = set()
        for neighbour in spaces.neighbours(self.space, centre, Random(seed)):
            (address,) = moved(centre, neighbour)
            found.add((address, neighbour.answers[address]))
        for address, domain in centre.questions.items():
            if isinstance(domain, Options):
                assert {v for a, v in found if a == address} == set(domain) - {centre.answers[address]}
            else:
                assert 1 <= len([v for a, v in found if a == address]) <= 2

    @examples(20)
    @seeded
    def test_a_crossover_stays_inside(self, seed: int) -> None:
        mother, father = self.draw(seed), self.draw(seed + 1)
        child = spaces.crossover(self.space, mother, father, Random(seed))
        assert replay(self.space, child.answers) == child
        for address, answer in child.answers.items():
            theirs = [p.answers[address] for p in (mother, father) if address in p.answers]
            fit = [v for v in theirs if contains(child.questions[address], v)]
            assert answer in fit or len(fit) < len(theirs) or not theirs
        assert spaces.crossover(self.space, mother, mother, Random(seed)) == mother

    @examples(10)
    @seeded
    def test_every_architecture_fits_every_task(self, seed: int) -> None:
        graph = self.draw(seed).graph
        graph.check()
        for task in self.tasks:
            steps = plan(graph, task).steps
            assert steps[0].shape == task.input_shape
            assert steps[-1].shape == (task.classes,)
            assert len({step.name for step in steps}) == len(steps)
            assert cost(graph, task).params > 0

    def test_networks_cost_what_was_predicted_and_learn(self) -> None:
        for seed in range(self.built):
            graph = self.draw(seed).graph
            task = self.tasks[seed % len(self.tasks)]
            network = build(graph, task)
            predicted = cost(graph, task)
            assert sum(p.numel() for p in network.parameters() if p.requires_grad) == predicted.params
            assert multiply_adds(network, task) == predicted.flops
            network.train()
            logits = network(torch.randn(2, *task.input_shape))
            assert logits.shape == (2, task.classes)
            loss: Any = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
            loss.backward()
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            assert gradients
            assert all(torch.isfinite(g).all() for g in gradients)

    def test_keys_are_the_same_in_another_process(self) -> None:
        """Whatever PYTHONHASHSEED is there. The space must be importable, as Ray's workers need it."""
        folder = str(Path(sys.modules[type(self).__module__].__file__ or "").parent)
        process = another_process()
        cast(IO[str], process.stdin).write(json.dumps([folder, pickle.dumps(self.space).hex()]) + "\n")
        cast(IO[str], process.stdin).flush()
        told = json.loads(cast(IO[str], process.stdout).readline())
        assert told == [self.draw(seed).identity for seed in range(SAMPLED)]

    def test_no_global_random_state_is_touched(self) -> None:
        with untouched_randomness():
            for seed in range(5):
                spaces.mutate(self.space, self.draw(seed), Random(seed))

    def test_counts_what_it_enumerates(self) -> None:
        small = as_space(self.small())
        everything = list(spaces.enumerate_space(small))
        assert spaces.count(small) == len(everything)
        assert len({tuple(a.answers.items()) for a in everything}) == len(everything)
        for architecture in Random(0).sample(everything, min(20, len(everything))):
            assert replay(small, architecture.answers) == architecture
