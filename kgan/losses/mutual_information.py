"""Mutual information: codes in the latents that can be read off the image again."""

import math

import keras
from keras import ops

from kgan.layers.checks import check_positive_int, check_sizes
from kgan.losses.auxiliary import AUXILIARY_LOSSES, AuxiliaryLoss, check_widths
from kgan.losses.base import BatchLoss


@keras.saving.register_keras_serializable(package="kgan")
class CategoricalCodeLoss(BatchLoss):
    """How surprising a categorical code is, given the image: -log softmax(l)_c.

    Chen et al. 2016, "InfoGAN" (arXiv 1606.03657), equation 5 without the codes' own entropy,
    which no player can change. The code is a one-hot row, or any row, whose largest entry then
    counts: so it may be a part of normal latents.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.CategoricalCodeLoss()
    >>> round(float(loss(np.eye(4), np.zeros((4, 4)))), 4)  # log 4
    1.3863
    """

    def call(self, codes, logits):
        """Returns the surprise of each example.

        Args:
            codes: float `(batch, size)`, one-hot rows.
            logits: float `(batch, size)`, what the discriminator says of the code.
        """
        indices = ops.argmax(codes, axis=-1)
        return ops.sparse_categorical_crossentropy(indices, logits, from_logits=True)


@keras.saving.register_keras_serializable(package="kgan")
class ContinuousCodeLoss(BatchLoss):
    """How surprising continuous codes are, given the image: -log N(c; μ, 1), summed over codes.

    Chen et al. 2016, "InfoGAN" (arXiv 1606.03657), section 6: Q is a factored Gaussian; its
    variance is fixed to 1, as in the authors' code. In full: Σⱼ (cⱼ - μⱼ)²/2 + log(2π)/2.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.ContinuousCodeLoss()
    >>> round(float(loss(np.zeros((4, 1)), np.zeros((4, 1)))), 4)  # log(2π) / 2
    0.9189
    """

    def call(self, codes, means):
        """Returns the surprise of each example.

        Args:
            codes: float `(batch, codes)`.
            means: float `(batch, codes)`, what the discriminator says of them.
        """
        return ops.sum(ops.square(codes - means) / 2 + math.log(2 * math.pi) / 2, axis=-1)


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class MutualInformation(AuxiliaryLoss):
    """Both players want the codes in the latents to be read off the fakes (InfoGAN).

    Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets" (arXiv 1606.03657), equation 6: minus the variational bound on
    the mutual information of codes and image, up to the codes' own entropy. It is the sum of
    `CategoricalCodeLoss` over the categorical codes and `ContinuousCodeLoss`.

    The codes are the last columns of the latents: first a block of columns for each categorical
    code, then the continuous ones. The discriminator returns `"categorical_logits"`, the blocks
    side by side, and `"continuous_mean"`, as `kgan.layers.CodeHead` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1; the paper has 1 for
            categorical codes, and less where there are continuous ones.
        categorical: tuple of int, the sizes of the categorical codes; an int for one. Defaults to
            none.
        continuous: int >= 0, the number of continuous codes. Defaults to 0.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not above 0, or there is no code; at `compile`, if the latents
            are too narrow or the discriminator's outputs do not fit the codes.

    Example:
    >>> information = kgan.losses.MutualInformation(categorical=(4,))
    >>> fake = {"latents": np.eye(6)[2:], "categorical_logits": 100 * np.eye(4)}
    >>> round(abs(float(information.generator({}, fake))), 4)
    0.0
    """

    def __init__(self, weight=1.0, categorical=(), continuous=0, name=None):
        super().__init__(weight, name)
        categorical = (categorical,) if isinstance(categorical, int) else tuple(categorical)
        if categorical:
            check_sizes("categorical", categorical)
        if continuous != 0:
            check_positive_int("continuous", continuous)
        if not categorical and not continuous:
            raise ValueError(
                "Mutual information needs a code: categorical=(10,), continuous=2 or both. "
                f"Received: categorical={categorical!r}, continuous={continuous!r}"
            )
        self.categorical = categorical
        self.continuous = continuous

    @property
    def needs(self):
        """Tuple of str, the keys of the view of the fakes that the codes ask for."""
        return ("latents", *self._widths())

    def _widths(self):
        widths = {"categorical_logits": sum(self.categorical), "continuous_mean": self.continuous}
        return {name: width for name, width in widths.items() if width}

    def build(self, gan):
        """Checks that the latents have room for the codes, and the discriminator outputs."""
        width = sum(self._widths().values())
        if gan.latent_dim < width:
            raise ValueError(
                f"The codes of MutualInformation take {width} columns of the latents. "
                f"Received: latent_dim={gan.latent_dim}"
            )
        check_widths(self, gan, self._widths())

    def discriminator(self, real, fake):
        """Returns how surprising the fakes' codes are."""
        return self._surprise(fake)

    def generator(self, real, fake):
        """Returns how surprising the fakes' codes are."""
        return self._surprise(fake)

    def _surprise(self, fake):
        latents = ops.convert_to_tensor(fake["latents"])
        codes = latents[:, latents.shape[-1] - sum(self._widths().values()) :]
        total, start = 0.0, 0
        for size in self.categorical:
            block = slice(start, start + size)
            logits = ops.convert_to_tensor(fake["categorical_logits"])[:, block]
            total += CategoricalCodeLoss()(codes[:, block], logits)
            start += size
        if self.continuous:
            total += ContinuousCodeLoss()(codes[:, start:], fake["continuous_mean"])
        return total

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        config = super().get_config()
        return {**config, "categorical": self.categorical, "continuous": self.continuous}
