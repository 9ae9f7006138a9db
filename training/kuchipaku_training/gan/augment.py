"""Differentiable augmentation (arXiv:2006.10738) of codes, real and generated alike, so that the
discriminator of few pictures does not learn them by heart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import tensorflow as tf

from kuchipaku_training.gan.architectures import CODE_SIDE, PATCH
from kuchipaku_training.gan.codec import Codec

#: Kinds: `light` shifts by up to 2 of 16 cells; `strong` also changes colours and covers parts.
AUGMENTATIONS: Final = ("none", "light", "strong")
_SHIFT: Final = 2
_COLOUR: Final = 0.3
_COVERED: Final = 6


class Augmentation:
    """Random changes of codes (n, 16, 16, 24) of one kind."""

    def __init__(self, kind: str, codec: Codec) -> None:
        self._kind = kind
        # What a shift of red, green and blue does to a code.
        self._tints = np.tile(np.eye(3, dtype=np.float32), (1, PATCH**2)) @ codec.encoding

    def __call__(self, codes: Any, seed: Any) -> Any:
        """Change `codes`; seed (2,) int32 decides how."""
        if self._kind == "none":
            return codes
        if self._kind == "strong":
            codes = self._tinted(codes, seed + 1)
            codes = _covered(codes, seed + 2)
        return _shifted(codes, seed)

    def _tinted(self, codes: Any, seed: Any) -> Any:
        count = tf.shape(codes)[0]
        tint = tf.random.stateless_uniform((count, 3), seed, -_COLOUR, _COLOUR)
        return codes + (tint @ self._tints)[:, None, None, :]


def _shifted(codes: Any, seed: Any) -> Any:
    reach = 2 * _SHIFT + 1
    offsets = tf.random.stateless_uniform((tf.shape(codes)[0], 2), seed, 0, reach, tf.int32)
    wide = tf.pad(codes, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), "SYMMETRIC")
    places = offsets[:, :, None] + tf.range(CODE_SIDE)
    chosen = tf.one_hot(places, CODE_SIDE + 2 * _SHIFT, dtype=codes.dtype)
    rows = tf.einsum("nrh,nhwc->nrwc", chosen[:, 0], wide)
    return tf.einsum("nsw,nrwc->nrsc", chosen[:, 1], rows)


def _covered(codes: Any, seed: Any) -> Any:
    count = tf.shape(codes)[0]
    first = tf.random.stateless_uniform((count, 2), seed, 1 - _COVERED, CODE_SIDE, tf.int32)
    places = tf.range(CODE_SIDE)
    inside = (places >= first[..., None]) & (places < first[..., None] + _COVERED)
    both = inside[:, 0, :, None] & inside[:, 1, None, :]
    return codes * tf.cast(~both, codes.dtype)[..., None]
