"""AAE: an autoencoder whose codes an adversary holds to a prior."""

import dataclasses

import keras
from keras import ops

from kgan.augment.base import Augmentation
from kgan.games.encoder import CHANGES, EncoderGAN
from kgan.layers.checks import check_positive_number


@keras.saving.register_keras_serializable(package="kgan")
class AAE(EncoderGAN):
    """An adversarial autoencoder: the game is played with codes, and images are restored.

    For the discriminator, draws z of the prior are the reals and codes E(x) the fakes. The decoder
    is the generator, so that `generate` decodes draws of the prior. Encoder E and decoder G
    minimise weight · mean (x - G(E(x)))², over images and pixels, plus the pair's generator loss.
    With labels G is given them too, so that the codes are left with the style.

    Makhzani et al. 2015, "Adversarial Autoencoders" (arXiv 1511.05644): section 2; with labels,
    section 4; with `clusters`, section 6, where the discriminator may hold one network for the
    clusters and one for the style and return both scores, `(batch, 2)`. The paper alternates a
    step of reconstruction and one of the game; here one step does both.

    Views and `round.score` are of codes, so penalties are on the gradient by the code, and
    augmentations, which are of images, are refused. What observes updates sees the reals and
    their reconstructions.

    Args:
        generator: `keras.Model`, latents to images.
        discriminator: `keras.Model`, codes `(batch, latent_dim)` to scores.
        encoder: `keras.Model`, images to codes `(batch, latent_dim)`.
        reconstruction_weight: float > 0. Defaults to 100.
        **kwargs: `clusters`, int or None, how many one-hot columns end a latent, and
            `latent_scale`, float > 0, the standard deviation of the others; as in `kgan.GAN`.
            Defaults to None and 1.

    Raises:
        ValueError: if an argument is out of range, or the codes are not as wide as the latents.

    Example:
    >>> gan = kgan.games.AAE(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(4,), units=[8]),
    ...     kgan.backbones.MLPEncoder(image_shape=(2,), code_dim=4, units=[8]),
    ... )
    >>> tuple(gan.encode(np.zeros((5, 2))).shape)
    (5, 4)
    """

    refused = (*CHANGES, Augmentation.call)

    def __init__(self, generator, discriminator, encoder, reconstruction_weight=100.0, **kwargs):
        check_positive_number("reconstruction_weight", reconstruction_weight)
        # === Config ===
        self.reconstruction_weight = reconstruction_weight
        super().__init__(generator, discriminator, encoder, **kwargs)

    def _judged(self, images, codes, labels):
        return codes

    def play(self, real_images, labels, training=True):
        """Plays one round; see `kgan.GAN.play`."""
        codes = self.encode(real_images, training)
        restored = self.synthesize(codes, labels, training)
        latents = self.sample_latents(ops.shape(real_images)[0], training)
        known = {"labels": labels} if self.is_conditional else {}
        real = self.view(latents, training=training) | known
        fake = self.view(codes, training=training) | known
        fake |= {"latents": codes, "restored": restored}
        return self._round_of_codes(real, fake, labels, None, training)

    def score(self, images, labels=None, training=False):
        """Returns the discriminator's scores of these images' codes."""
        return super().score(self.encode(images, training), None, training)

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round; see `kgan.GAN.compute_losses`."""
        logs = super().compute_losses(real_images, labels, training)
        round = logs["round"]
        restored = round.fake["restored"]
        error = ops.mean(ops.square(restored - real_images))
        logs["reconstruction_loss"] = self.reconstruction_weight * error
        logs["generator_loss"] += logs["reconstruction_loss"]
        real, fake = round.real | {"images": real_images}, round.fake | {"images": restored}
        return logs | {"round": dataclasses.replace(round, real=real, fake=fake)}

    def log_names(self):
        """Returns the keys of what `compute_losses` returns."""
        return [*super().log_names(), "reconstruction_loss"]

    def generator_log_names(self):
        """Returns the keys that belong to the generator's update."""
        return [*super().generator_log_names(), "reconstruction_loss"]

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        return {**super().get_config(), "reconstruction_weight": self.reconstruction_weight}
