from __future__ import annotations

import json
from random import Random

import pytest

from raynas import FileSearch, Search, spaces
from raynas.cli.build import Choices, make_search
from raynas.errors import ConfigError, DataError, Exhausted
from raynas.spaces.decide import enumerate_space, sample
from raynas.spaces.function import as_space
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, toy, tuned

CELLS = spaces.NasBench201()


def written(folder, lines):
    path = folder / "listed.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return FileSearch(str(path))


def cells(count):
    rng = Random(0)
    return [sample(CELLS, rng) for _ in range(count)]


def begin(strategy, space=CELLS):
    return Session(strategy.begin(space, SCORE, 0))


class TestFileSearch(StrategyContract):
    """The file lists every architecture of the toy space, or many of that with hyperparameters."""

    @pytest.fixture(autouse=True)
    def files(self, tmp_path):
        self.folder = tmp_path
        listed = list(enumerate_space(as_space(toy)))
        Random(0).shuffle(listed)
        self.strategy = written(tmp_path, [architecture.to_json() for architecture in listed])

    def make(self):
        return self.strategy

    def list_tuned(self):
        rng = Random(0)
        self.strategy = written(self.folder, [dict(sample(as_space(tuned), rng).answers) for _ in range(120)])

    def test_same_seed_same_search(self, toy_space):
        """The seed changes nothing."""
        one, other = self.begin(toy_space, 3), self.begin(toy_space, 4)
        assert [one.step() for _ in range(30)] == [other.step() for _ in range(30)]

    def test_replay_gives_the_same_next_asks(self):
        self.list_tuned()
        super().test_replay_gives_the_same_next_asks()

    def test_searches_hyperparameters_jointly(self):
        self.list_tuned()
        super().test_searches_hyperparameters_jointly()


def test_proposes_what_is_listed_once_in_its_order(tmp_path):
    listed = list({cell.key: cell for cell in cells(10)}.values())[:4]
    one, two, three, four = listed
    strategy = written(
        tmp_path,
        [dict(one.answers), "", two.to_json(), "   ", dict(one.answers), {"answers": three.answers}, four.to_json()],
    )
    session = begin(strategy)
    for number in range(1, 5):
        session.tell(ended(number, session.ask()))
    assert [proposal.architecture for proposal in session.proposals] == listed
    for _ in range(2):
        with pytest.raises(Exhausted):
            session.ask()


def test_the_same_network_under_other_answers_is_passed_over(tmp_path):
    first = {}
    twins = next((first[c.key], c) for c in enumerate_space(CELLS) if first.setdefault(c.key, c) is not c)
    session = begin(written(tmp_path, [dict(cell.answers) for cell in twins]))
    assert session.ask().architecture == twins[0]
    with pytest.raises(Exhausted):
        session.ask()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nonsense", "line 3: .*must hold a JSON object"),
        ("[1, 2]", "line 3: .*must hold a JSON object"),
        ("{}", "line 3: .*is missing"),
        ('{"space": "darts", "answers": {"a": 1}}', "line 3: .*must belong to space 'nasbench201'"),
        (json.dumps(dict.fromkeys(cells(1)[0].answers, "conv9x9")), "line 3: .*must be one of"),
        (json.dumps({**cells(1)[0].answers, "more": 1}), "line 3: .*never asks this"),
    ],
)
def test_a_wrong_line_is_named_before_anything_runs(tmp_path, line, error):
    strategy = written(tmp_path, [dict(cells(1)[0].answers), "", line])
    for act in (lambda: strategy.begin(CELLS, SCORE, 0), Search(space=CELLS, strategy=strategy).check):
        with pytest.raises(DataError, match=error):
            act()


def test_a_file_must_be_there_and_hold_something(tmp_path):
    with pytest.raises(ConfigError, match=r"path must be that of a file of architectures: --set strategy.path=FILE"):
        FileSearch().begin(CELLS, SCORE, 0)
    with pytest.raises(DataError, match="cannot be read: .*No such file"):
        FileSearch(str(tmp_path / "gone")).begin(CELLS, SCORE, 0)
    with pytest.raises(DataError, match="cannot be read"):
        FileSearch(str(tmp_path)).begin(CELLS, SCORE, 0)
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="cannot be read: .*decode"):
        FileSearch(str(tmp_path / "binary")).begin(CELLS, SCORE, 0)
    with pytest.raises(DataError, match="holds no architecture"):
        begin(written(tmp_path, ["", "  "]))


def test_the_command_line_names_the_file(tmp_path):
    path = written(tmp_path, [dict(cells(1)[0].answers)]).path
    search = make_search(Choices(space="nasbench201", strategy="file", settings=(f"strategy.path={path}",)))
    assert search.strategy == FileSearch(path)
    search.check()
