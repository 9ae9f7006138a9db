"""Generators as lists of layers, which Keras trains and an ONNX graph serves.

Sizes follow Keras: pictures are (n, height, width, channels), convolutions keep the size ("same").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

BATCH_NORM_EPSILON: Final = 1e-3


@dataclass(frozen=True)
class Dense:
    """(n, inputs) -> (n, units). Weights `name/kernel` (inputs, units), `name/bias`."""

    name: str
    units: int
    bias: bool = True


@dataclass(frozen=True)
class Conv:
    """Convolution. Weights `name/kernel` (kernel, kernel, inputs, channels), `name/bias`."""

    name: str
    channels: int
    kernel: int = 3
    bias: bool = True


@dataclass(frozen=True)
class TransposedConv:
    """Transposed convolution without bias: `stride` times the size.

    Weights `name/kernel` (kernel, kernel, channels, inputs).
    """

    name: str
    channels: int
    stride: int
    kernel: int = 5


@dataclass(frozen=True)
class BatchNorm:
    """Weights `name/gamma`, `beta`, `moving_mean`, `moving_variance` (channels,)."""

    name: str


@dataclass(frozen=True)
class LeakyRelu:
    """max(x, slope * x)."""

    slope: float


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent."""


@dataclass(frozen=True)
class Reshape:
    """(n, side * side * channels) -> (n, side, side, channels)."""

    side: int
    channels: int


@dataclass(frozen=True)
class Enlarge:
    """Twice the size, each value four times."""


@dataclass(frozen=True)
class DepthToSpace:
    """(n, h, w, block * block * c) -> (n, block * h, block * w, c), channels the fastest."""

    block: int


@dataclass(frozen=True)
class Residual:
    """Sum of two ways from the same input; an empty `side` is the input itself."""

    main: tuple[Layer, ...]
    side: tuple[Layer, ...] = ()


Layer: TypeAlias = (
    Dense
    | Conv
    | TransposedConv
    | BatchNorm
    | LeakyRelu
    | Tanh
    | Reshape
    | Enlarge
    | DepthToSpace
    | Residual
)
Layers: TypeAlias = tuple[Layer, ...]


def weight_shapes(layers: Layers, channels: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of all weights of `layers`, whose input has `channels`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, inputs in _with_channels(layers, channels):
        match layer:
            case Dense(name, units, bias):
                shapes[f"{name}/kernel"] = (inputs, units)
                if bias:
                    shapes[f"{name}/bias"] = (units,)
            case Conv(name, outputs, kernel, bias):
                shapes[f"{name}/kernel"] = (kernel, kernel, inputs, outputs)
                if bias:
                    shapes[f"{name}/bias"] = (outputs,)
            case TransposedConv(name, outputs, _, kernel):
                shapes[f"{name}/kernel"] = (kernel, kernel, outputs, inputs)
            case BatchNorm(name):
                for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                    shapes[f"{name}/{part}"] = (inputs,)
            case _:
                pass
    return shapes


def channels_after(layers: Layers, channels: int) -> int:
    """Channels that come out of `layers` when `channels` go in."""
    for layer in layers:
        channels = _after(layer, channels)
    return channels


def _after(layer: Layer, channels: int) -> int:
    match layer:
        case Dense(_, units, _):
            return units
        case Conv(_, outputs, _, _) | TransposedConv(_, outputs, _, _) | Reshape(_, outputs):
            return outputs
        case DepthToSpace(block):
            return channels // block**2
        case Residual(main, _):
            return channels_after(main, channels)
        case _:
            return channels


def _with_channels(layers: Layers, channels: int) -> Iterator[tuple[Layer, int]]:
    for layer in layers:
        if isinstance(layer, Residual):
            yield from _with_channels(layer.main, channels)
            yield from _with_channels(layer.side, channels)
        else:
            yield layer, channels
        channels = _after(layer, channels)
