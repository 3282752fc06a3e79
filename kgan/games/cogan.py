"""CoGAN: two games at once, whose players share what they know."""

import keras
from keras import ops

from kgan.gan import GAN


@keras.saving.register_keras_serializable(package="kgan")
class CoGAN(GAN):
    """Learns pairs of images of two domains from images that are not paired.

    Liu and Tuzel 2016, "Coupled Generative Adversarial Networks" (arXiv 1606.07536), equation 2:
    each domain has a game of its own, and a loss is the mean over the two (their sum in the paper).
    That the pairs come out alike is due to the layers that the players of both share alone:
    `kgan.backbones.CoupledGenerator` and `CoupledDiscriminator`.

    A sample is a pair side by side. Reals may come as true pairs: in training, each image of the
    second domain is moved to the next example of the batch. So an image and its partner may both be
    in the data, if never seen together; the paper's domains have no image in common.

    Args:
        generator: `keras.Model`, latents to pairs `(batch, height, 2 * width, channels)`.
        discriminator: `keras.Model`, pairs to scores `(batch, 2)`: that of each image.
        **kwargs: of `kgan.GAN`, without labels.

    Raises:
        ValueError: if the pairs have an odd width, the scores another shape, or there are labels.

    Example:
    >>> gan = kgan.games.CoGAN(
    ...     kgan.backbones.CoupledGenerator((8, 16, 1), width=4),
    ...     kgan.backbones.CoupledDiscriminator((8, 16, 1), width=4, num_stages=2),
    ... )
    >>> digits, edges = gan.domains(gan.generate(3, seed=1))
    >>> tuple(digits.shape), tuple(edges.shape)
    ((3, 8, 8, 1), (3, 8, 8, 1))
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        if self.is_conditional:
            raise ValueError(
                "CoGAN takes no labels, which would tell what belongs together. Received: "
                f"num_classes={self.num_classes}, condition_dim={self.condition_dim}"
            )
        is_pair = len(self.image_shape) == 3 and self.image_shape[1] % 2 == 0
        if not is_pair or self.output_shapes["score"] != (None, 2):
            raise ValueError(
                "CoGAN needs pairs of shape (height, 2 * width, channels) and scores of shape "
                f"(batch, 2). Received: {self.image_shape} and {self.output_shapes['score']}"
            )

    def domains(self, images):
        """Returns the images of the first domain and those of the second.

        Args:
            images: `(batch, height, 2 * width, channels)`, pairs side by side.
        """
        half = self.image_shape[1] // 2
        return images[:, :, :half], images[:, :, half:]

    def play(self, real_images, labels, training=True):
        """Plays one round with pairs whose images do not belong together; see `kgan.GAN.play`."""
        first, second = self.domains(real_images)
        unpaired = ops.concatenate([first, ops.roll(second, 1, axis=0)], axis=2)
        return super().play(unpaired, labels, training)
