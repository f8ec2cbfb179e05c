"""DNANet: densely nested levels with channel and spatial attention."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import PUBLISHED_ATTENTION_BLOCK, attention_blocks, upsample

CHANNELS = (16, 32, 64, 128, 256)
DEPTH = len(CHANNELS) - 1


class DNANet(Detector):
    """Nest of nodes: (level, round) is at 1 / 2^level of the image's size; neighbours are joined round by round.

    Li, Xiao, Wang, Wang, Lin, Li, An and Guo, "Dense nested attention network for infrared small target detection",
    IEEE Transactions on Image Processing, 2023. A node reads all nodes before it on its level, the one of the round
    before on the level below, enlarged, and the one of its own round on the level above, made smaller. The last node of
    each level is mapped to 16 channels and the size of the image, and these are merged. The ResNet-18 variant: two
    attention blocks per node, one on level 0.

    With deep supervision (the paper's way) training returns four maps: the merged one, then those of nodes (0, 1),
    (0, 2) and (0, 3). The heads of the latter exist only then.
    """

    multiple = 2**DEPTH
    has_side_outputs = True
    ends = ("head", "side_heads")
    published_names = (
        (r"conv0_4_final\.", "merge."),
        (r"conv0_(\d)_1x1\.", r"narrow.\1."),
        (r"conv(\d)_(\d)\.", r"nodes.\1_\2."),
        (r"final([123])\.", lambda match: f"side_heads.{int(match[1]) - 1}."),
        (r"final4?\.", "head."),
        *PUBLISHED_ATTENTION_BLOCK,
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.nodes = nn.ModuleDict()
        for turn in range(DEPTH + 1):
            for level in range(DEPTH + 1 - turn):
                incoming = CHANNELS[level] * turn
                if turn == 0:
                    incoming = CHANNELS[level - 1] if level else in_channels
                else:
                    incoming += CHANNELS[level + 1] + (CHANNELS[level - 1] if level else 0)
                self.nodes[f"{level}_{turn}"] = attention_blocks(incoming, CHANNELS[level], 2 if level else 1)
        width = CHANNELS[0]
        self.merge = attention_blocks(width * (DEPTH + 1), width, 1)
        self.narrow = nn.ModuleDict({str(level): nn.Conv2d(CHANNELS[level], width, 1) for level in range(DEPTH, 0, -1)})
        n_side_heads = DEPTH - 1 if self.deep_supervision else 0
        self.side_heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in range(n_side_heads))
        self.head = nn.Conv2d(width, 1, 1)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`: merged, then of nodes (0, 1), (0, 2), (0, 3) in deeply supervised training."""
        rows: list[list[torch.Tensor]] = [[] for _ in CHANNELS]  # rows[level][turn]
        for last in range(DEPTH + 1):  # each round begins one level deeper and climbs to the image
            for level in range(last, -1, -1):
                turn = last - level
                if turn == 0:
                    seen = F.max_pool2d(rows[level - 1][0], 2) if level else image
                else:
                    parts = [*rows[level], upsample(rows[level + 1][turn - 1], 2)]
                    if level:
                        parts.append(upsample(rows[level - 1][turn], 0.5))
                    seen = torch.cat(parts, dim=1)
                rows[level].append(self.nodes[f"{level}_{turn}"](seen))
        brought = [upsample(self.narrow[str(level)](rows[level][-1]), 2**level) for level in range(DEPTH, 0, -1)]
        out = [self.head(self.merge(torch.cat([*brought, rows[0][-1]], dim=1)))]
        if self.training:
            out += [head(node) for head, node in zip(self.side_heads, rows[0][1:-1], strict=False)]
        return out
