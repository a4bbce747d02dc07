"""What people read: tables, Markdown, pictures, files."""

from __future__ import annotations

import builtins
import json
import re

import pandas as pd
import pytest
from test_summary import BY_HAND, summary
from toys import STRATEGIES, Toy, comparison

from raynas.bench import play
from raynas.bench.files import check_folder, write_all, write_evaluations
from raynas.bench.report import markdown, sections, subject, verdict
from raynas.bench.summary import summarise
from raynas.errors import ConfigError

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def played():
    made, table = comparison(seeds=6), Toy()
    traces = [play(made, table, label, seed) for label, _ in STRATEGIES for seed in range(6)]
    return summarise(made, table, traces), traces


class TestTables:
    def test_how_good(self):
        good, fast, better = sections(summary())
        assert good.columns == (
            "strategy", "validation %", "95 % of the mean", "regret", "test %", "mean rank", "trials", "stopped",
            "failed",
        )  # fmt: skip
        assert good.rows[0] == (
            "evolution", "85.00 ± 5.00", "80.00-90.00", "15.000", "75.00 ± 5.00", "1.00", "2.5", "0", "0",
        )  # fmt: skip
        assert "The best architecture has 100.00 %" in good.note
        assert fast.columns == ("strategy", "at 2", "at 5", "at 10", "at 20", "reach the target", "half by")
        assert fast.rows[1] == ("random", "45.00", "45.00", "45.00", "65.00", "50 %", "18")
        assert "The target is 65.00 %, what random reaches at the end on average." in fast.note
        assert better.rows == [("evolution - random", "+20.000", "0.500", "1.00", "large", "no")]

    def test_without_the_best_there_is_no_regret(self):
        class Unknown(Toy):
            best = {}  # noqa: RUF012

        good = sections(summary(table=Unknown()))[0]
        assert "regret" not in good.columns
        assert len(good.rows[0]) == len(good.columns)

    def test_a_target_of_ones_own_and_never(self):
        fast = sections(summary(target=0.85))[1]
        assert fast.rows[1][-2:] == ("0 %", "never")
        assert fast.note.endswith("The target is 85.00 %.")

    def test_one_strategy(self):
        alone = summary(BY_HAND[:2], strategies=STRATEGIES[:1])
        assert len(sections(alone)) == 2
        assert verdict(alone) == "random reaches 65.00 %."

    def test_the_terminal_shows_pairs_with_the_best_alone(self, played):
        third = ("other", STRATEGIES[0][1])
        traces = [*played[1], *(play(comparison(strategies=(third,)), Toy(), "other", s) for s in range(10, 16))]
        for trace, seed in zip(traces[12:], range(6), strict=True):
            trace.seed = seed
        found = summarise(comparison(seeds=6, strategies=(*STRATEGIES, third)), Toy(), traces)
        assert len(sections(found)[2].rows) == 3
        assert len(sections(found, short=True)[2].rows) == 2
        assert "corrected for 3 comparisons" in sections(found, short=True)[2].note

    def test_verdicts(self, played):
        assert subject(summary()) == "toy: 20 full trainings a search, 2 seeds"
        assert verdict(summary()) == "evolution has the highest mean, but chance explains its lead over random."
        many = [*BY_HAND[:2] * 10, *BY_HAND[2:] * 10]
        assert re.fullmatch(
            r"evolution is better than random: \+20.00 points on random, p .e-06, A12 1.00.",
            verdict(summary(many, seeds=20)),
        )


