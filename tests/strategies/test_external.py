"""Proposals from outside: a function that may be wrong, and what stands in for it; replay without asking it again."""

from __future__ import annotations

import json
from random import Random

import pytest
from driver import Driver, Recorder
from fakes import Fake
from strategy_contract import SCORE, Session, StrategyContract, ended, toy, tuned

from raynas import Constraint, External, RandomSearch, RegularizedEvolution, catalog, spaces
from raynas.errors import ConfigError, Exhausted, PluginError, StateError
from raynas.loop import Loop
from raynas.plan import Task
from raynas.records import FAILED, RUNNING, STOPPED, Recalls
from raynas.spaces.decide import complete, enumerate_space, sample
from raynas.spaces.function import as_space

CELLS = spaces.NasBench201()
TOY = as_space(toy)
TUNED = as_space(tuned)


def guess(request):
    """Random answers to all questions that are always asked, drawn as a request tells them."""
    rng = Random(request["seed"])
    answers = {}
    for address, question in request["space"]["questions"].items():
        if "options" in question:
            answers[address] = rng.choice(question["options"])
        elif "integer" in question:
            answers[address] = rng.randint(*question["integer"])
        else:
            answers[address] = rng.uniform(*question["real"])
    if answers.get("layers") == 1:
        answers = {address: value for address, value in answers.items() if not address.startswith("layer1")}
    return answers


def listed(*answers):
    """A function that answers with these, one after the other, and the requests that it got."""
    left, requests = list(answers), []

    def propose(request):
        requests.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return propose, requests


def cells(count, seed=0):
    rng = Random(seed)
    return [sample(CELLS, rng) for _ in range(count)]


def begin(propose, space=CELLS, **settings):
    return Session(External(propose, **settings).begin(space, SCORE, 0))


class TestExternal(StrategyContract):
    def make(self):
        return External(guess)

    def test_is_a_frozen_value_of_json_settings(self):
        told = catalog.to_json(self.make())
        assert told["propose"] == {"type": "function", "name": "guess"}
        assert told["fallback"] == {"type": "RandomSearch"}
        with pytest.raises(ConfigError, match="resume in Python"):
            catalog.from_json(told)


class TestExternalWithEvolution(StrategyContract):
    """A function that answers every other request with nonsense."""

    def make(self):
        return External(
            lambda request: guess(request) if len(request["history"]) % 2 else "no idea",
            fallback=RegularizedEvolution(4, 2),
            patience=10**9,
        )

    def test_is_a_frozen_value_of_json_settings(self):
        assert catalog.to_json(self.make())["fallback"]["population"] == 4


def test_settings_are_checked():
    for wrong in (None, "gpt", 3):
        with pytest.raises(ConfigError, match="propose must be a function"):
            External(wrong)
    for wrong in (RandomSearch, "random"):
        with pytest.raises(ConfigError, match="fallback must be a strategy or None"):
            External(guess, wrong)
    for name in ("tries", "patience"):
        with pytest.raises(ConfigError, match=f"{name} must be a whole number of at least 1"):
            External(guess, **{name: 0})


def test_a_request_is_plain_and_tells_the_space_and_the_history():
    first, second, third = ({"width": width, "train/lr": 0.01, "train/batch_size": 32} for width in (4, 8, 4))
    third["train/lr"] = 0.02
    propose, requests = listed(first, {"answers": second}, {"answers": third, "parent": 1})
    session = begin(propose, TUNED)
    session.tell(ended(1, session.ask(), score=0.25))
    session.ask()
    assert session.ask().parent == 1
    assert json.loads(json.dumps(requests)) == requests
    assert requests[0]["space"]["name"] == "tuned"
    assert requests[0]["space"]["questions"] == {
        "train/lr": {"real": [1e-3, 1e-1], "log": True, "always": True},
        "train/batch_size": {"integer": [16, 64], "log": False, "always": True},
        "width": {"options": [4, 8], "always": True},
    }
    complete(TUNED, requests[0]["space"]["example"], None)  # an architecture: nothing is left to draw
    assert requests[0]["objectives"] == ["val_accuracy:max"]
    assert requests[0]["history"] == requests[0]["refused"] == []
    done, running = requests[2]["history"]
    assert done == {
        "answers": first, "parent": None, "trial": 1, "status": "finished", "reason": "", "score": 0.25, "epochs": 3,
        "metrics": {"val_accuracy": 0.25},
    }  # fmt: skip
    assert (running["answers"], running["trial"], running["status"], running["score"]) == (second, None, RUNNING, None)
    assert len({request["seed"] for request in requests}) == 3


def test_a_question_that_depends_on_answers_is_told_so():
    propose, requests = listed(None)
    begin(propose, TOY).ask()
    asked = requests[0]["space"]["questions"]
    assert asked["layers"] == {"integer": [1, 2], "log": False, "always": True}
    assert asked["layer0/branch1"] == {"options": [1, 3, 5], "always": True}
    assert asked["layer1/branch1"] == {"options": [1, 3, 5], "always": False}


