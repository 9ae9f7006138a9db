"""What the training loop asks of a GAN, and what both GANs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kuchipaku_training.gan.layers import Layers

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_CROSS_ENTROPY: Final = keras.losses.BinaryCrossentropy(from_logits=True)


@dataclass(frozen=True)
class Pace:
    """How a GAN is trained. The learning rate falls linearly over the last `decay_share`.

    precision: Keras's policy of the layers, `float32` or `mixed_bfloat16`.
    """

    learning_rate: float
    steps: int
    batch: int = 16
    seed: int = 1
    decay_share: float = 0.3
    precision: str = "float32"
    augment: str = "light"


def rate_at(step: int, pace: Pace) -> float:
    """The learning rate of a step counted from 0."""
    fall = (pace.steps - step) / max(1.0, pace.steps * pace.decay_share)
    return pace.learning_rate * max(0.02, min(1.0, fall))


def generator_loss(generated: Any) -> Any:
    """Binary cross-entropy of taking generated pictures (logits) for real."""
    return _CROSS_ENTROPY(tf.ones_like(generated), generated)


def discriminator_loss(real: Any, generated: Any) -> Any:
    """Sum of the binary cross-entropies over real and generated pictures (logits)."""
    return _CROSS_ENTROPY(tf.ones_like(real), real) + _CROSS_ENTROPY(
        tf.zeros_like(generated), generated
    )


def latents(pace: Pace, step: Any, size: int, salt: int = 0) -> Any:
    """The generator's input of a step: it depends on seed, salt and step alone."""
    seed = tf.stack([tf.constant(pace.seed + salt, tf.int32), tf.cast(step, tf.int32)])
    return tf.random.stateless_normal((pace.batch, size), seed)


class Recipe(ABC):
    """Networks, optimisers and one step of training."""

    latent_size: int
    #: What the generator is exported as, and what its names of weights refer to.
    layers: Layers
    #: Names of the losses that steps tell of.
    losses: tuple[str, ...]

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: name -> trackable object of TensorFlow."""

    @abstractmethod
    def train_step(self, faces: Pixels, step: int) -> dict[str, Any]:
        """Learn from faces (batch, 128, 128, 3) uint8. Returns losses, scalars."""

    @abstractmethod
    def generate(self, values: Floats) -> Floats:
        """Latents (n, z) -> pictures (n, 128, 128, 3), about -1..1, as they are exported."""

    @abstractmethod
    def weights(self) -> dict[str, Floats]:
        """The weights that are exported, by the names of `layers`."""


def adam(pace: Pace, beta: float, beta2: float) -> Any:
    """Adam, whose learning rate the recipe sets at every step."""
    return keras.optimizers.Adam(pace.learning_rate, beta_1=beta, beta_2=beta2)
