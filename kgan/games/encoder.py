"""What games with an encoder have in common: codes, and clusters in them."""

import keras
from keras import ops

from kgan.augment.base import Augmentation
from kgan.dynamics.base import Dynamics
from kgan.games.categories import one_hot_of_largest
from kgan.gan import GAN, shapes_said, total
from kgan.layers.checks import check_positive_int, check_positive_number

# What a game that is not played with images alone has no place for.
CHANGES = (Dynamics.show, Dynamics.weigh, Augmentation.replace_reals)


class EncoderGAN(GAN):
    """Base of the games in which the generator's player also has an encoder, of images to latents.

    With `clusters=K` the last K columns of a latent are one-hot, a cluster drawn uniformly, and
    those of the encoder's output are logits of it. A subclass says what the discriminator judges,
    and what the encoder wants.

    Args:
        generator: `keras.Model`, as in `kgan.GAN`.
        discriminator: `keras.Model`, as the game says.
        encoder: `keras.Model`, images to `(batch, latent_dim)`. The generator's optimizer moves it.
        clusters: int or None, how many one-hot columns end a latent. Defaults to None.
        latent_scale: float > 0, factor of the latents' other columns. Defaults to 1.
        **kwargs: as in `kgan.GAN`.

    Raises:
        ValueError: if an argument is out of range, or the encoder's codes are of another width.
    """

    roles = {**GAN.roles, "encoder": "generator"}
    # The methods of components, by which they change or weigh images, that a game has no place for.
    refused = ()

    def __init__(
        self, generator, discriminator, encoder, clusters=None, latent_scale=1.0, **kwargs
    ):
        if clusters is not None:
            check_positive_int("clusters", clusters)
        check_positive_number("latent_scale", latent_scale)
        # === Config ===
        self.clusters = clusters
        self.latent_scale = latent_scale
        super().__init__(generator, discriminator, encoder=encoder, **kwargs)

    def _build_players(self):
        latents, labels = keras.Input((self.latent_dim,)), self._label_input()
        images = self.generator(self._inputs(latents, labels))
        codes = self.encoder(images)
        if codes.shape[1:] != (self.latent_dim,) or self.latent_dim <= (self.clusters or 0):
            raise ValueError(
                f"The encoder must return codes as wide as the latents, {self.latent_dim}, and "
                f"wider than the clusters. Received: {codes.shape}, clusters={self.clusters}"
            )
        said = self.discriminator(self._judged(images, codes, labels))
        return tuple(images.shape[1:]), shapes_said(said)

    def _judged(self, images, codes, labels):
        """Returns what the discriminator is given."""
        return self._inputs(images, labels)

    def draw_latents(self, n, seed):
        """Returns `n` latents, scaled and with clusters; see `kgan.GAN.draw_latents`."""
        drawn = super().draw_latents(n, seed)
        if self.clusters is None:
            return self.latent_scale * drawn
        style, clusters = drawn[:, : -self.clusters], drawn[:, -self.clusters :]
        return ops.concatenate([self.latent_scale * style, one_hot_of_largest(clusters)], axis=-1)

    def encode(self, images, training=False):
        """Returns codes, with probabilities of the clusters: float32 `(batch, latent_dim)`.

        Args:
            images: float `(batch, *image_shape)` in [-1, 1].
            training: bool, whether the encoder trains. Defaults to False.
        """
        outputs = ops.cast(self.run_network("encoder", images, training), "float32")
        if self.clusters is None:
            return outputs
        style, logits = outputs[:, : -self.clusters], outputs[:, -self.clusters :]
        return ops.concatenate([style, ops.softmax(logits)], axis=-1)

    def classify(self, images):
        """Returns how probable the encoder takes each cluster to be, float32 `(batch, clusters)`.

        Args:
            images: float `(batch, *image_shape)` in [-1, 1].

        Raises:
            ValueError: if the latents have no clusters.
        """
        if self.clusters is None:
            raise ValueError("classify needs clusters. Received: clusters=None")
        return self.encode(images)[:, -self.clusters :]

    def _fit_to_game(self, arguments):
        for component in [*arguments["dynamics"], *arguments["augment"]]:
            kind = type(component)
            if any(getattr(kind, one.__name__, one) is not one for one in self.refused):
                raise ValueError(
                    f"{type(self).__name__} does not play with images alone and has no place for "
                    f"what this does to them. Received: {component!r}"
                )
        return super()._fit_to_game(arguments)

    def _round_of_codes(self, real, fake, labels, beside, training):
        """Returns the round of a game that is not played with images alone; see `_round`."""
        players = {
            "generator": self.generator.losses + self.encoder.losses,
            "discriminator": self.discriminator.losses,
        }
        terms = {player: total(losses) for player, losses in players.items()}
        return self._round(real, fake, labels, beside, training, regularization=terms)

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        config = super().get_config()
        return {**config, "clusters": self.clusters, "latent_scale": self.latent_scale}
