"""The examples of docs/strategies.md search, and its table names every strategy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raynas.catalog import STRATEGIES
from raynas.testing.strategy import Session, StrategyContract, ended

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(block: str) -> dict:
    names: dict = {"__name__": "example"}
    exec(compile(block, "docs/strategies.md", "exec", dont_inherit=True), names)
    return names


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_strategy_is_told():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(STRATEGIES)


def test_proposals_from_outside():
    search = run(BLOCKS[0])["search"]
    search.check()
    session = Session(search.strategy.begin(search.space, search.objectives, 0))
    width = {}
    for number in range(1, 13):
        proposal = session.ask()
        widths = [value for address, value in proposal.architecture.answers.items() if address.endswith("width")]
        width[number] = sum(widths) / len(widths)
        session.tell(ended(number, proposal, score=width[number] / 1000))
        assert proposal.parent is None or width[number] > width[proposal.parent]
    assert any(proposal.parent for proposal in session.proposals)


class TestClimb(StrategyContract):
    def make(self):
        return run(BLOCKS[1])["Climb"]()

    def test_the_search_is_complete(self):
        run(BLOCKS[1])["search"].check()
