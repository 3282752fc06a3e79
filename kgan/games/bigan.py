"""BiGAN: the discriminator judges images together with their codes."""

import keras
from keras import ops

from kgan.games.encoder import CHANGES, EncoderGAN


@keras.saving.register_keras_serializable(package="kgan")
class BiGAN(EncoderGAN):
    """A game over pairs: a real with its code (x, E(x)), against a fake with its latent (G(z), z).

    The discriminator D minimises the pair's discriminator loss L(D(x, E(x)), D(G(z), z)). Generator
    and encoder are one player, which minimises the same loss with reals and fakes exchanged,
    L(D(G(z), z), D(x, E(x))): with the cross-entropy -E[log D(G(z), z)] - E[log(1 - D(x, E(x)))].
    Where D cannot tell, E inverts G. The pair's own generator loss is not used, since it mostly
    sees fakes alone and would leave the encoder still.

    Donahue et al. 2016, "Adversarial Feature Learning" (arXiv 1605.09782), section 3.4, with the
    exchanged targets of the authors' code, jeffdonahue/bigan; Dumoulin et al. 2016,
    "Adversarially Learned Inference" (arXiv 1606.00704).

    Penalties see images: `round.score(images)` judges them beside the codes of the reals, and the
    views hold `"codes"`. What `view` and `score` are shown without codes gets the encoder's.
    It has no labels, and no place for dynamics that change or weigh the fakes.

    Args:
        generator: `keras.Model`, latents to images.
        discriminator: `keras.Model`, a list `[images, codes]` to scores.
        encoder: `keras.Model`, images to codes `(batch, latent_dim)`.
        **kwargs: as in `kgan.games.encoder.EncoderGAN` and `kgan.GAN`.

    Raises:
        ValueError: if there are labels, or the codes are not as wide as the latents.

    Example:
    >>> gan = kgan.games.BiGAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8], condition_dim=4),
    ...     kgan.backbones.MLPEncoder(image_shape=(2,), code_dim=4, units=[8]),
    ... )
    >>> tuple(gan.encode(np.zeros((5, 2))).shape)
    (5, 4)
    """

    refused = CHANGES

    def _judged(self, images, codes, labels):
        if labels is not None:
            raise ValueError("BiGAN has no labels. Received: num_classes or condition_dim")
        return [images, codes]

    def play(self, real_images, labels, training=True):
        """Plays one round; see `kgan.GAN.play`."""
        latents = self.sample_latents(ops.shape(real_images)[0], training)
        fake_images = self.synthesize(latents, training=training)
        real = self.view(real_images, training=training)
        fake = self.view(fake_images, latents, training) | {"latents": latents}
        return self._round_of_codes(real, fake, None, real["codes"], training)

    def view(self, images, codes=None, training=False):
        """Returns what there is to know of these images beside codes, by default the encoder's."""
        images, codes = self._pair(images, codes, training)
        return super().view(images, codes, training) | {"codes": codes}

    def score(self, images, codes=None, training=False):
        """Returns the discriminator's scores of images beside codes, by default the encoder's."""
        return super().score(*self._pair(images, codes, training), training)

    def _pair(self, images, codes, training):
        images = ops.convert_to_tensor(images)
        return images, self.encode(images, training) if codes is None else codes

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round; see `kgan.GAN.compute_losses`."""
        logs = super().compute_losses(real_images, labels, training)
        scores = [logs["round"].real["score"], logs["round"].fake["score"]]
        own, exchanged = self.loss.generator(*scores), self.loss.discriminator(*reversed(scores))
        logs["generator_loss"] += exchanged - own
        return logs
