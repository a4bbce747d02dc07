"""From answers to a network, for Ray programs that use raynas' samplers with a trainable of their own."""

from __future__ import annotations

from collections.abc import Callable

from raynas.graph import Graph
from raynas.nn import Network, build
from raynas.plan import Task
from raynas.records import Answers, Choose, Space
from raynas.spaces.decide import as_space, replay


def model(
    space: Space | Callable[[Choose], Graph],
    answers: Answers,
    *,
    input_shape: tuple[int, ...] = (3, 32, 32),
    classes: int = 10,
) -> Network:
    """The network that answers decide, with freshly drawn weights.

    Args:
        space: where the answers come from.
        answers: `config["arch"]` of a trial.
        input_shape: (channels, height, width).
        classes: how many logits it answers.

    Raises:
        ArchitectureError: the answers do not fit the space.
    """
    return build(replay(as_space(space), answers).graph, Task(input_shape, classes))
