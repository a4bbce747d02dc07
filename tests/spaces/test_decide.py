"""The generic operations, on spaces that are functions."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from raynas.errors import ArchitectureError, SpaceError
from raynas.graph import GraphBuilder
from raynas.spaces.decide import (
    FunctionSpace,
    as_space,
    count,
    enumerate_space,
    from_json,
    mutate,
    neighbours,
    replay,
    sample,
)


def graph(channels=4):
    g = GraphBuilder()
    return g.build(g.add("classifier", g.add("conv_bn_relu", g.input(), channels=channels)))


def asking(*questions):
    """A space that asks (address, options) pairs."""

    def space(choose):
        for address, options in questions:
            choose(address, options)
        return graph()

    return as_space(space)


def numbers(choose):
    choose.real("train/lr", 1e-4, 1e-1, log=True)
    choose.real("x", -1, 1)
    return graph(choose.integer("width", 1, 5))


def conditional(choose):
    if choose("deep", (False, True)):
        choose("depth", (2, 3, 4))
    return graph()


def test_an_address_asked_again_gets_the_same_answer():
    def space(choose):
        assert choose("a", (1, 2, 3)) == choose("a", (1, 2, 3))
        return graph()

    assert list(sample(as_space(space), Random(0)).answers) == ["a"]


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (asking(("a", (1, 2)), ("a", (1, 3))), "'a': asked before with other options"),
        (asking(("empty", ())), "'empty': options must be a list with at least one entry"),
        (asking(("a", "text")), "options must be a list"),
        (asking(("a", ([1], [2]))), "an option must be a JSON scalar"),
        (asking(("a", (1, object()))), "an option must be a JSON scalar"),
        (asking(("a", (1, math.nan))), "an option must be a JSON scalar"),
        (asking(("a", (1, 1))), "options must be different"),
        (asking(("a", (1, True))), "options must be different"),
        (as_space(lambda choose: choose.real("r", 2, 1)), "'r': low <= high must hold, but got"),
        (as_space(lambda choose: choose.real("r", 0, 1, log=True)), "0 < low <= high must hold"),
        (as_space(lambda choose: choose.integer("n", 0, math.inf)), "'n'"),
        (as_space(lambda choose: choose("a", (1, 2))), "must decide a Graph"),
    ],
)
def test_questions_that_cannot_be_answered(space, says):
    with pytest.raises(SpaceError, match=says):
        sample(space, Random(0))


def test_a_space_that_never_ends_is_stopped():
    def endless(choose):
        layer = 0
        while choose(f"more{layer}", (True,)):
            layer += 1

    with pytest.raises(SpaceError, match="at most 10,000 questions"):
        sample(as_space(endless), Random(0))


def test_texts_numbers_and_truths_are_told_apart():
    for options in ((0, 1), (False, True), (0.0, 1.0), ("0", "1")):
        for seed in range(8):
            answer = sample(asking(("a", options)), Random(seed)).answers["a"]
            assert type(answer) is type(options[0])
    with pytest.raises(ArchitectureError):
        replay(asking(("a", (0, 1))), {"a": True})
    with pytest.raises(ArchitectureError):
        replay(asking(("a", (0, 1))), {"a": [0]})


def test_every_option_is_equally_likely():
    rng, space = Random(0), asking(("a", ("x", "y", "z")))
    counts = Counter(sample(space, rng).answers["a"] for _ in range(3000))
    assert all(900 < n < 1100 for n in counts.values())


def test_numbers_stay_in_their_range_and_logs_are_even():
    rng, space = Random(0), as_space(numbers)
    drawn = [sample(space, rng).answers for _ in range(2000)]
    assert all(1e-4 <= a["train/lr"] <= 1e-1 and -1 <= a["x"] <= 1 and 1 <= a["width"] <= 5 for a in drawn)
    assert 0.45 < sum(a["train/lr"] < math.sqrt(1e-5) for a in drawn) / 2000 < 0.55
    assert set(Counter(a["width"] for a in drawn)) == {1, 2, 3, 4, 5}
    with pytest.raises(ArchitectureError):
        replay(space, {"train/lr": 0.5, "x": 0.0, "width": 1})


def test_hyperparameters_are_part_of_the_identity_and_not_of_the_graph():
    space = as_space(numbers)
    one = replay(space, {"train/lr": 0.01, "x": 0.0, "width": 3})
    two = replay(space, {"train/lr": 0.02, "x": 0.0, "width": 3})
    assert one.key == two.key
    assert one.identity != two.identity
    assert one.hyperparameters == {"lr": 0.01}


def test_mutation_reaches_every_question_and_asks_what_became_reachable():
    space, rng = as_space(conditional), Random(0)
    flat = replay(space, {"deep": False})
    assert {tuple(mutate(space, flat, rng).answers.items()) for _ in range(60)} == {
        (("deep", True), ("depth", d)) for d in (2, 3, 4)
    }
    deep = replay(space, {"deep": True, "depth": 3})
    found = {tuple(mutate(space, deep, rng).answers.items()) for _ in range(60)}
    assert found == {(("deep", False),), (("deep", True), ("depth", 2)), (("deep", True), ("depth", 4))}


def test_what_has_one_answer_cannot_be_mutated():
    with pytest.raises(SpaceError, match="at least two options"):
        mutate(asking(("a", (1,))), sample(asking(("a", (1,))), Random(0)), Random(0))


def test_neighbours_of_numbers_step_up_and_down():
    space = as_space(numbers)
    middle = replay(space, {"train/lr": 0.01, "x": 0.0, "width": 3})
    found = [n.answers for n in neighbours(space, middle, Random(0))]
    assert sorted(a["width"] for a in found if a["width"] != 3) == [2, 4]
    assert sorted(round(a["x"], 9) for a in found if a["x"] != 0) == [-0.2, 0.2]
    assert len(found) == 6


def test_enumeration_and_count_of_conditional_spaces():
    space = as_space(conditional)
    assert [dict(a.answers) for a in enumerate_space(space)] == [
        {"deep": False}, {"deep": True, "depth": 2}, {"deep": True, "depth": 3}, {"deep": True, "depth": 4},
    ]  # fmt: skip
    assert count(space) == 4
    with pytest.raises(SpaceError, match="more than 3 architectures"):
        count(space, limit=3)
    with pytest.raises(SpaceError, match="a real number has no finite list"):
        count(as_space(numbers))


def test_answers_that_decide_another_graph_than_recorded_are_refused():
    space = asking(("a", (1, 2)))
    told = sample(space, Random(0)).to_json()
    with pytest.raises(ArchitectureError, match="now decides"):
        from_json(space, told | {"key": "0" * 32})


def test_what_is_a_space():
    assert isinstance(as_space(numbers), FunctionSpace)
    assert as_space(numbers).name == "numbers"
    with pytest.raises(SpaceError, match="a space is an object"):
        as_space("cells")
