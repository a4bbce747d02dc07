"""What shows a search while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from raynas.loop import Loop
from raynas.records import Trial

if TYPE_CHECKING:
    from raynas.search import Search


class Display(Protocol):
    """What shows a search while it runs."""

    def start(self, search: Search, loop: Loop) -> None:
        """The search begins (or goes on: the loop knows the trials so far)."""

    def stage(self, text: str) -> None:
        """Something that takes a moment begins: starting Ray, loading data, testing the winner."""

    def warn(self, text: str) -> None:
        """A line that the person should see, to stay where it is."""

    def heard(self, event: str, trial: Trial) -> None:
        """A listener of the loop."""

    def tick(self) -> None:
        """Called several times a second while trials run."""

    def stop(self) -> None:
        """The search ends."""
