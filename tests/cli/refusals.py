"""What tests of bad input share: everything is valid, or refused by an error that is one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raynas.cli.build import Choices, make_search
from raynas.errors import RaynasError


def refusal(act: Callable[[], Any], *codes: int) -> str:
    """The line that refuses, or nothing where nothing is wrong. Any other exception passes through.

    Args:
        act: what is tried.
        codes: exit codes that it may be refused with.
    """
    try:
        act()
    except RaynasError as error:
        refused = error
    else:
        return ""
    line = str(refused)
    assert refused.exit_code in codes, repr(refused)
    assert line.strip()
    assert len(line.splitlines()) == 1, line
    return line


def refused(choices: Choices) -> str:
    """The line that refuses options, before Ray starts; or nothing."""
    return refusal(lambda: make_search(choices).check(), 2)
