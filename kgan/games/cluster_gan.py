"""ClusterGAN: an encoder gives each fake's latent back, and so clusters the reals."""

import keras
from keras import ops

from kgan.games.encoder import EncoderGAN
from kgan.gan import total
from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.losses.mutual_information import CategoricalCodeLoss


@keras.saving.register_keras_serializable(package="kgan")
class ClusterGAN(EncoderGAN):
    """A GAN from clustered latents, with an encoder that returns from image to latent.

    Latents are z = (z_n, z_c), z_n normal with standard deviation `latent_scale` and z_c one-hot.
    Generator G and encoder E both minimise the pair's generator loss plus
    β_n · mean (z_n - E(G(z))_n)² + β_c · H(z_c, E(G(z))_c), mean over latents and columns, with the
    cross-entropy H of the encoder's softmax. The encoder sees fakes only; `classify` then tells
    the cluster of a real.

    Mukherjee et al. 2019, "ClusterGAN: Latent Space Clustering in Generative Adversarial Networks"
    (arXiv 1809.03627), equation 2 and algorithm 1.

    Args:
        generator: `keras.Model`, as in `kgan.GAN`.
        discriminator: `keras.Model`, as in `kgan.GAN`.
        encoder: `keras.Model`, images to `(batch, latent_dim)`: z_n, then logits of z_c.
        clusters: int, how many. Defaults to 10.
        latent_scale: float > 0, standard deviation of z_n. Defaults to 0.1, section 4.
        latent_weight: float > 0, β_n. Defaults to 10, the paper's for MNIST.
        cluster_weight: float > 0, β_c. Defaults to 10.
        **kwargs: as in `kgan.GAN`.

    Example:
    >>> gan = kgan.games.ClusterGAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ...     kgan.backbones.MLPEncoder(image_shape=(2,), code_dim=4, units=[8]),
    ...     clusters=3,
    ... )
    >>> tuple(gan.classify(np.zeros((5, 2))).shape)
    (5, 3)
    """

    def __init__(
        self,
        generator,
        discriminator,
        encoder,
        clusters=10,
        latent_scale=0.1,
        latent_weight=10.0,
        cluster_weight=10.0,
        **kwargs,
    ):
        check_positive_int("clusters", clusters)
        check_positive_number("latent_weight", latent_weight)
        check_positive_number("cluster_weight", cluster_weight)
        # === Config ===
        self.latent_weight = latent_weight
        self.cluster_weight = cluster_weight
        super().__init__(generator, discriminator, encoder, clusters, latent_scale, **kwargs)

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round; see `kgan.GAN.compute_losses`."""
        logs = super().compute_losses(real_images, labels, training)
        fake, n = logs["round"].fake, self.clusters
        read = ops.cast(self.run_network("encoder", fake["images"], training), "float32")
        error = ops.mean(ops.square(read[:, :-n] - fake["latents"][:, :-n]))
        surprise = CategoricalCodeLoss()(fake["latents"][:, -n:], read[:, -n:])
        logs["latent_loss"] = self.latent_weight * error
        logs["cluster_loss"] = self.cluster_weight * surprise
        terms = logs["latent_loss"] + logs["cluster_loss"] + total(self.encoder.losses)
        logs["generator_loss"] += terms
        return logs

    def log_names(self):
        """Returns the keys of what `compute_losses` returns."""
        return [*super().log_names(), "latent_loss", "cluster_loss"]

    def generator_log_names(self):
        """Returns the keys that belong to the generator's update."""
        return [*super().generator_log_names(), "latent_loss", "cluster_loss"]

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        weights = {"latent_weight": self.latent_weight, "cluster_weight": self.cluster_weight}
        return {**super().get_config(), **weights}
