"""A person's own space: a function that asks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from raynas.errors import SpaceError
from raynas.graph import Graph
from raynas.records import Answers, Choose, Space
from raynas.spaces.asking import Answering, Part
from raynas.spaces.code import graph_of_code, is_code, weightless


@dataclass(frozen=True)
class FunctionSpace:
    """A person's own space: a function that asks, and returns a graph, a torch module or a list of modules."""

    function: Callable[[Choose], Any]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def decide(self, choose: Choose) -> Graph:
        """Calls the function; what is no graph is plain PyTorch code, which is not run yet."""
        asked = Part(choose, "")
        with weightless():
            made = self.function(asked)
        if isinstance(made, Graph):
            return made
        if not is_code(made):
            rule = f"{self.name!r} must return a Graph, a torch module or a list of modules"
            raise SpaceError("*", type(made).__name__, rule)
        answers = dict(asked.answers)
        return graph_of_code(self.name, answers, functools.partial(self._again, answers))

    def _again(self, answers: Answers) -> Any:
        return self.function(Answering(answers, None))


def as_space(space: Space | Callable[[Choose], Any]) -> Space:
    """The space itself, or the function wrapped as one.

    Raises:
        SpaceError: it is neither.
    """
    if hasattr(space, "decide") and hasattr(space, "name"):  # quicker than isinstance of a protocol
        return cast(Space, space)
    if callable(space):
        return FunctionSpace(space)
    raise SpaceError("*", space, "a space is an object with `name` and `decide`, or a function that asks")
