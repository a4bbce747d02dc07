"""The example of docs/testing.md is a test file that passes; its table names every suite."""

from __future__ import annotations

import re
from pathlib import Path

import raynas.testing
from raynas.testing import estimator, scheduler, space, strategy, table

pytest_plugins = "pytester"

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
EXAMPLE, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_suite_is_told():
    suites = {
        f"{module.__name__}.{name}"
        for module in (estimator, scheduler, space, strategy, table)
        for name in vars(module)
        if name.endswith("Contract")
    }
    assert set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)) == suites
    assert len(suites) == 5
    assert all(name.rpartition(".")[2] in raynas.testing.__doc__ for name in suites)


def test_the_example_passes(pytester):
    ran = pytester.inline_run(pytester.makepyfile(test_mine=EXAMPLE), "-p", "no:cacheprovider")
    passed, skipped, failed = ran.listoutcomes()
    assert not failed
    assert len(passed) > 60
    assert [report.nodeid.rpartition("::")[2] for report in skipped] == ["test_an_architecture_that_fails_raises"]
    assert {name for report in passed for name in re.findall(r"::(Test\w+)::", report.nodeid)} == {
        "TestWidest", "TestMedian", "TestCompact"
    }  # fmt: skip
