"""`search.json` of a run as it should not be: valid, or refused in one line; and no code that came with it is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from refusals import refusal
from test_generated_configurations import JSONS

import raynas
from raynas.cli.build import remake_search
from raynas.errors import ConfigError, StateError


def recorded(tmp_path: Path) -> dict:
    search = raynas.Search(strategy=raynas.RegularizedEvolution(), storage=str(tmp_path), name="run")
    return {"raynas": "0", "versions": {}, "names": {"space": "cells"}, "search": search.to_json()}


def paths(value: object, before: tuple = ()) -> list[tuple]:
    """The places in a JSON value, innermost last."""
    found = [before] if before else []
    if isinstance(value, dict):
        return [*found, *(p for key, inner in value.items() for p in paths(inner, (*before, key)))]
    if isinstance(value, list):
        return [*found, *(p for key, inner in enumerate(value) for p in paths(inner, (*before, key)))]
    return found


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def reread(folder: Path, text: str) -> None:
    (folder / "search.json").write_text(text, encoding="utf-8")
    refusal(lambda: remake_search(folder).check(), 2, 3)


GOOD = recorded(Path("nowhere"))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recorded") / "run"


@given(st.sampled_from(paths(GOOD)), JSONS)
@example(("search",), [[]])
@settings(max_examples=300)
def test_a_record_with_one_value_changed(run_folder, path, new):
    run_folder.mkdir(exist_ok=True)
    reread(run_folder, json.dumps(changed(GOOD, path, new)))


@given(st.integers(0, len(json.dumps(GOOD))), st.text(max_size=5), st.integers(0, 20))
@settings(max_examples=200)
def test_a_record_with_text_that_was_cut_or_put_in(run_folder, at, put, cut):
    run_folder.mkdir(exist_ok=True)
    text = json.dumps(GOOD)
    reread(run_folder, text[:at] + put + text[at + cut :])


@pytest.mark.parametrize(
    "path", [p for p in paths(GOOD) if p[0] in ("search", "names")], ids=lambda p: ".".join(map(str, p))
)
def test_a_record_that_lacks_something(run_folder, path):
    run_folder.mkdir(exist_ok=True)
    *before, last = path
    holder = GOOD
    for key in before:
        holder = holder[key]
    rest = [v for v in holder if v is not holder[last]] if isinstance(holder, list) else {
        k: v for k, v in holder.items() if k != last
    }  # fmt: skip
    reread(run_folder, json.dumps(changed(GOOD, tuple(before), rest)))


def test_a_good_record_is_read(run_folder):
    run_folder.mkdir(exist_ok=True)
    (run_folder / "search.json").write_text(json.dumps(GOOD))
    assert remake_search(run_folder).to_json()["strategy"] == GOOD["search"]["strategy"]


@pytest.mark.parametrize(
    "recipe", ["evil.py", "evil.py:search", "{run}/evil.py", "{run}/../run/evil.py:search", 5, "\0.py"]
)
def test_no_recipe_that_came_with_the_run_is_run(run_folder, recipe):
    run_folder.mkdir(exist_ok=True)
    (run_folder / "evil.py").write_text(f"open({str(run_folder / 'canary')!r}, 'w')\ndef search(): ...\n")
    recipe = recipe.format(run=run_folder) if isinstance(recipe, str) else recipe
    search = GOOD["search"] | {"recipe": recipe, "space": {"type": "function", "name": "mine"}}
    (run_folder / "search.json").write_text(json.dumps(GOOD | {"search": search}))
    with pytest.raises(StateError, match="only an absolute path outside"):
        remake_search(run_folder)
    assert not (run_folder / "canary").exists()


def test_a_recipe_of_ones_own_is_run_again(run_folder, tmp_path):
    run_folder.mkdir(exist_ok=True)
    (tmp_path / "mine.py").write_text("import raynas\ndef search(): return raynas.Search(space=raynas.spaces.mlp())\n")
    search = GOOD["search"] | {"recipe": str(tmp_path / "mine.py"), "space": {"type": "function", "name": "mine"}}
    (run_folder / "search.json").write_text(json.dumps(GOOD | {"search": search}))
    assert remake_search(run_folder).space == raynas.spaces.mlp()
    (run_folder / "search.json").write_text(json.dumps(GOOD | {"search": search | {"recipe": None}}))
    with pytest.raises(ConfigError, match="resume in Python"):
        remake_search(run_folder)
