"""Vision transformers: patches of an image, then blocks of attention and feed-forward layers.

Chen et al. 2021, "AutoFormer: Searching Transformers for Visual Recognition", https://arxiv.org/abs/2107.00651, section
3.1 and table 1; the network is that of Dosovitskiy et al. 2021 (ViT), https://arxiv.org/abs/2010.11929. Asked are the
depth and the embedding's width, and of each block the number of heads and how much wider its feed-forward layer is. A
series is cut into patches too; a patch is no larger than the image. `autoformer()` has the papers' sizes, 1.1e9, 7.7e13
and 6.3e15 architectures; `vits()` holds the published transformers.

The default has 4,914 architectures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ConfigError
from raynas.graph import Graph, GraphBuilder
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_options, check_rate, check_whole, few, positive, whole

Block = tuple[int, float]  # heads, how many times wider the feed-forward layer is


@dataclass(frozen=True)
class Transformer:
    """The space. The defaults suit small images on a CPU.

    Attributes:
        patches: sides of a patch, in pixels.
        widths: channels of a token.
        depths: blocks.
        heads: of a block's attention.
        ratios: channels inside the feed-forward layer, over those of a token.
        head_width: channels of a head, which AutoFormer fixes (64 in the papers).
        class_token: the answer is read from a token of its own; else it is the mean over all tokens.
        dropout: of the branches.
        name: as on the command line.
    """

    patches: tuple[int, ...] = (2, 4)
    widths: tuple[int, ...] = (16, 24, 32)
    depths: tuple[int, ...] = (1, 2, 3)
    heads: tuple[int, ...] = (1, 2, 4)
    ratios: tuple[float, ...] = (1.0, 2.0, 4.0)
    head_width: int = 8
    class_token: bool = False
    dropout: float = 0.0
    name: str = "transformer"

    def __post_init__(self) -> None:
        check_types(self)
        for field in ("patches", "widths", "heads"):
            check_options(self, field, "whole numbers of at least 1", whole)
        check_options(self, "depths", f"whole numbers from 1 to {MOST:,}", few)
        check_options(self, "ratios", "positive numbers", positive)
        check_whole(self, "head_width")
        check_rate(self, "dropout")

    def decide(self, choose: Choose) -> Graph:
        """Asks for the patch, the width and the depth, then block by block."""
        patch, width = choose("patch", self.patches), choose("width", self.widths)
        blocks = tuple(
            (choose(f"block{i}/heads", self.heads), choose(f"block{i}/ratio", self.ratios))
            for i in range(choose("depth", self.depths))
        )
        return _graph(patch, width, blocks, self.head_width, self.class_token, self.dropout)

    def count(self) -> int:
        """Patches and widths, and per block heads and ratios, for each depth."""
        block = len(self.heads) * len(self.ratios)
        return len(self.patches) * len(self.widths) * sum(int(block**depth) for depth in self.depths)


def autoformer(size: str = "tiny") -> Transformer:
    """The three supernets of AutoFormer: "tiny", "small" and "base" (table 1), for images of 224 pixels.

    Raises:
        ConfigError: another size.
    """
    sizes = {
        "tiny": ((192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4.0)),
        "small": ((320, 384, 448), (12, 13, 14), (5, 6, 7), (3.0, 3.5, 4.0)),
        "base": ((528, 576, 624), (14, 15, 16), (8, 9, 10), (3.0, 3.5, 4.0)),
    }
    if size not in sizes:
        raise ConfigError(f"size must be one of {', '.join(sizes)}, but got {size!r}")
    widths, depths, heads, ratios = sizes[size]
    return Transformer((16,), widths, depths, heads, ratios, head_width=64, class_token=True, name="autoformer")


def vits() -> Transformer:
    """The space of ViT-B and ViT-L on patches of 16 or 32 pixels (table 1 of their paper), whose heads are 64 wide."""
    return Transformer((16, 32), (768, 1024), (12, 24), (12, 16), (4.0,), head_width=64, class_token=True, name="vits")


@lru_cache(maxsize=1024)
def _graph(
    patch: int, width: int, blocks: tuple[Block, ...], head_width: int, class_token: bool, dropout: float
) -> Graph:
    g = GraphBuilder()
    x = g.add("patches", g.input(), channels=width, size=patch)
    if class_token:
        x = g.add("class_token", x)
    x = g.add("positions", x, rate=dropout)
    for heads, ratio in blocks:
        x = g.add("sum", x, g.add("attention", x, heads=heads, width=head_width, rate=dropout))
        x = g.add("sum", x, g.add("feed_forward", x, hidden=max(1, math.floor(width * ratio)), rate=dropout))
    x = g.add("layer_norm", x)
    return g.build(g.add("classifier", g.add("take_token", x) if class_token else x))
