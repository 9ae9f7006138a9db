"""Brow and face networks of versions 2, 3 and 4: the same modules, other weights.

Each network's ``forward`` returns the outputs of the author's code in the author's order. What
later networks read comes first or is named. Source: pkhungurn/talking-head-anime-3-demo,
tha3/nn/{eyebrow_decomposer,eyebrow_morphing_combiner,face_morpher}/.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kuchipaku_pose.tha.blocks import (
    PoseEncoderDecoder,
    Style,
    alpha_head,
    colour_head,
    grid_head,
)
from kuchipaku_pose.tha.operators import blend, blend_colour, warp

BROW_POSE_SIZE = 12
FACE_POSE_SIZE = 27


class EyebrowDecomposer(nn.Module):
    """Takes the brows off the face: a picture (N, 4, 128, 128) becomes two layers."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.body = PoseEncoderDecoder(style, 4, 0)
        self.background_layer_alpha = alpha_head(64)
        self.background_layer_color_change = colour_head(64)
        self.eyebrow_layer_alpha = alpha_head(64)
        self.eyebrow_layer_color_change = colour_head(64)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return [brows, their alpha, their colour, face without brows, its alpha, its colour]."""
        feature = self.body(image)
        return self.draw([head(feature) for head in self.heads()], image)

    def heads(self) -> list[nn.Module]:
        """Return the heads in the order in which `draw` takes their outputs."""
        return [
            self.background_layer_alpha,
            self.background_layer_color_change,
            self.eyebrow_layer_alpha,
            self.eyebrow_layer_color_change,
        ]

    @staticmethod
    def draw(parts: Sequence[Tensor], image: Tensor) -> list[Tensor]:
        """Return what `forward` returns from the heads' outputs."""
        background_alpha, background_colour, alpha, colour = parts
        background = blend(background_alpha, background_colour, image)
        # Here the picture stands where the colour stands elsewhere: the brows are kept, not drawn.
        brows = blend(alpha, image, colour)
        return [brows, alpha, colour, background, background_alpha, background_colour]


class EyebrowMorphingCombiner(nn.Module):
    """Moves the brows and lays them back on the face, 128x128; pose of 12 numbers."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.body = PoseEncoderDecoder(style, 8, BROW_POSE_SIZE)
        self.morphed_eyebrow_layer_grid_change = grid_head(64)
        self.morphed_eyebrow_layer_alpha = alpha_head(64)
        self.morphed_eyebrow_layer_color_change = colour_head(64)
        self.combine_alpha = alpha_head(64)

    def encode(self, background: Tensor, brows: Tensor) -> Tensor:
        """Return (N, 512, 16, 16), which depends on the picture alone."""
        return self.body.encode(torch.cat([background, brows], dim=1))

    def decode(
        self, feature: Tensor, background: Tensor, brows: Tensor, pose: Tensor
    ) -> list[Tensor]:
        """Return [picture by combine alpha, combine alpha, **picture**, moved brows, their alpha,
        their colour, warped brows, offsets]; the one that the poser uses is the third."""
        feature = self.body.decode(feature, pose)
        return self.draw([head(feature) for head in self.heads()], background, brows)

    def heads(self) -> list[nn.Module]:
        """Return the heads in the order in which `draw` takes their outputs."""
        return [
            self.morphed_eyebrow_layer_grid_change,
            self.morphed_eyebrow_layer_alpha,
            self.morphed_eyebrow_layer_color_change,
            self.combine_alpha,
        ]

    @staticmethod
    def draw(parts: Sequence[Tensor], background: Tensor, brows: Tensor) -> list[Tensor]:
        """Return what `decode` returns from the heads' outputs."""
        offsets, alpha, colour, combine_alpha = parts
        warped = warp(brows, offsets)
        morphed = blend(alpha, colour, warped)
        combined = blend_colour(combine_alpha, morphed, background)
        picture = blend_colour((morphed[:, 3:4] + 1) / 2, morphed, background)
        return [combined, combine_alpha, picture, morphed, alpha, colour, warped, offsets]

    def forward(self, background: Tensor, brows: Tensor, pose: Tensor) -> list[Tensor]:
        """Encode and decode; see `decode`."""
        return self.decode(self.encode(background, brows), background, brows, pose)


class FaceMorpher(nn.Module):
    """Moves eyes, irises and mouth of a face (N, 4, 192, 192); pose of 27 numbers."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        body = PoseEncoderDecoder(style, 4, FACE_POSE_SIZE)
        if style is Style.SEPARABLE:
            self.body = body
        else:
            # The author's standard files have the body's keys at the top.
            self.downsample_blocks = body.downsample_blocks
            self.bottleneck_blocks = body.bottleneck_blocks
            self.upsample_blocks = body.upsample_blocks
        self._body = (body,)
        self.iris_mouth_grid_change = grid_head(64)
        self.iris_mouth_color_change = colour_head(64)
        self.iris_mouth_alpha = alpha_head(64)
        self.eye_color_change = colour_head(64)
        self.eye_alpha = alpha_head(64)

    def encode(self, image: Tensor) -> Tensor:
        """Return (N, 512, 24, 24), which depends on the face with its brows alone."""
        return self._body[0].encode(image)

    def decode(self, feature: Tensor, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Return [**face**, eye alpha, eye colour, face without eyes, iris and mouth alpha, their
        colour, warped face, offsets]; version 3 does not return the last."""
        feature = self._body[0].decode(feature, pose)
        return self.draw([head(feature) for head in self.heads()], image)

    def encoder_decoder(self) -> PoseEncoderDecoder:
        """Return the body, wherever the variant keeps its keys."""
        return self._body[0]

    def heads(self) -> list[nn.Module]:
        """Return the heads in the order in which `draw` takes their outputs."""
        return [
            self.iris_mouth_grid_change,
            self.iris_mouth_color_change,
            self.iris_mouth_alpha,
            self.eye_color_change,
            self.eye_alpha,
        ]

    @staticmethod
    def draw(parts: Sequence[Tensor], image: Tensor) -> list[Tensor]:
        """Return what `decode` returns from the heads' outputs."""
        offsets, colour, alpha, eye_colour, eye_alpha = parts
        warped = warp(image, offsets)
        without_eyes = blend(alpha, colour, warped)
        face = blend(eye_alpha, eye_colour, without_eyes)
        return [face, eye_alpha, eye_colour, without_eyes, alpha, colour, warped, offsets]

    def forward(self, image: Tensor, pose: Tensor) -> list[Tensor]:
        """Encode and decode; see `decode`."""
        return self.decode(self.encode(image), image, pose)
