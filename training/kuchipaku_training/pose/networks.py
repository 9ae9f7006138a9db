"""The starter networks: a face morpher and a head and body rotator, both U-Nets whose picture
half (encoder) reads the picture alone and whose pose half (decoder) is cheap.

The split lets a server run the encoder once per character, and lets training share one encoder
pass between several poses. Pictures are float32 NCHW, premultiplied RGBA, sRGB-encoded, 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_training.pose.layout import FACE_POSE_SIZE, HEAD_POSE_SIZE

Features = list[Tensor]

#: Masks begin as sigmoid(-2): hardly anything is painted.
_SHUT = 2.0


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of one network, from the finest level to the coarsest.

    `encoder_widths` and `decoder_widths` have one entry per level; `convolutions` tells how many
    3 x 3 convolutions the decoder runs at each level. `unshuffle` is the factor between the input
    and the finest level. A `refined` encoder brings what it sees at coarse levels back to the fine
    ones: a decoder then knows which fine line is hair and which is a lash. It costs once per
    character. `masks` tells how many masks the decoder draws beside the colours.
    """

    unshuffle: int
    encoder_widths: tuple[int, ...]
    decoder_widths: tuple[int, ...]
    convolutions: tuple[int, ...]
    pose_size: int
    pose_width: int = 96
    refined: bool = False
    masks: int = 1

    @property
    def outputs(self) -> int:
        """Maps that the decoder puts out: a flow, and masks and RGBA for each of 2 x 2 pixels."""
        return 2 + 4 * (self.masks + 4)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types."""
        return asdict(self)


FACE_CONFIG = NetworkConfig(
    unshuffle=2,
    encoder_widths=(32, 64, 96, 128),
    decoder_widths=(32, 48, 64, 96),
    convolutions=(1, 1, 2, 2),
    pose_size=FACE_POSE_SIZE,
    refined=True,
    masks=2,
)
ROTATOR_CONFIG = NetworkConfig(
    unshuffle=2,
    encoder_widths=(16, 48, 64, 96, 128),
    decoder_widths=(16, 32, 48, 64, 96),
    convolutions=(1, 2, 2, 2, 2),
    pose_size=HEAD_POSE_SIZE,
)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    """Residual block of two 3 x 3 convolutions (He et al., arXiv:1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Refinement(nn.Module):
    """Feature maps, fine to coarse -> the same, each told of the coarser ones.

    It begins as doing nothing.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, 2, bias=False) for fine, coarse in pairwise(widths)
        )
        self.blocks = nn.ModuleList(Residual(width) for width in widths)
        self.last = nn.ModuleList(nn.Conv2d(width, width, 1) for width in widths)
        for last in self.last:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, features: Features) -> Features:
        refined: Features = []
        above: Tensor | None = None
        for level in reversed(range(len(features))):
            x = features[level]
            if above is not None:
                x = x + self.up[level](above)
            above = self.blocks[level](x)
            refined.append(features[level] + self.last[level](above))
        return refined[::-1]


class Encoder(nn.Module):
    """Picture -> one feature map per level, already projected to the decoder's widths."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = config.encoder_widths
        self.unshuffle = config.unshuffle
        self.stem = _conv(4 * config.unshuffle**2, widths[0])
        self.down = nn.ModuleList(_conv(fine, coarse, 2) for fine, coarse in pairwise(widths))
        self.blocks = nn.ModuleList(Residual(width) for width in widths[1:])
        self.project = nn.ModuleList(
            nn.Conv2d(width, skip, 1)
            for width, skip in zip(widths, config.decoder_widths, strict=True)
        )
        self.refine = Refinement(config.decoder_widths) if config.refined else None

    def forward(self, picture: Tensor) -> Features:
        x = functional.pixel_unshuffle(picture * 2.0 - 1.0, self.unshuffle)
        # Convolutions are fastest channels last, everything on pictures channels first.
        x = functional.relu(self.stem(x.contiguous(memory_format=torch.channels_last)))
        features = [self.project[0](x)]
        for down, block, project in zip(self.down, self.blocks, self.project[1:], strict=True):
            x = block(functional.relu(down(x)))
            features.append(project(x))
        return features if self.refine is None else self.refine(features)


class PoseLayer(nn.Module):
    """3 x 3 convolution whose channels the pose scales and shifts (FiLM, arXiv:1709.07871)."""

    def __init__(self, width: int, pose_width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width)
        self.film = nn.Linear(pose_width, 2 * width)
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.film.weight, std=0.02)

    def forward(self, x: Tensor, pose: Tensor) -> Tensor:
        scale, shift = self.film(pose)[:, :, None, None].split(self.film.out_features // 2, 1)
        return functional.relu(self.conv(x) * (scale + 1.0) + shift)


class Decoder(nn.Module):
    """Feature maps and pose -> output maps at the finest level."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths, pose_width = config.decoder_widths, config.pose_width
        self.pose = nn.Sequential(
            nn.Linear(config.pose_size, pose_width),
            nn.ReLU(),
            nn.Linear(pose_width, pose_width),
            nn.ReLU(),
        )
        self.posed = nn.ModuleList(PoseLayer(width, pose_width) for width in widths)
        self.plain = nn.ModuleList(
            nn.ModuleList(_conv(width, width) for _ in range(count - 1))
            for width, count in zip(widths, config.convolutions, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, 2, bias=False) for fine, coarse in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], config.outputs, 3, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Features, pose: Tensor) -> Tensor:
        code = self.pose(pose)
        x = features[-1]
        for level in reversed(range(len(features))):
            if level < len(features) - 1:
                x = self.up[level](x) + features[level]
            y = self.posed[level](x, code)
            for conv in self.plain[level]:
                y = functional.relu(conv(y) + x)
            x = y
        return self.head(x)


def base_grid(size: int) -> Tensor:
    """Return the identity sampling grid (1, size, size, 2) of `align_corners=False`."""
    line = (torch.arange(size) + 0.5) * (2.0 / size) - 1.0
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([columns, rows], -1)[None]


def sample(picture: Tensor, grid: Tensor) -> Tensor:
    """Sample `picture` (n, c, H, W) bilinearly at `grid` (n, h, w, 2), transparent outside."""
    return functional.grid_sample(
        picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Sample `picture` (n, c, s, s) displaced by `flow` (n, 2, s, s), which counts half sides."""
    grid = base_grid(picture.shape[-1]).to(picture) + flow.permute(0, 2, 3, 1)
    return sample(picture, grid)


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Enlarge (n, c, h, w) bilinearly; onnxruntime is fast at it, and slow at bicubic."""
    return functional.interpolate(
        x, scale_factor=float(factor), mode="bilinear", align_corners=False
    )


class Eraser(nn.Module):
    """What lies behind eyes, brows and mouth of a face, hair that hangs over them included.

    It is found once per character; where lids close and brows move, it is what comes to sight.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = Residual(width)
        self.head = nn.Conv2d(width, 5 * 4, 3, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, feature: Tensor, crop: Tensor) -> Tensor:
        """Return `crop` (n, 4, s, s) without the features; `feature` is at half its size."""
        raw = self.head(self.block(feature)).float().contiguous()
        layers = functional.pixel_shuffle(raw, 2)
        mask, colour = torch.sigmoid(layers[:, :1] - _SHUT), torch.sigmoid(layers[:, 1:])
        return crop + (colour - crop) * mask


@dataclass
class Layers:
    """What a network predicts: `picture = behind * (1 - alpha) + alpha * colour`, where `behind` is
    `warped`, with the face `bare` where `erased` says that its features have gone."""

    picture: Tensor
    warped: Tensor
    behind: Tensor
    alpha: Tensor
    colour: Tensor
    bare: Tensor | None = None
    erased: Tensor | None = None


class _PosedNetwork(nn.Module):
    def __init__(self, config: NetworkConfig, flow_gain: float) -> None:
        super().__init__()
        self.config = config
        self.flow_gain = flow_gain
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def maps(self, features: Features, pose: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (n, 2, h, w) at the finest level; masks and colour, both (n, *, 2h, 2w)."""
        raw = self.decoder(features, pose).float().contiguous()
        flow = raw[:, :2] * self.flow_gain
        layers = functional.pixel_shuffle(raw[:, 2:], 2)
        masks = self.config.masks
        # The bias starts training from "keep the picture".
        return flow, torch.sigmoid(layers[:, :masks] - _SHUT), torch.sigmoid(layers[:, masks:])


class FaceNetwork(_PosedNetwork):
    """Morphs the face crop: moves parts by a flow field, lays the face bare where they have gone,
    and repaints what changes its look.

    The flow keeps moved irises crisp, the bare face the hair over closing lids; lids, brows and
    mouth are mostly repainted. Input: crop (n, 4, 192, 192) and pose[0:39] (n, 39).
    """

    def __init__(self, config: NetworkConfig = FACE_CONFIG) -> None:
        super().__init__(config, flow_gain=0.1)
        self.eraser = Eraser(config.decoder_widths[0])

    def forward(self, crop: Tensor, pose: Tensor) -> Layers:
        """Return the morphed crops; `pose` may hold several poses per crop, in crop order."""
        repeats = pose.shape[0] // crop.shape[0]
        features = self.encoder(crop)
        bare = self.eraser(features[0], crop)
        repeated = [repeat(feature, repeats) for feature in features]
        flow, masks, colour = self.maps(repeated, pose)
        warped = warp(repeat(crop, repeats), enlarge(flow, 2))
        picture, behind = self.lay(warped, repeat(bare, repeats), masks, colour)
        return Layers(picture, warped, behind, masks[:, :1], colour, bare, masks[:, 1:])

    @staticmethod
    def lay(warped: Tensor, bare: Tensor, masks: Tensor, colour: Tensor) -> tuple[Tensor, Tensor]:
        """Lay the parts over each other. Returns the picture, and what is behind the colours."""
        behind = warped + (bare - warped) * masks[:, 1:]
        return behind + (colour - behind) * masks[:, :1], behind


class RotatorNetwork(_PosedNetwork):
    """Turns head and body: one flow field at a quarter of the canvas, computed from the neutral
    canvas and pose[39:45] alone, and colour for what comes into sight.

    Input: neutral canvas at half resolution (n, 4, 256, 256), pose (n, 6). What is warped is
    another picture, with expression, at 256 or 512 pixels.
    """

    def __init__(self, config: NetworkConfig = ROTATOR_CONFIG) -> None:
        super().__init__(config, flow_gain=0.25)

    def forward(self, neutral: Tensor, pose: Tensor, picture: Tensor) -> Layers:
        """Return `picture` (one per pose, 256 or 512 pixels wide) turned by `pose`."""
        repeats = pose.shape[0] // neutral.shape[0]
        features = [repeat(feature, repeats) for feature in self.encoder(neutral)]
        flow, alpha, colour = self.maps(features, pose)
        if picture.shape[-1] == alpha.shape[-1]:
            flow, fill = enlarge(flow, 2), colour * alpha
        else:
            flow, alpha, fill = self.full_size(flow, alpha, colour)
        warped = warp(picture, flow)
        return Layers(warped * (1.0 - alpha) + fill, warped, warped, alpha, colour)

    def full_size(
        self, flow: Tensor, alpha: Tensor, colour: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Enlarge the predicted maps to the canvas: flow, alpha, and colour times alpha."""
        layers = enlarge(torch.cat([alpha, colour * alpha], 1), 2)
        return enlarge(flow, 4), layers[:, :1], layers[:, 1:]


def repeat(x: Tensor, times: int) -> Tensor:
    """Repeat each item of the batch `times` times, neighbours staying together."""
    return x if times == 1 else x.repeat_interleave(times, 0)


def parameter_count(modules: Sequence[nn.Module]) -> int:
    """Count the trainable numbers of the modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