class TestFiles:
    def test_everything_is_written(self, played, tmp_path):
        pictures = write_all(*played, tmp_path, "raynas bench mine.py --budget 20")
        assert pictures == ["curves.png", "targets.png", "ranks.png"]
        assert {p.name for p in tmp_path.iterdir()} == {
            "evaluations.parquet", "bench.json", "bench.md",
            *(f"{n}.{e}" for n in ("curves", "targets", "ranks") for e in ("png", "svg")),
        }  # fmt: skip
        for picture in pictures:
            data = (tmp_path / picture).read_bytes()
            assert data.startswith(PNG)
            assert len(data) > 10_000
            assert "<svg" in (tmp_path / picture).with_suffix(".svg").read_text()
        report = (tmp_path / "bench.md").read_text()
        assert "raynas bench mine.py --budget 20" in report
        for picture in pictures:
            assert f"]({picture})" in report
        figures = json.loads((tmp_path / "bench.json").read_text())
        assert figures["command"] == "raynas bench mine.py --budget 20"
        assert figures["versions"]["raynas"]

    def test_every_evaluation(self, played, tmp_path):
        _, traces = played
        write_evaluations(traces, tmp_path / "e.parquet")
        frame = pd.read_parquet(tmp_path / "e.parquet")
        assert list(frame.columns) == [
            "strategy", "seed", "order", "trial", "time_s", "spent", "budget", "score", "status", "reason", "key",
            "answers", "incumbent", "val_accuracy", "test_accuracy",
        ]  # fmt: skip
        assert len(frame) == 2 * 6 * 20
        one = frame[(frame.strategy == "evolution") & (frame.seed == 4)]
        assert one.order.tolist() == list(range(1, 21))
        assert (
            one.val_accuracy.tolist()
            == next(t for t in traces if t.strategy == "evolution" and t.seed == 4).val_accuracy
        )
        assert json.loads(one.answers.iloc[0]).keys() == {f"edge{a}to{b}" for a in range(3) for b in range(a + 1, 4)}

    def test_what_is_no_number_is_null(self, tmp_path):
        trace = play(comparison(), Toy(known=0.5), "random", 0)
        write_evaluations([trace], tmp_path / "e.parquet")
        frame = pd.read_parquet(tmp_path / "e.parquet")
        failed = frame[frame.status == "failed"]
        assert len(failed) > 0
        assert failed.score.isna().all()
        assert frame[frame.status == "finished"].score.notna().all()

    def test_equal_runs_write_equal_pictures(self, played, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            write_all(*played, tmp_path / folder, "x")
        for name in ("curves.svg", "ranks.svg", "targets.svg", "bench.md", "bench.json", "evaluations.parquet"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name

    def test_without_matplotlib_there_are_no_pictures(self, played, tmp_path, monkeypatch):
        real = builtins.__import__

        def missing(name, *args, **kwargs):
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", missing)
        assert write_all(*played, tmp_path, "x") == []
        assert {p.name for p in tmp_path.iterdir()} == {"evaluations.parquet", "bench.json", "bench.md"}
        assert "![" not in (tmp_path / "bench.md").read_text()

    @pytest.mark.parametrize(
        "changes", [{"strategies": STRATEGIES[:1]}, {"seeds": 1}, {"table": "unknown"}, {"target": 1.0}]
    )
    def test_pictures_of_odd_comparisons(self, changes, tmp_path):
        class Unknown(Toy):
            best = {}  # noqa: RUF012

        if changes.get("table"):
            changes = {"table": Unknown()}
        traces = [t for t in BY_HAND if t.seed < changes.get("seeds", 2)]
        if "strategies" in changes:
            traces = traces[:2]
        assert "curves.png" in write_all(summary(traces, **changes), traces, tmp_path, "x")

    def test_pictures_when_all_find_the_best(self, tmp_path):
        class Low(Toy):
            best = {"val_accuracy": 0.6}  # noqa: RUF012

        found = summary(BY_HAND[:2], table=Low(), strategies=STRATEGIES[:1])
        assert found.standings[0].mean > 0.6
        assert write_all(found, BY_HAND[:2], tmp_path, "x") == ["curves.png", "targets.png"]

    def test_the_folder(self, tmp_path):
        check_folder(tmp_path / "new" / "one")
        assert (tmp_path / "new" / "one").is_dir()
        check_folder(tmp_path / "new" / "one")
        with pytest.raises(ConfigError, match="is not empty: add --overwrite, or name another folder"):
            check_folder(tmp_path / "new")
        check_folder(tmp_path / "new", overwrite=True)
        (tmp_path / "file").touch()
        with pytest.raises(ConfigError, match="cannot be written: "):
            check_folder(tmp_path / "file")

    def test_markdown_tables_are_whole(self, played):
        lines = markdown(played[0], "x", ["curves.png"]).splitlines()
        tables = [line for line in lines if line.startswith("|")]
        blocks = re.split(r"\n\n", "\n".join(lines))
        for block in blocks:
            rows = [line for line in block.splitlines() if line.startswith("|")]
            assert len({row.count("|") for row in rows}) <= 1
        assert len(tables) > 10
