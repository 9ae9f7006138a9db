"""The two generators and the sizes around them."""

from __future__ import annotations

from typing import Final

from kuchipaku_training.gan.layers import (
    BatchNorm,
    Conv,
    Dense,
    DepthToSpace,
    Enlarge,
    Layer,
    Layers,
    LeakyRelu,
    Reshape,
    Residual,
    Tanh,
    TransposedConv,
)

CLASSIC: Final = "classic"
SMALL: Final = "small"
ARCHITECTURES: Final = (CLASSIC, SMALL)
#: Standard-normal numbers that a generator takes.
LATENT_SIZES: Final = {CLASSIC: 100, SMALL: 128}
_CLASSIC_SLOPE: Final = 0.3
SLOPE: Final = 0.2
#: Patches of this many pixels become `CODE_CHANNELS` numbers each.
PATCH: Final = 8
CODE_SIDE: Final = 16
CODE_CHANNELS: Final = 24


def classic_generator() -> Layers:
    """A DCGAN of five transposed convolutions (arXiv:1511.06434, in the form of TensorFlow's
    tutorial, for 128 x 128): (n, 100) -> (n, 128, 128, 3), -1..1."""
    layers: list[Layer] = [
        Dense("dense", 8 * 8 * 512, bias=False),
        BatchNorm("norm0"),
        LeakyRelu(_CLASSIC_SLOPE),
        Reshape(8, 512),
    ]
    for index, (channels, stride) in enumerate(((256, 1), (128, 2), (64, 2), (32, 2)), 1):
        layers += [
            TransposedConv(f"up{index}", channels, stride),
            BatchNorm(f"norm{index}"),
            LeakyRelu(_CLASSIC_SLOPE),
        ]
    return (*layers, TransposedConv("up5", 3, 2), Tanh())


def small_generator() -> Layers:
    """Residual generator of codes: (n, 128) -> (n, 16, 16, 24)."""
    return (
        Dense("dense", 4 * 4 * 256),
        Reshape(4, 256),
        _growing("g8", 256, 160),
        _growing("g16", 160, 128),
        _steady("g16b", 128),
        BatchNorm("norm"),
        LeakyRelu(SLOPE),
        Conv("codes", CODE_CHANNELS),
    )


def small_decoder() -> Layers:
    """Codes (n, 16, 16, 24) -> pictures (n, 128, 128, 3), about -1..1.

    The side way is linear; what it lacks the main way adds.
    """
    main: Layers = (
        Conv("d.in", 96),
        _plain("d.16", 96),
        LeakyRelu(SLOPE),
        Conv("d.up32", 256, 1),
        DepthToSpace(2),
        _plain("d.32", 64),
        LeakyRelu(SLOPE),
        Conv("d.up64", 128, 1),
        DepthToSpace(2),
        _plain("d.64", 32, one=True),
        LeakyRelu(SLOPE),
        Conv("d.up128", 12),
        DepthToSpace(2),
    )
    return (Residual(main, (Conv("d.linear", 3 * PATCH**2, 1), DepthToSpace(PATCH))),)


def _growing(name: str, inputs: int, channels: int) -> Residual:
    """Pre-activated residual block that doubles the size."""
    main = (
        BatchNorm(f"{name}.norm1"),
        LeakyRelu(SLOPE),
        Enlarge(),
        Conv(f"{name}.conv1", channels, bias=False),
        BatchNorm(f"{name}.norm2"),
        LeakyRelu(SLOPE),
        Conv(f"{name}.conv2", channels),
    )
    return Residual(main, (Conv(f"{name}.side", channels, 1, bias=False), Enlarge()))


def _steady(name: str, channels: int) -> Residual:
    main = (
        BatchNorm(f"{name}.norm1"),
        LeakyRelu(SLOPE),
        Conv(f"{name}.conv1", channels, bias=False),
        BatchNorm(f"{name}.norm2"),
        LeakyRelu(SLOPE),
        Conv(f"{name}.conv2", channels),
    )
    return Residual(main)


def _plain(name: str, channels: int, *, one: bool = False) -> Residual:
    """Residual block without normalisation."""
    first: Layers = (LeakyRelu(SLOPE), Conv(f"{name}.conv1", channels))
    second: Layers = () if one else (LeakyRelu(SLOPE), Conv(f"{name}.conv2", channels))
    return Residual(first + second)
