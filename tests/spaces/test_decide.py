"""What can be done with any space, on spaces that ask everything there is to ask, and on hostile ones."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from enum import IntEnum
from random import Random

import numpy as np
import pytest
from function_spaces import countable, everything, flat, one
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas import spaces
from raynas.errors import ArchitectureError, RaynasError, SpaceError
from raynas.records import Integer, Options, Real
from raynas.spaces.asking import MAX_QUESTIONS, Answering
from raynas.spaces.decide import Edits, changed, complete, replay
from raynas.spaces.domains import contains, draw, redraw
from raynas.spaces.function import FunctionSpace, as_space
from raynas.testing.space import SpaceContract


class TestEverything(SpaceContract):
    def make(self):
        return everything

    def small(self):
        return countable


FLAT, ONE = as_space(flat), as_space(one)


class TestSpaces:
    def test_a_function_is_one(self):
        assert as_space(flat) == FunctionSpace(flat)
        assert FLAT.name == "flat"
        assert as_space(FLAT) is FLAT

    @pytest.mark.parametrize("thing", [3, "chain", None])
    def test_other_things_are_none(self, thing):
        with pytest.raises(SpaceError, match="a space is an object with `name` and `decide`, or a function"):
            as_space(thing)

    def test_count_is_bounded(self):
        assert spaces.count(FLAT) == 81
        assert spaces.count(FLAT, limit=81) == 81
        with pytest.raises(
            SpaceError, match="more than 80 architectures: give the space a `count` method, but got 'flat'"
        ):
            spaces.count(FLAT, limit=80)

    def test_real_numbers_cannot_be_enumerated(self):
        with pytest.raises(SpaceError, match="'train/lr': a real number has no finite list of answers"):
            next(spaces.enumerate_space(as_space(everything)))

    def test_enumeration_is_in_order(self):
        widths = [tuple(a.answers.values()) for a in spaces.enumerate_space(FLAT)]
        assert widths == list(itertools.product((1, 2, 3), repeat=4))

    def test_hyperparameters_are_part_of_the_identity_and_not_of_the_graph(self):
        space = as_space(everything)
        one = spaces.sample(space, Random(0))
        other = replay(space, {**one.answers, "train/lr": one.answers["train/lr"] / 2})
        assert one.key == other.key
        assert one.identity != other.identity
        assert set(one.hyperparameters) == {"lr", "batch", "nesterov", "schedule"}


class TestMoves:
    def test_mutation_is_uniform_over_questions_and_other_answers(self):
        parent = replay(FLAT, {f"width{i}": 2 for i in range(4)})
        rng = Random(0)
        seen = Counter(
            next((a, v) for a, v in spaces.mutate(FLAT, parent, rng).answers.items() if v != 2) for _ in range(4000)
        )
        assert set(seen) == {(f"width{i}", v) for i in range(4) for v in (1, 3)}
        assert min(seen.values()) > 400

    def test_what_cannot_change_is_refused(self):
        parent = spaces.sample(ONE, Random(0))
        with pytest.raises(SpaceError, match="mutation needs a question with at least two options"):
            spaces.mutate(ONE, parent, Random(0))
        assert list(spaces.neighbours(ONE, parent, Random(0))) == []
        assert Edits(parent).draw(Random(0)) is None

    def test_edits_draw_each_single_change_once(self):
        parent = spaces.sample(FLAT, Random(0))
        edits, rng = Edits(parent), Random(1)
        drawn = list(iter(lambda: edits.draw(rng), None))
        assert len(drawn) == 8
        assert len({tuple(answers.items()) for answers in drawn}) == 8
        assert all(sum(parent.answers[a] != v for a, v in answers.items()) == 1 for answers in drawn)

    def test_edits_of_numbers_never_run_out(self):
        parent = spaces.sample(as_space(everything), Random(0))
        edits, rng = Edits(parent), Random(1)
        assert all(edits.draw(rng) is not None for _ in range(200))

    @given(st.integers(0, 2**32), st.integers(1, 6))
    @settings(max_examples=50, deadline=None, derandomize=True)
    def test_several_changes_are_at_different_questions(self, seed, changes):
        parent = spaces.sample(FLAT, Random(seed))
        answers = changed(parent, Random(seed), changes)
        assert sum(parent.answers[a] != v for a, v in answers.items()) == min(changes, 4)

    def test_mutation_reaches_every_question_and_asks_what_became_reachable(self):
        space, rng = as_space(countable), Random(0)

        def reached(answers):
            parent = replay(space, answers)
            return {tuple(spaces.mutate(space, parent, rng).answers.values()) for _ in range(100)}

        assert reached({"width": 3, "deep": False}) == {(4, False), (5, False), (3, True, 1), (3, True, 2)}
        assert reached({"width": 3, "deep": True, "second": 1}) == {
            (4, True, 1),
            (5, True, 1),
            (3, False),
            (3, True, 2),
        }

    def test_what_a_change_makes_unreachable_is_dropped_and_what_it_opens_is_drawn(self):
        space = as_space(countable)
        deep = replay(space, {"width": 3, "deep": True, "second": 2})
        assert complete(space, {**deep.answers, "deep": False}, Random(0)).answers == {"width": 3, "deep": False}
        opened = {complete(space, {"width": 3, "deep": True}, Random(seed)).answers["second"] for seed in range(20)}
        assert opened == {1, 2}

    def test_neighbours_of_numbers_step_a_tenth_of_the_range_and_reach_its_ends(self):
        def numbers(choose):
            choose.real("a", 0.0, 1.0)
            choose.real("b", 0.01, 1.0, log=True)
            choose.integer("c", 0, 100)
            choose.integer("d", 1, 3, log=True)
            return flat(lambda address, options: 1)

        space = as_space(numbers)
        centre = replay(space, {"a": 0.95, "b": 0.1, "c": 4, "d": 2})
        found = [
            (a, v)
            for n in spaces.neighbours(space, centre, Random(0))
            for a, v in n.answers.items()
            if v != centre.answers[a]
        ]
        assert [a for a, _ in found] == ["a", "a", "b", "b", "c", "c", "d", "d"]
        assert [v for _, v in found] == pytest.approx([0.85, 1.0, 0.1 / 100**0.1, 0.1 * 100**0.1, 0, 14, 1, 3])


class TestDomains:
    @given(
        st.one_of(
            st.builds(Real, st.just(1e-8), st.floats(1e-7, 1e8), st.booleans()),
            st.builds(Integer, st.integers(1, 5), st.integers(6, 10**9), st.booleans()),
            st.just(Options((None, "a", 1, 2.5))),
        ),
        st.integers(0, 2**32),
    )
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_draws_are_inside_and_redraws_are_others(self, domain, seed):
        rng = Random(seed)
        value = draw(domain, rng)
        assert contains(domain, value)
        other = redraw(domain, value, rng)
        assert contains(domain, other)
        assert other != value

    def test_draws_are_uniform_and_log_draws_in_the_logarithm(self):
        rng = Random(0)
        assert np.mean([draw(Real(0.0, 1.0), rng) for _ in range(4000)]) == pytest.approx(0.5, abs=0.02)
        logs = [math.log10(draw(Real(1e-4, 1.0, True), rng)) for _ in range(4000)]
        assert np.mean(logs) == pytest.approx(-2, abs=0.07)
        assert set(Counter(draw(Integer(1, 3), rng) for _ in range(3000))) == {1, 2, 3}
        assert min(Counter(draw(Options(("x", "y", "z")), rng) for _ in range(3000)).values()) > 900
        rolled = Counter(draw(Integer(1, 4, True), rng) for _ in range(4000))
        assert rolled[1] > rolled[2] > rolled[4] > 300

    @pytest.mark.parametrize(
        ("domain", "value", "fits"),
        [
            (Options((1, 2)), True, False),
            (Options((1, 2)), 1.0, False),
            (Options((True, False)), 1, False),
            (Options((0.0, 1.0)), 0, False),
            (Options((0, 1)), 0, True),
            (Options(("1", 1)), "1", True),
            (Options((None, 1)), None, True),
            (Options((1, 2)), [1], False),
            (Integer(0, 5), True, False),
            (Integer(0, 5), 5, True),
            (Integer(0, 5), 2.0, False),
            (Real(0.0, 5.0), 5.0, True),
            (Real(0.0, 5.0), 2, False),
            (Real(0.0, 5.0), math.nan, False),
            (Real(0.0, 5.0), "2.0", False),
        ],
        ids=str,
    )
    def test_an_answer_has_the_type_of_its_option(self, domain, value, fits):
        assert contains(domain, value) == fits

    def test_equal_looking_options_of_other_types_are_not_confused(self):
        """To a dict, (1, 0), (True, False) and (1.0, 0.0) are one key."""
        for options in ((1, 0), (True, False), (1.0, 0.0), (1, 0)):
            choose = Answering({}, Random(0))
            answer = choose("question", options)
            assert type(answer) is type(options[0])
            assert choose.questions["question"] == options
            assert [type(o) for o in choose.questions["question"]] == [type(o) for o in options]


class Kernel(IntEnum):
    SMALL = 3


NO_SCALAR = "an option must be a JSON scalar"
NO_NUMBERS, NO_WHOLE_NUMBERS = "low and high must be finite numbers", "low and high must be whole numbers"


class TestHostileSpaces:
    @pytest.mark.parametrize(
        ("ask", "told"),
        [
            (lambda c: c("q", ()), "options must be a list with at least one entry, but got ()"),
            (lambda c: c("q", []), "options must be a list with at least one entry, but got []"),
            (lambda c: c("q", "abc"), "options must be a list with at least one entry, but got 'abc'"),
            (lambda c: c("q", 3), "options must be a list with at least one entry, but got 3"),
            (lambda c: c("q", None), "options must be a list with at least one entry, but got None"),
            (lambda c: c("q", {1, 2}), "options must be a list with at least one entry, but got {1, 2}"),
            (lambda c: c("q", ((1, 2), 3)), f"{NO_SCALAR} (text, number, true, false, null), but got (1, 2)"),
            (lambda c: c("q", ([1], 3)), f"{NO_SCALAR} (text, number, true, false, null), but got [1]"),
            (lambda c: c("q", (1, math.nan)), f"{NO_SCALAR} (text, number, true, false, null), but got nan"),
            (lambda c: c("q", (1, math.inf)), f"{NO_SCALAR} (text, number, true, false, null), but got inf"),
            (lambda c: c("q", (np.float64(1), 2)), f"{NO_SCALAR} (text, number, true, false, null), but got "),
            (lambda c: c("q", (Kernel.SMALL, 5)), f"{NO_SCALAR} (text, number, true, false, null), but got <Kernel"),
            (lambda c: c("q", (1, 1)), "options must be different from each other, but got (1, 1)"),
            (lambda c: c("q", (1, True)), "options must be different from each other, but got (1, True)"),
            (lambda c: c(7, (1, 2)), "an address must be a text, but got 7"),
            (lambda c: c.real("q", 2, 1), "low <= high must hold, but got (2, 1)"),
            (lambda c: c.real("q", 0, 1, log=True), "0 < low <= high must hold, but got (0, 1)"),
            (lambda c: c.integer("q", 0, 1, log=True), "0 < low <= high must hold, but got (0, 1)"),
            (lambda c: c.integer("q", -1, -2), "low <= high must hold, but got (-1, -2)"),
            (lambda c: c.real("q", math.nan, 1), f"{NO_NUMBERS}, but got (nan, 1)"),
            (lambda c: c.real("q", -math.inf, 1), f"{NO_NUMBERS}, but got (-inf, 1)"),
            (lambda c: c.real("q", -1e308, 1e308), f"{NO_NUMBERS}, but got (-1e+308, 1e+308)"),
            (lambda c: c.real("q", "a", 1), f"{NO_NUMBERS}, but got ('a', 1)"),
            (lambda c: c.real("q", None, 1), f"{NO_NUMBERS}, but got (None, 1)"),
            (lambda c: c.integer("q", 1.5, 3), f"{NO_WHOLE_NUMBERS}, but got (1.5, 3)"),
            (lambda c: c.integer("q", 1, math.inf), f"{NO_WHOLE_NUMBERS}, but got (1, inf)"),
            (lambda c: (c("q", (1, 2)), c("q", (1, 2, 3))), "asked before with other options (1, 2), but got (1"),
            (lambda c: (c("q", ("a", "b")), c("q", ("a", "c"))), "asked before with other options ('a', 'b')"),
            (lambda c: (c("q", (1, 2)), c("q", (1.0, 2.0))), "asked before with other options (1, 2), but got (1.0"),
            (lambda c: (c.real("q", 1, 2), c.integer("q", 1, 2)), "asked before with other options Real("),
        ],
    )  # fmt: skip
    def test_nonsense_is_refused_with_address_value_and_rule(self, ask, told):
        def space(choose):
            ask(choose)
            return flat(choose)

        with pytest.raises(SpaceError) as caught:
            spaces.sample(as_space(space), Random(0))
        assert told in str(caught.value)
        assert str(caught.value).startswith("question 'q': " if "address" not in told else "question 7: ")

    def test_asking_again_is_the_same_answer(self):
        def twice(choose):
            assert choose("width0", (1, 2, 3)) == choose("width0", [1, 2, 3])
            assert choose.real("lr", 0, 1) == choose.real("lr", 0.0, 1.0)
            return flat(choose)

        architecture = spaces.sample(as_space(twice), Random(0))
        assert len(architecture.answers) == 5

    @pytest.mark.parametrize("forever", [itertools.count(), itertools.repeat("again")], ids=["new", "the same"])
    @pytest.mark.parametrize("options", [("a", "b"), (1, 2)], ids=["texts", "numbers"])
    def test_one_that_never_ends_is_bounded(self, forever, options):
        def endless(choose):
            for i in forever:
                choose(f"q{i}", options)

        with pytest.raises(SpaceError, match=f"a space asks at most {MAX_QUESTIONS:,} questions, but got 10001"):
            spaces.sample(as_space(endless), Random(0))
        with pytest.raises(SpaceError):
            next(spaces.enumerate_space(as_space(endless)))
        with pytest.raises(SpaceError):
            replay(as_space(endless), {})

    def test_one_that_decides_no_graph_is_refused(self):
        def nothing(choose):
            choose("q", (1, 2))

        with pytest.raises(
            SpaceError, match="'nothing' must return a Graph, a torch module or a list of modules, but got 'NoneType'"
        ):
            spaces.sample(as_space(nothing), Random(0))


class TestHostileAnswers:
    @pytest.mark.parametrize(
        ("answers", "told"),
        [
            ({}, "question 'width': the answer is missing; it must be one of Integer(low=3, high=5, log=False)"),
            ({"width": 3}, "question 'deep': the answer is missing; it must be one of (False, True), but got None"),
            ({"width": 6, "deep": False}, "question 'width': the answer must be one of Integer(low=3, high=5"),
            ({"width": 3, "deep": 0}, "question 'deep': the answer must be one of (False, True), but got 0"),
            ({"width": 3, "deep": "no"}, "question 'deep': the answer must be one of (False, True), but got 'no'"),
            ({"width": 3, "deep": False, "second": 1}, "'second': space 'countable' never asks this, but got 1"),
            ({"width": [3], "deep": False}, "question 'width': the answer must be one of Integer"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_named(self, answers, told):
        with pytest.raises(ArchitectureError) as caught:
            replay(as_space(countable), answers)
        assert told in str(caught.value)

    def test_an_architecture_of_another_space_is_refused(self):
        data = spaces.sample(FLAT, Random(0)).to_json()
        with pytest.raises(
            ArchitectureError, match="'space': the architecture must belong to space 'one', but got 'flat'"
        ):
            spaces.from_json(ONE, data)
        with pytest.raises(ArchitectureError, match="'key': space 'flat' now decides '[0-9a-f]{32}', but got 'old'"):
            spaces.from_json(FLAT, {**data, "key": "old"})

    @pytest.mark.parametrize(
        "data", [{}, {"space": "flat"}, {"space": "flat", "answers": None}, {"space": "flat", "answers": [1]}]
    )
    def test_damaged_data_is_refused(self, data):
        with pytest.raises(RaynasError):
            spaces.from_json(FLAT, data)
