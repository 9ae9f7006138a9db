"""The small GAN: a residual generator of codes against a residual discriminator of codes, and a
decoder that turns codes into pictures and learns from real pictures beside.

The generator starts as the decoding half of a variational autoencoder of codes
(arXiv:1312.6114), which learns what faces look like at large from far fewer pictures than a
GAN needs. Then it learns from the discriminator alone, as what an autoencoder adds is blur:
non-saturating binary cross-entropy with a gradient penalty on real codes (R1,
arXiv:1801.04406), differentiable augmentation. A moving average of the weights is what is kept.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from kuchipaku_training.gan.architectures import (
    CODE_CHANNELS,
    CODE_SIDE,
    LATENT_SIZES,
    PATCH,
    SMALL,
    small_decoder,
    small_generator,
)
from kuchipaku_training.gan.augment import Augmentation
from kuchipaku_training.gan.codec import Codec
from kuchipaku_training.gan.networks import (
    keras_model,
    read_weights,
    small_discriminator,
    small_encoder,
)
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

_PENALTY: Final = 0.5
_PENALTY_EVERY: Final = 16
_AVERAGE: Final = 0.999
#: One face in so many of a batch teaches the decoder, and one step in so many without the
#: autoencoder.
_DECODED: Final = 2
_DECODED_EVERY: Final = 2
_DECODER_RATE: Final = 1e-3
#: The decoder meets codes as rough as generated ones.
_ROUGHNESS: Final = 0.08
#: The autoencoder's part: so many faces, but no more than this share of all.
_WARM_FACES: Final = 40_000
_WARM_SHARE: Final = 0.5
_AUTOENCODER_RATE: Final = 1e-3
#: Variance of codes around what the autoencoder gives back: the larger, the more its latents are
#: like those that the generator is to get.
_CODE_VARIANCE: Final = 0.25


class SmallGan(Recipe):
    """See the module."""

    latent_size = LATENT_SIZES[SMALL]
    layers = small_generator() + small_decoder()
    losses = ("error", "divergence", "decoder", "generator", "discriminator", "penalty")

    def __init__(self, pace: Pace, codec: Codec) -> None:
        keras.utils.set_random_seed(pace.seed)
        self._pace, self._codec = pace, codec
        self._augment = Augmentation(pace.augment, codec)
        entry, codes = (self.latent_size,), (CODE_SIDE, CODE_SIDE, CODE_CHANNELS)
        self.generator = keras_model("generator", small_generator(), entry, pace.precision)
        self.average = keras_model("average", small_generator(), entry)
        self.decoder = keras_model("decoder", small_decoder(), codes, pace.precision)
        self.average_decoder = keras_model("average_decoder", small_decoder(), codes)
        self._start_decoder()
        for network, average in self._averages():
            average.set_weights(network.get_weights())
        self.discriminator = small_discriminator(pace.precision)
        self.encoder = small_encoder(pace.precision)
        self._warm_steps = int(min(_WARM_FACES / pace.batch, _WARM_SHARE * pace.steps))
        self._optimisers = {
            "generator": adam(pace, 0.5, 0.99),
            "discriminator": adam(pace, 0.5, 0.99),
            "decoder": adam(pace, 0.9, 0.99),
            "autoencoder": adam(pace, 0.9, 0.99),
        }
        for name, optimiser in self._optimisers.items():
            optimiser.build(self._variables(name))

    def _variables(self, name: str) -> list[Any]:
        """What the optimiser `name` changes."""
        if name == "autoencoder":
            return [*self.encoder.trainable_variables, *self.generator.trainable_variables]
        variables: list[Any] = getattr(self, name).trainable_variables
        return variables

    def _averages(self) -> tuple[tuple[Any, Any], ...]:
        return (self.generator, self.average), (self.decoder, self.average_decoder)

    def _start_decoder(self) -> None:
        """Begin as the inverse of the code."""
        linear = self.decoder.get_layer("d_linear")
        linear.set_weights([self._codec.decoding[None, None], self._codec.mean])
        last = self.decoder.get_layer("d_up128")
        last.set_weights([np.zeros_like(array) for array in last.get_weights()])

    def state(self) -> dict[str, Any]:
        networks = (
            *("generator", "discriminator", "decoder", "encoder"),
            *("average", "average_decoder"),
        )
        optimisers = {f"{name}_optimiser": one for name, one in self._optimisers.items()}
        return {**{name: getattr(self, name) for name in networks}, **optimisers}

    def train_step(self, faces: Pixels, step: int) -> dict[str, Any]:
        self._set_rates(rate_at(step, self._pace) / self._pace.learning_rate)
        mirrored = np.random.default_rng((self._pace.seed, step)).random(len(faces)) < 0.5
        turned = tf.constant(np.where(mirrored[:, None, None, None], faces[:, :, ::-1], faces))
        at = tf.constant(step)
        losses: dict[str, Any]
        if step < self._warm_steps:
            losses = self._warm_step(turned, at)
        else:
            losses = self._step(turned, at)
            if step % _DECODED_EVERY == 0:
                losses["decoder"] = self._decode(turned, at)
            if step % _PENALTY_EVERY == 0:
                losses["penalty"] = self._penalise(turned, at)
        self._follow(tf.constant(min(_AVERAGE, (step + 1) / (step + 10)), tf.float32))
        return losses

    def _set_rates(self, share: float) -> None:
        full = {
            "decoder": _DECODER_RATE,
            "autoencoder": _AUTOENCODER_RATE,
            "generator": self._pace.learning_rate,
            "discriminator": self._pace.learning_rate,
        }
        for name, optimiser in self._optimisers.items():
            optimiser.learning_rate.assign(share * full[name])

    @tf.function
    def _follow(self, keep: Any) -> None:
        for network, average in self._averages():
            for now, kept in zip(network.variables, average.variables, strict=True):
                kept.assign(keep * kept + (1.0 - keep) * now)

    @tf.function
    def _warm_step(self, faces: Any, step: Any) -> dict[str, Any]:
        real = self._codes(faces)
        losses = self._autoencoder_step(real, step)
        return losses | {"decoder": self._decoder_step(faces, real, step)}

    def _autoencoder_step(self, real: Any, step: Any) -> dict[str, Any]:
        """Raise the evidence lower bound, in nats a code number."""
        with tf.GradientTape() as tape:
            mean, log_variance = tf.split(self.encoder(real, training=True), 2, -1)
            noise = latents(self._pace, step, self.latent_size)
            codes = self.generator(mean + tf.exp(0.5 * log_variance) * noise, training=True)
            error = tf.reduce_mean((codes - real) ** 2)
            spread = mean**2 + tf.exp(log_variance) - 1.0 - log_variance
            divergence = 0.5 * tf.reduce_mean(tf.reduce_sum(spread, -1))
            numbers = CODE_SIDE**2 * CODE_CHANNELS
            loss = error / (2.0 * _CODE_VARIANCE) + divergence / numbers
        self._learn("autoencoder", tape, loss)
        return {"error": error, "divergence": divergence}

    def _codes(self, faces: Any) -> Any:
        real = tf.cast(faces, tf.float32) / 127.5 - 1.0
        patches = tf.nn.space_to_depth(real, PATCH)
        return (patches - self._codec.mean) @ self._codec.encoding

    def _seed(self, step: Any, salt: int) -> Any:
        return tf.stack([tf.constant(self._pace.seed + salt, tf.int32), tf.cast(step, tf.int32)])

    @tf.function
    def _step(self, faces: Any, step: Any) -> dict[str, Any]:
        real = self._codes(faces)
        values = latents(self._pace, step, self.latent_size, salt=5000)
        with tf.GradientTape(persistent=True) as tape:
            codes = self.generator(values, training=True)
            of_real = self.discriminator(self._augment(real, self._seed(step, 1000)))
            of_generated = self.discriminator(self._augment(codes, self._seed(step, 2000)))
            generator = generator_loss(of_generated)
            discriminator = discriminator_loss(of_real, of_generated)
        self._learn("generator", tape, generator)
        self._learn("discriminator", tape, discriminator)
        return {"generator": generator, "discriminator": discriminator}

    @tf.function
    def _decode(self, faces: Any, step: Any) -> Any:
        return self._decoder_step(faces, self._codes(faces), step)

    def _decoder_step(self, faces: Any, codes: Any, step: Any) -> Any:
        count = max(1, self._pace.batch // _DECODED)
        wanted = tf.cast(faces[:count], tf.float32) / 127.5 - 1.0
        shape = (count, CODE_SIDE, CODE_SIDE, CODE_CHANNELS)
        noise = tf.random.stateless_normal(shape, self._seed(step, 3000))
        rough = tf.random.stateless_uniform((count, 1, 1, 1), self._seed(step, 4000)) * _ROUGHNESS
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean(tf.abs(self.decoder(codes[:count] + rough * noise) - wanted))
        self._learn("decoder", tape, loss)
        return loss

    @tf.function
    def _penalise(self, faces: Any, step: Any) -> Any:
        """Push down the discriminator's slope at real codes."""
        with tf.GradientTape(persistent=True) as tape:
            real = self._augment(self._codes(faces), self._seed(step, 1000))
            with tf.GradientTape() as inner:
                inner.watch(real)
                total = tf.reduce_sum(self.discriminator(real))
            slope = tf.reduce_mean(tf.reduce_sum(inner.gradient(total, real) ** 2, (1, 2, 3)))
            loss = slope * (0.5 * _PENALTY * _PENALTY_EVERY)
        self._learn("discriminator", tape, loss)
        return slope

    def _learn(self, name: str, tape: Any, loss: Any) -> None:
        variables = self._variables(name)
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        self._optimisers[name].apply_gradients(
            [(slope, one) for slope, one in pairs if slope is not None]
        )

    def generate(self, values: Floats) -> Floats:
        codes = self.average(values, training=False)
        return np.asarray(self.average_decoder(codes, training=False), np.float32)

    def weights(self) -> dict[str, Floats]:
        codes = read_weights(self.average, small_generator(), self.latent_size)
        return codes | read_weights(self.average_decoder, small_decoder(), CODE_CHANNELS)