@pytest.mark.parametrize(
    "told",
    [
        lambda cell: dict(cell.answers),
        lambda cell: {"answers": dict(cell.answers)},
        lambda cell: cell.to_json(),
        lambda cell: cell,
        lambda cell: json.dumps(cell.to_json()),
        lambda cell: f"Here it is:\n```json\n{json.dumps(dict(cell.answers))}\n```\nIt has more convolutions.",
    ],
)
def test_answers_are_read_however_they_come(told):
    (cell,) = cells(1)
    proposal = begin(lambda request: told(cell)).ask()
    assert proposal.architecture == cell
    assert proposal.parent is None


def test_answers_may_be_nested_and_whole_numbers_may_be_real():
    answers = {"width": 8, "train": {"lr": 1, "batch_size": 16}}
    with pytest.raises(PluginError, match="lr"):
        begin(lambda request: answers, TUNED, fallback=None).ask()  # out of range, but no wrong type
    answers["train"]["lr"] = 0.1
    assert begin(lambda request: answers, TUNED).ask().architecture.hyperparameters == {"lr": 0.1, "batch_size": 16}

    def whole(choose):
        choose.real("train/decay", 0, 2)
        return CELLS.decide(choose)

    proposal = begin(lambda request: {**cells(1)[0].answers, "train/decay": 1}, as_space(whole)).ask()
    assert proposal.architecture.hyperparameters == {"decay": 1.0}


NONSENSE = [
    ({}, "missing"),
    ({**cells(1)[0].answers, "edge9": "none"}, "never asks"),
    (dict.fromkeys(cells(1)[0].answers, "conv9x9"), "must be one of"),
    (dict.fromkeys(cells(1)[0].answers, ["none"]), "must be one of"),
    ({1: 2}, "missing"),
    ({"space": "darts", "answers": dict(cells(1)[0].answers)}, "must belong to space 'nasbench201'"),
    ({"answers": dict(cells(1)[0].answers), "parent": 7}, "must be the number of a trial"),
    ({"answers": dict(cells(1)[0].answers), "parent": [7]}, "must be the number of a trial"),
    ("I cannot do that.", "must hold a JSON object"),
    ("{not JSON}", "must hold a JSON object"),
    ([1, 2], "must be an object"),
    (3.5, "must be an object"),
    (RuntimeError("rate limit"), "RuntimeError: rate limit"),
]


@pytest.mark.parametrize(("answer", "reason"), NONSENSE)
def test_nonsense_is_told_back_once_counted_and_replaced(answer, reason):
    (cell,) = cells(1, seed=1)
    propose, requests = listed(answer, dict(cell.answers), answer, answer, answer)
    session = begin(propose)
    assert session.ask().architecture == cell  # at the second try
    assert reason in requests[1]["refused"][0]["reason"]
    assert len(requests[1]["refused"]) == 1
    replaced = session.ask().architecture
    assert replaced != cell
    assert [len(request["refused"]) for request in requests] == [0, 1, 0, 1, 2]
    assert [entry["answers"] for entry in requests[4]["history"]] == [dict(cell.answers)]
    assert (session.proposer.nonsense, session.proposer.repeats, session.proposer.replaced) == (4, 0, 1)


def test_repeats_are_refused_under_other_answers_too():
    pair = {}
    for cell in enumerate_space(CELLS):
        twin = pair.setdefault(cell.key, cell)
        if twin is not cell:
            break
    propose, requests = listed(dict(twin.answers), dict(twin.answers), dict(cell.answers), dict(cell.answers))
    session = begin(propose)
    first, second = session.ask(), session.ask()
    assert first.architecture == twin
    assert second.architecture.key != twin.key
    assert requests[3]["refused"] == [
        {"answer": dict(answered.answers), "reason": "this network was proposed before"} for answered in (twin, cell)
    ]
    assert (session.proposer.nonsense, session.proposer.repeats, session.proposer.replaced) == (0, 3, 1)


def test_none_leaves_one_proposal_to_the_fallback():
    (cell,) = cells(1)
    propose, requests = listed(None, dict(cell.answers))
    session = begin(propose)
    assert session.ask().architecture != cell
    assert session.ask().architecture == cell
    assert len(requests) == 2
    with pytest.raises(Exhausted):
        begin(lambda request: None, fallback=None).ask()


def test_the_fallback_hears_of_all_trials():
    session = begin(lambda request: None, fallback=RegularizedEvolution(1, 1))
    session.tell(ended(1, session.ask()))
    assert session.ask().parent is None  # begun anew, its first is random


def test_nonsense_in_a_row_ends_the_search_by_name():
    calls = []

    def wild(request):
        calls.append(request)
        return guess({**request, "seed": 5}) if len(calls) == 8 else "?"

    session = begin(wild, tries=2, patience=3)
    for _ in range(2):
        session.ask()
    session.ask()  # calls 5 and 6
    assert len(calls) == 6
