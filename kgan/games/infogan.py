"""InfoGAN: codes in the latents, which the discriminator reads off the images again."""

import itertools
import random

import keras
import numpy as np
from keras import ops

from kgan.games.categories import one_hot_of_largest
from kgan.gan import GAN
from kgan.layers.heads import CodeHead
from kgan.losses.mutual_information import MutualInformation


@keras.saving.register_keras_serializable(package="kgan")
class InfoGAN(GAN):
    """A GAN that learns without labels what to vary, as codes: a category, a slant, a width.

    Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets" (arXiv 1606.03657), equation 6: both players also maximise a bound
    on the mutual information of codes and image, `kgan.losses.MutualInformation`. The codes are
    the last columns of the latents: a one-hot block for each categorical code, each category
    equally often, then the continuous ones, uniform from -1 to 1. The columns before them are
    noise of `latent_distribution`.

    Args:
        generator: `keras.Model`, as in `kgan.GAN`.
        discriminator: `keras.Model`, samples to what `kgan.layers.CodeHead` returns, of the same
            codes.
        categorical: tuple of int >= 1, how many categories each categorical code has. Defaults to
            `(10,)`, the paper's for MNIST; `()` is none.
        continuous: int >= 0, how many continuous codes there are. Defaults to 2.
        **kwargs: as in `kgan.GAN`.

    Raises:
        ValueError: if there is no code, or the latents are narrower than the codes; at `compile`,
            if the discriminator reads other codes.

    Example:
    >>> gan = kgan.games.InfoGAN(
    ...     kgan.backbones.MLPGenerator((2,), latent_dim=6, units=[8]),
    ...     kgan.backbones.MLPDiscriminator((2,), units=[8], head=kgan.layers.CodeHead((3,), 1)),
    ...     categorical=(3,),
    ...     continuous=1,
    ... )
    >>> gan.generate(5, categorical=2, continuous=[0.5]).shape
    (5, 2)
    """

    def __init__(self, generator, discriminator, categorical=(10,), continuous=2, **kwargs):
        # === Config ===
        self.categorical = CodeHead(categorical, continuous).categorical  # which checks them
        self.continuous = continuous
        super().__init__(generator, discriminator, **kwargs)
        if self.latent_dim < self.code_dim:
            raise ValueError(
                f"The codes take {self.code_dim} columns of the latents. "
                f"Received: latent_dim={self.latent_dim}"
            )

    @property
    def code_dim(self):
        """Int, how many columns of the latents hold the codes."""
        return sum(self.categorical) + self.continuous

    def compile(self, *args, auxiliary_losses=None, **kwargs):
        """Says how the players learn.

        Args:
            *args: as in `GAN.compile`.
            auxiliary_losses: list of `kgan.losses.AuxiliaryLoss` or their names. Defaults to
                `MutualInformation` of all codes, with weight 1, the paper's λ.
            **kwargs: as in `GAN.compile`.
        """
        if auxiliary_losses is None:
            auxiliary_losses = MutualInformation(1.0, self.categorical, self.continuous)
        super().compile(*args, auxiliary_losses=auxiliary_losses, **kwargs)

    # --- Codes to images ------------------------------------------------------------------------

    def draw_latents(self, n, seed):
        """Returns `n` latents, noise and then codes; see `kgan.GAN.draw_latents`."""
        noise, *drawn, numbers = self._split(super().draw_latents(n, seed))
        hot = [one_hot_of_largest(columns) for columns in drawn]
        if self.latent_distribution == "normal":
            numbers = ops.erf(numbers / 2**0.5)  # their rank among normal numbers is uniform
        return ops.concatenate([noise, *hot, numbers], axis=-1)

    def generate(
        self,
        n,
        labels=None,
        seed=None,
        batch_size=128,
        rows=slice(None),
        categorical=None,
        continuous=None,
    ):
        """Draws samples of codes that are drawn or chosen.

        Args:
            n: int >= 1, how many.
            labels: None, as there are none.
            seed: int or None, as in `kgan.GAN.generate`, of the noise and the codes not chosen.
            batch_size: int >= 1, how many are computed at once. Defaults to 128.
            rows: slice, as in `kgan.GAN.generate`.
            categorical: int categories, `(codes,)` for all samples or `(n, codes)`; of one code
                alone an int or `(n,)`. Defaults to drawn ones.
            continuous: float values of the continuous codes, likewise. Defaults to drawn ones.

        Returns:
            float32 NumPy array `(n, *image_shape)` in [-1, 1].

        Raises:
            ValueError: if a code is chosen that is out of range or of another shape.
        """
        if categorical is None and continuous is None:
            return super().generate(n, labels, seed, batch_size, rows)
        seed = random.randint(0, 2**31 - 1) if seed is None else seed
        noise, *hot, numbers = self._split(ops.convert_to_numpy(self.draw_latents(n, seed)))
        if categorical is not None:
            chosen = _rows("categorical", categorical, n, len(self.categorical)).T
            hot = [_one_hot(x, size) for x, size in zip(chosen, self.categorical, strict=True)]
        if continuous is not None:
            numbers = _rows("continuous", continuous, n, self.continuous)
        latents = np.concatenate([noise, *hot, numbers], axis=1)
        return self.predict(latents.astype("float32")[rows], batch_size=batch_size, verbose=0)

    def _split(self, latents):
        """Returns the noise, each categorical code's columns, and the continuous codes."""
        ends = np.cumsum([0, self.latent_dim - self.code_dim, *self.categorical, self.continuous])
        return [latents[:, a:b] for a, b in itertools.pairwise(ends.tolist())]

    # --- Images to codes ------------------------------------------------------------------------

    def encode(self, images):
        """Returns the codes that the discriminator reads off images, float32 `(batch, code_dim)`.

        Args:
            images: float `(batch, *image_shape)` in [-1, 1].

        Returns:
            Probabilities for each categorical code, then the means of the continuous ones.
        """
        said = self.discriminator(images, training=False)
        codes, logits = [], said.get("categorical_logits")
        for size in self.categorical:
            codes.append(ops.softmax(logits[:, :size]))
            logits = logits[:, size:]
        if self.continuous:
            codes.append(said["continuous_mean"])
        return ops.cast(ops.concatenate(codes, axis=-1), "float32")

    def classify(self, images):
        """Returns the first code's probabilities, float32 `(batch, categories)`.

        Args:
            images: float `(batch, *image_shape)` in [-1, 1].

        Raises:
            ValueError: if there is no categorical code.
        """
        if not self.categorical:
            raise ValueError("classify needs a categorical code. Received: categorical=()")
        return self.encode(images)[:, : self.categorical[0]]

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        config = super().get_config()
        return {**config, "categorical": self.categorical, "continuous": self.continuous}


def _rows(name, values, n, width):
    """Returns an array `(n, width)` of what is given for all examples, or for each."""
    rows = np.asarray(values)
    rows = rows.reshape(-1, 1) if width == 1 and rows.ndim < 2 else rows
    if width == 0 or rows.shape not in ((), (width,), (1, width), (n, width)):
        raise ValueError(
            f"{name} must be of shape ({width},), or ({n}, {width}) for {n} samples. "
            f"Received: {values!r}"
        )
    return np.broadcast_to(rows, (n, width))


def _one_hot(categories, size):
    if categories.dtype.kind not in "iu" or not ((0 <= categories) & (categories < size)).all():
        raise ValueError(f"categorical must be ints in [0, {size}). Received: {categories}")
    return np.eye(size)[categories]
