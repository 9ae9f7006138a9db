"""Generators and discriminators in Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kuchipaku_training.gan import layers as of
from kuchipaku_training.gan.architectures import (
    CODE_CHANNELS,
    CODE_SIDE,
    LATENT_SIZES,
    SLOPE,
    SMALL,
)
from kuchipaku_training.gan.pictures import FACE_SIZE

Weights = dict[str, NDArray[np.float32]]


def keras_model(name: str, specs: of.Layers, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """The layers as a Keras model of inputs (n, *shape); `dtype` is the policy of its layers."""
    entry = keras.Input(shape)
    output = _applied(specs, entry, dtype)
    return keras.Model(entry, keras.layers.Activation("linear", dtype="float32")(output), name=name)


def _applied(specs: of.Layers, x: Any, dtype: str) -> Any:
    for spec in specs:
        if isinstance(spec, of.Residual):
            main, side = _applied(spec.main, x, dtype), _applied(spec.side, x, dtype)
            x = keras.layers.Add(dtype=dtype)([main, side])
        else:
            x = _layer(spec, dtype)(x)
    return x


def _layer(spec: of.Layer, dtype: str) -> Any:
    make = keras.layers
    match spec:
        case of.Dense(name, units, bias):
            return make.Dense(units, use_bias=bias, name=_key(name), dtype=dtype)
        case of.Conv(name, channels, kernel, bias):
            return make.Conv2D(
                channels, kernel, padding="same", use_bias=bias, name=_key(name), dtype=dtype
            )
        case of.TransposedConv(name, channels, stride, kernel):
            return make.Conv2DTranspose(
                channels,
                kernel,
                strides=stride,
                padding="same",
                use_bias=False,
                name=_key(name),
                dtype=dtype,
            )
        case of.BatchNorm(name):
            return make.BatchNormalization(
                epsilon=of.BATCH_NORM_EPSILON, momentum=0.98, name=_key(name), dtype=dtype
            )
        case of.LeakyRelu(slope):
            return make.LeakyReLU(negative_slope=slope, dtype=dtype)
        case of.Tanh():
            return make.Activation("tanh", dtype="float32")
        case of.Reshape(side, channels):
            return make.Reshape((side, side, channels), dtype=dtype)
        case of.Enlarge():
            return make.UpSampling2D(2, interpolation="nearest", dtype=dtype)
        case of.DepthToSpace(block):
            return make.Lambda(tf.nn.depth_to_space, arguments={"block_size": block}, dtype=dtype)
        case _:
            raise AssertionError(spec)


def _key(name: str) -> str:
    return name.replace(".", "_")


def read_weights(model: Any, specs: of.Layers, channels: int) -> Weights:
    """The weights of a model that `keras_model` made, by the names of its layers."""
    return {
        name: np.asarray(_variable(model, name), np.float32)
        for name in of.weight_shapes(specs, channels)
    }


def _variable(model: Any, name: str) -> Any:
    layer, part = name.rsplit("/", 1)
    return getattr(model.get_layer(_key(layer)), part)


def classic_discriminator(dtype: str = "float32") -> Any:
    """Two convolutions with dropout: pictures (n, 128, 128, 3), -1..1 -> logits (n, 1)."""
    make = keras.layers
    return keras.Sequential(
        [
            keras.Input((FACE_SIZE, FACE_SIZE, 3)),
            make.Conv2D(64, 5, strides=2, padding="same", dtype=dtype),
            make.LeakyReLU(dtype=dtype),
            make.Dropout(0.3, dtype=dtype),
            make.Conv2D(128, 5, strides=2, padding="same", dtype=dtype),
            make.LeakyReLU(dtype=dtype),
            make.Dropout(0.3, dtype=dtype),
            make.Flatten(dtype=dtype),
            make.Dense(1, dtype="float32"),
        ],
        name="discriminator",
    )


def small_discriminator(dtype: str = "float32") -> Any:
    """Residual discriminator of codes (n, 16, 16, 24) -> logits (n, 1)."""
    make = keras.layers
    entry = keras.Input((CODE_SIDE, CODE_SIDE, CODE_CHANNELS))
    x = make.Conv2D(96, 3, padding="same", dtype=dtype)(entry)
    for channels in (128, 192):
        x = _shrinking(x, channels, dtype)
    x = make.LeakyReLU(negative_slope=SLOPE, dtype=dtype)(x)
    x = _Spread(dtype="float32")(x)
    x = make.Conv2D(192, 3, padding="same", dtype=dtype)(x)
    x = make.LeakyReLU(negative_slope=SLOPE, dtype=dtype)(x)
    x = make.Dense(1, dtype="float32")(make.Flatten(dtype="float32")(x))
    return keras.Model(entry, x, name="discriminator")


def small_encoder(dtype: str = "float32") -> Any:
    """Codes (n, 16, 16, 24) -> mean and logarithm of the variance of latents, (n, 2 * 128)."""
    make = keras.layers
    entry = keras.Input((CODE_SIDE, CODE_SIDE, CODE_CHANNELS))
    x = make.Conv2D(64, 3, padding="same", dtype=dtype)(entry)
    for channels in (128, 192):
        x = _shrinking(x, channels, dtype)
    x = make.LeakyReLU(negative_slope=SLOPE, dtype=dtype)(x)
    x = make.Dense(2 * LATENT_SIZES[SMALL], dtype="float32")(make.Flatten(dtype="float32")(x))
    return keras.Model(entry, x, name="encoder")


def _shrinking(x: Any, channels: int, dtype: str) -> Any:
    make = keras.layers
    main = make.LeakyReLU(negative_slope=SLOPE, dtype=dtype)(x)
    main = make.Conv2D(x.shape[-1], 3, padding="same", dtype=dtype)(main)
    main = make.LeakyReLU(negative_slope=SLOPE, dtype=dtype)(main)
    main = make.Conv2D(channels, 3, padding="same", dtype=dtype)(main)
    main = make.AveragePooling2D(2, dtype=dtype)(main)
    side = make.AveragePooling2D(2, dtype=dtype)(x)
    side = make.Conv2D(channels, 1, use_bias=False, dtype=dtype)(side)
    return make.Add(dtype=dtype)([main, side])


class _Spread(keras.layers.Layer):
    """Adds a channel: the mean standard deviation over groups of pictures (arXiv:1710.10196)."""

    def call(self, x: Any) -> Any:
        groups = tf.reshape(x, (4, -1, *x.shape[1:]))
        spread = tf.sqrt(tf.math.reduce_variance(groups, 0) + 1e-6)
        spread = tf.reduce_mean(spread, (1, 2, 3), keepdims=True)
        plane = tf.tile(spread, (4, *x.shape[1:3], 1))
        return tf.concat([x, plane], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], input_shape[-1] + 1)
