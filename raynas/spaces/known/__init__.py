"""Known networks as points of the spaces: `known("darts_v2")`.

To begin a search with, to compare with, or to check a space by: built at the published size each has exactly the
published parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raynas.errors import unknown
from raynas.records import Answers, Architecture, Space
from raynas.spaces.decide import replay
from raynas.spaces.known import cells, torchvision

Point = tuple[Space, Answers]

KNOWN: Mapping[str, Callable[[], Point]] = {
    "amoebanet_a": cells.amoebanet_a,
    "darts_v1": cells.darts_v1,
    "darts_v2": cells.darts_v2,
    "googlenet": torchvision.googlenet,
    "mobilenet_v2": torchvision.mobilenet_v2,
    "mobilenet_v3_large": torchvision.mobilenet_v3_large,
    "mobilenet_v3_small": torchvision.mobilenet_v3_small,
    "nasnet_a": cells.nasnet_a,
    "pc_darts": cells.pc_darts,
    "pc_darts_imagenet": cells.pc_darts_imagenet,
    "resnet18": torchvision.resnet18,
    "resnet50": torchvision.resnet50,
    "vit_b_16": torchvision.vit_b_16,
}
"""Name -> the space at the published size, and the network's answers in it."""


def known(name: str, space: Space | None = None) -> Architecture:
    """A known network.

    Args:
        name: one of KNOWN.
        space: another size of its space; by default the published one.

    Raises:
        ConfigError: the name is unknown.
        ArchitectureError: the network is no point of `space`.
    """
    if name not in KNOWN:
        raise unknown("network", name, KNOWN)
    published, answers = KNOWN[name]()
    return replay(space or published, answers)
