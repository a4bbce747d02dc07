"""Planted secrets are in no file of a run: variables of the environment, a recipe, what logs in to a URL."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from driver import Driver
from fakes import Fake

import raynas
from raynas import catalog
from raynas.data import Digits
from raynas.ledger import Ledger
from raynas.loop import Loop
from raynas.report.tensorboard import TensorBoardWriter
from raynas.run import Run

CANARIES = {name: f"canary-{name}-5f3a9c" for name in ("environment", "recipe", "data", "address", "storage")}


@dataclass(frozen=True)
class Remote(Digits):
    """A source of somebody's own, whose setting is a URL that logs in."""

    url: str = ""
    others: tuple[str, ...] = field(default=())


def test_no_secret_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", CANARIES["environment"])
    recipe = tmp_path / "mine.py"
    recipe.write_text(f"TOKEN = {CANARIES['recipe']!r}\nimport raynas\ndef search(): return raynas.Search()\n")
    data = Remote(url=f"s3://me:{CANARIES['data']}@bucket/x", others=(f"https://{CANARIES['data']}@host:1/?q=@",))
    search = raynas.Search(
        estimator=raynas.Train(data), strategy=raynas.RandomSearch(), trials=4, recipe=str(recipe),
        address=f"ray://me:{CANARIES['address']}@host:1", storage=f"s3://me:{CANARIES['storage']}@bucket/runs",
    )  # fmt: skip
    folder = tmp_path / "run"
    folder.mkdir()
    told = {"raynas": "0", "versions": {}, "names": {"space": "cells"}, "search": search.to_json()}
    (folder / "search.json").write_text(json.dumps(told))
    ledger, board = Ledger.write(folder), TensorBoardWriter(folder, "val_accuracy", maximise=True)
    loop = Loop(search.space, search.strategy, search.objectives, 0, trials=4, ledger=ledger, listeners=[board])
    Driver(loop, Fake()).run()
    board.close()
    ledger.close()
    Run(folder).to_parquet()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    content = b"".join(path.read_bytes() for path in files)
    assert [name for name, canary in CANARIES.items() if canary.encode() in content] == []
    assert b"s3://***@bucket/x" in content
    assert str(recipe).encode() in content


def test_only_what_logs_in_is_left_out():
    for text in ("a@b.c", "/home/me@work/data", "ray://host:1", "https://host/a@b", "s3://bucket", "10 // 3 @ 4"):
        assert catalog.to_json(text) == text
    assert catalog.to_json("a s3://u:p@b/c and https://t@d") == "a s3://***@b/c and https://***@d"
