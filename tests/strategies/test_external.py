"""Proposals from outside: a function that may be wrong, and what stands in for it; replay without asking it again."""

from __future__ import annotations

import json
from random import Random

import pytest
from driver import Driver, Recorder
from fakes import Fake

from raynas import Auto, Constraint, External, RandomSearch, RegularizedEvolution, catalog, spaces
from raynas.errors import ConfigError, Exhausted, PluginError, StateError
from raynas.loop import Loop
from raynas.plan import Task
from raynas.records import FAILED, RUNNING, STOPPED, Recalls
from raynas.spaces.decide import complete, enumerate_space, sample
from raynas.spaces.function import as_space
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, toy, tuned

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

    def test_settings_are_json(self):
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

    def test_settings_are_json(self):
        assert catalog.to_json(self.make())["fallback"]["population"] == 4


def test_settings_are_checked():
    for wrong in (None, "gpt", 3):
        with pytest.raises(ConfigError, match="propose must be a function"):
            External(wrong)
    for wrong in (RandomSearch, "random"):
        with pytest.raises(ConfigError, match="fallback must be a strategy or None"):
            External(guess, wrong)
    for wrong in (Auto(), External(guess)):
        with pytest.raises(ConfigError, match="fallback must be able to learn from trials of others"):
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
    ({address: ["none"] for address in cells(1)[0].answers}, "must be one of"),
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
    """Evolution mutates the best trial, although the function proposed it."""
    given = list({cell.key: cell for cell in cells(60)}.values())[:30]
    propose, _ = listed(*(dict(cell.answers) for cell in given), *[None] * 10)
    session = begin(propose, fallback=RegularizedEvolution(1, 1))
    for number in range(1, 31):
        session.tell(ended(number, session.ask()))
    replaced = [session.ask() for _ in range(10)]
    assert [proposal.parent for proposal in replaced[1:]] == [30] * 9  # the first was ready since the beginning
    assert session.proposer.replaced == 10


def test_nonsense_in_a_row_ends_the_search_by_name():
    good = dict(cells(1, seed=9)[0].answers)
    propose, _ = listed(*["?"] * 4, "?", good, *["?"] * 6)
    session = begin(propose, tries=2, patience=2)
    for _ in range(5):
        session.ask()
    assert session.proposals[2].architecture.answers == good  # from here it is counted anew
    with pytest.raises(PluginError, match=r"propose: proposed nothing of use 3 times in a row; the last: Archit.*JSON"):
        session.ask()
    assert session.proposer.nonsense == 11


def test_repeats_do_not_end_a_search():
    same = dict(cells(1)[0].answers)
    session = begin(lambda request: same, tries=1, patience=1)
    assert len({session.ask().architecture.identity for _ in range(30)}) == 30
    assert (session.proposer.repeats, session.proposer.replaced) == (29, 29)


def test_without_a_fallback_the_first_failure_ends_the_search():
    cell = dict(cells(1)[0].answers)
    propose, _ = listed(cell, "?", cell, RuntimeError("rate limit"))
    session = begin(propose, fallback=None)
    session.ask()
    with pytest.raises(PluginError, match="propose: proposed nothing of use in 3 tries; the last: RuntimeError: rate"):
        session.ask()


def test_what_breaks_a_constraint_is_told_back():
    """And what the fallback proposes that breaks it is replaced without asking the function again."""
    small, large = (dict.fromkeys(cells(1)[0].answers, op) for op in ("skip_connect", "nor_conv_3x3"))
    propose, requests = listed(large, small, large, None)
    loop = Loop(
        CELLS, External(propose), SCORE, 0, constraints=[Constraint("params_m", "<=", 0.3)], task=Task((3, 32, 32), 10)
    )
    assert loop.next().architecture.answers == small
    assert requests[1]["refused"][0]["answer"] == large
    assert "params_m<=0.3" in requests[1]["refused"][0]["reason"]
    assert requests[1]["history"] == []
    third = loop.next()
    assert third.id == 2
    assert loop.failure is None
    assert len(requests) == 4
    assert "proposed before" in requests[3]["refused"][0]["reason"]


def unsteady():
    """Like `guess`, but never the same again."""
    rng = Random()
    return lambda request: guess({**request, "seed": rng.random()}) if rng.random() < 0.7 else "?"


def search_of(propose, space=CELLS):
    return Loop(space, External(propose, RegularizedEvolution(5, 2), patience=10**9), SCORE, 3, trials=40)


@pytest.mark.parametrize("space", [CELLS, TOY, TUNED], ids=lambda space: space.name)
def test_a_run_is_resumed_without_asking_again(space):
    """The record is taken back, whatever the function would say now; unfinished trials go on."""
    recorder = Recorder()
    loop = search_of(unsteady(), space)
    loop.listeners = (recorder,)
    Driver(loop, Fake(), concurrency=4, rng=Random(1)).run(90)
    calls = []
    again = search_of(lambda request: calls.append(request), space)
    again.replay(recorder.events)
    assert calls == []
    assert again.trials == loop.trials
    Driver(again, Fake(), concurrency=4).run()
    assert len(calls) == 40 - len(loop.trials)
    assert len({trial.architecture.identity for trial in again.trials.values()}) == 40


def test_a_function_that_is_steady_gives_the_same_search_after_a_resume():
    def steady(request):
        return guess(request) if request["seed"] % 3 else "?"

    recorder = Recorder()
    loop = search_of(steady)
    loop.listeners = (recorder,)
    rng = Random(2)
    whole = Driver(loop, Fake(), concurrency=3, rng=rng)
    whole.run(60)
    again, state = search_of(steady), rng.getstate()
    again.replay(recorder.events)
    rng_again = Random()
    rng_again.setstate(state)
    rest = Driver(again, Fake(), concurrency=3, rng=rng_again)
    whole.run()
    rest.run()
    assert {t.architecture.identity for t in again.trials.values()} == {
        t.architecture.identity for t in loop.trials.values()
    }
    assert [t.parent for t in again.trials.values()] == [t.parent for t in loop.trials.values()]


def test_a_record_of_another_space_is_refused():
    recorder = Recorder()
    loop = search_of(guess)
    loop.listeners = (recorder,)
    loop.next()
    with pytest.raises(StateError, match="trial 1 was proposed with other answers"):
        search_of(guess, TUNED).replay(recorder.events)
    assert isinstance(loop.proposer, Recalls)


def test_a_function_may_spoil_what_it_was_told():
    def spoils(request):
        request["space"]["questions"].clear()
        request["history"].append(1)
        for entry in request["history"][:-1]:
            entry["answers"].clear()
        request["refused"].append(1)

    session = begin(spoils)
    for number in range(1, 11):
        session.tell(ended(number, session.ask(), (FAILED, STOPPED)[number % 2]))
    propose, requests = listed(None)
    session.proposer.settings = External(propose)
    session.ask()
    assert len(requests[0]["space"]["questions"]) == 6
    assert [len(entry["answers"]) for entry in requests[0]["history"]] == [6] * 10


@pytest.mark.parametrize("name", sorted(set(catalog.STRATEGIES) - {"auto", "file"}))
def test_any_strategy_can_be_the_fallback(name):
    loop = Loop(CELLS, External(unsteady(), catalog.STRATEGIES[name](), patience=10**9), SCORE, 0, trials=60)
    Driver(loop, Fake(), concurrency=3, rng=Random(0)).run()
    assert loop.failure is None
    assert len(loop.trials) == 60
