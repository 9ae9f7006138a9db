"""The classic GAN: five transposed convolutions against two convolutions, on pictures."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kuchipaku_training.gan.architectures import CLASSIC, LATENT_SIZES, classic_generator
from kuchipaku_training.gan.networks import classic_discriminator, keras_model, read_weights
from kuchipaku_training.gan.recipe import (
    Floats,
    Pace,
    Pixels,
    Recipe,
    adam,
    discriminator_loss,
    generator_loss,
    latents,
    rate_at,
)


class ClassicGan(Recipe):
    """Trained with binary cross-entropy and Adam, nothing else."""

    latent_size = LATENT_SIZES[CLASSIC]
    layers = classic_generator()
    losses = ("generator", "discriminator")

    def __init__(self, pace: Pace) -> None:
        keras.utils.set_random_seed(pace.seed)
        self._pace = pace
        self.generator = keras_model("generator", self.layers, (self.latent_size,), pace.precision)
        self.discriminator = classic_discriminator(pace.precision)
        self._of_generator, self._of_discriminator = adam(pace, 0.9, 0.999), adam(pace, 0.9, 0.999)
        self._of_generator.build(self.generator.trainable_variables)
        self._of_discriminator.build(self.discriminator.trainable_variables)

    def state(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimiser": self._of_generator,
            "discriminator_optimiser": self._of_discriminator,
        }

    def train_step(self, faces: Pixels, step: int) -> dict[str, Any]:
        for optimiser in (self._of_generator, self._of_discriminator):
            optimiser.learning_rate.assign(rate_at(step, self._pace))
        losses: dict[str, Any] = self._step(tf.constant(faces), tf.constant(step))
        return losses

    @tf.function
    def _step(self, faces: Any, step: Any) -> dict[str, Any]:
        real = tf.cast(faces, tf.float32) / 127.5 - 1.0
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator(latents(self._pace, step, self.latent_size), training=True)
            of_real = self.discriminator(real, training=True)
            of_generated = self.discriminator(generated, training=True)
            generator = generator_loss(of_generated)
            discriminator = discriminator_loss(of_real, of_generated)
        for network, optimiser, loss in (
            (self.generator, self._of_generator, generator),
            (self.discriminator, self._of_discriminator, discriminator),
        ):
            variables = network.trainable_variables
            optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"generator": generator, "discriminator": discriminator}

    def generate(self, values: Floats) -> Floats:
        return np.asarray(self.generator(values, training=False), np.float32)

    def weights(self) -> dict[str, Floats]:
        return read_weights(self.generator, self.layers, self.latent_size)
