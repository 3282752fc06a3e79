"""Contrastive conditioning: embeddings that lie near their class and far from the others."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.auxiliary import (
    AUXILIARY_LOSSES,
    AuxiliaryLoss,
    check_class_numbers,
    unit_rows,
    whole_batch,
)
from kgan.losses.base import BatchLoss

# The logit of what takes no part in a softmax.
_LEFT_OUT = -1e9


def _check_temperature(temperature):
    if not (is_number(temperature) and temperature > 0):
        raise ValueError(f"temperature must be above 0. Received: {temperature!r}")


def _same_class(labels):
    return labels[:, None] == labels[None, :]


def _log_sum_exp(first, rest, takes_part):
    """Returns log(e^first + Σ e^rest) of each row, over the part of `rest` that takes part."""
    rest = ops.where(takes_part, rest, _LEFT_OUT)
    return ops.logsumexp(ops.concatenate([first[:, None], rest], axis=1), axis=1)


@keras.saving.register_keras_serializable(package="kgan")
class ContrastiveConditionalLoss(BatchLoss):
    """The conditional contrastive loss 2C: images of a class attract each other and its proxy.

    Kang and Park 2020, "ContraGAN: Contrastive Learning for Conditional Image Generation" (arXiv
    2006.12681), equation 8. With unit embeddings l, the unit proxy e of the image's class and the
    temperature t, an image's loss is

        -log( (exp(lᵢᵀeᵢ/t) + Σₖ [yₖ = yᵢ] exp(lᵢᵀlₖ/t)) / (exp(lᵢᵀeᵢ/t) + Σₖ exp(lᵢᵀlₖ/t)) )

    with sums over the batch's other images. Embeddings and proxies are scaled to length 1 here.

    Args:
        temperature: float > 0, t. Defaults to 1, as in the authors' configurations.
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Raises:
        ValueError: if `temperature` is not above 0.

    Example:
    >>> loss = kgan.losses.ContrastiveConditionalLoss()
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> round(float(loss(x, x, np.array([0, 1]))), 4)  # -log(e / (e + 1))
    0.3133
    """

    def __init__(self, temperature=1.0, **kwargs):
        super().__init__(**kwargs)
        _check_temperature(temperature)
        self.temperature = temperature

    def call(self, embeddings, proxies, labels):
        """Returns the loss of each image.

        Args:
            embeddings: float `(batch, dim)`.
            proxies: float `(batch, dim)`, those of the images' classes.
            labels: int `(batch,)`, class numbers.
        """
        embeddings, proxies = unit_rows(embeddings), unit_rows(proxies)
        to_proxy = ops.sum(embeddings * proxies, axis=-1) / self.temperature
        to_others = ops.matmul(embeddings, ops.transpose(embeddings)) / self.temperature
        same = _same_class(labels)
        others = ops.logical_not(ops.eye(ops.shape(same)[0], dtype="bool"))
        attracted = _log_sum_exp(to_proxy, to_others, ops.logical_and(same, others))
        return _log_sum_exp(to_proxy, to_others, others) - attracted

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="kgan")
class DataToDataLoss(BatchLoss):
    """The data-to-data cross-entropy D2D-CE: near the own class, far from images of others.

    Kang et al. 2021, "Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training" (arXiv
    2111.01118). With unit embeddings f, the unit proxy v of the image's class, the
    temperature τ, [·]₋ = min(·, 0) and [·]₊ = max(·, 0), an image's loss is

        -log( exp([fᵢᵀvᵢ - m_p]₋/τ) / (exp([fᵢᵀvᵢ - m_p]₋/τ) + Σⱼ exp([fᵢᵀfⱼ - m_n]₊/τ)) )

    with the sum over the batch's images of other classes. The margins leave alone what is near
    enough to its class or far enough from the others. Embeddings and proxies are scaled to
    length 1 here.

    Args:
        temperature: float > 0, τ. Defaults to 0.5, the authors' for CIFAR.
        positive_margin: float in [-1, 1], m_p, the cosine with the own class that is enough.
            Defaults to 0.98, the authors' for CIFAR.
        negative_margin: float in [-1, 1], m_n, the cosine with images of other classes that is
            allowed. Defaults to 0.02: the authors' code takes 1 - m_p.
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Raises:
        ValueError: if `temperature` is not above 0, or a margin is no cosine.

    Example:
    >>> loss = kgan.losses.DataToDataLoss()
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> round(float(loss(x, x, np.array([0, 1]))), 4)  # -log(1 / (1 + 1))
    0.6931
    """

    def __init__(self, temperature=0.5, positive_margin=0.98, negative_margin=0.02, **kwargs):
        super().__init__(**kwargs)
        _check_temperature(temperature)
        margins = {"positive_margin": positive_margin, "negative_margin": negative_margin}
        for name, margin in margins.items():
            if not (is_number(margin) and -1 <= margin <= 1):
                raise ValueError(
                    f"{name} is a cosine, so it must lie in [-1, 1]. Received: {margin!r}"
                )
        self.temperature = temperature
        self.positive_margin = positive_margin
        self.negative_margin = negative_margin

    def call(self, embeddings, proxies, labels):
        """Returns the loss of each image.

        Args:
            embeddings: float `(batch, dim)`.
            proxies: float `(batch, dim)`, those of the images' classes.
            labels: int `(batch,)`, class numbers.
        """
        embeddings, proxies = unit_rows(embeddings), unit_rows(proxies)
        to_proxy = ops.sum(embeddings * proxies, axis=-1)
        to_others = ops.matmul(embeddings, ops.transpose(embeddings))
        positive = ops.minimum(to_proxy - self.positive_margin, 0) / self.temperature
        negative = ops.maximum(to_others - self.negative_margin, 0) / self.temperature
        other_classes = ops.logical_not(_same_class(labels))
        return _log_sum_exp(positive, negative, other_classes) - positive

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "positive_margin": self.positive_margin,
            "negative_margin": self.negative_margin,
        }


class _Contrastive(AuxiliaryLoss):
    """Each player minimises `self.loss` over its own images: those of all replicas."""

    needs = ("labels", "embedding", "proxy")

    def build(self, gan):
        """Checks that labels are class numbers."""
        check_class_numbers(self, gan)

    def discriminator(self, real, fake):
        """Returns the loss of the reals."""
        return self._term(real)

    def generator(self, real, fake):
        """Returns the loss of the fakes."""
        return self._term(fake)

    def _term(self, view):
        embeddings, proxies, labels = (
            whole_batch(view[name]) for name in ("embedding", "proxy", "labels")
        )
        return self.loss(embeddings, proxies, ops.cast(labels, "int32"))


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class ContrastiveConditional(_Contrastive):
    """The discriminator brings reals of a class together, the generator fakes (2C, ContraGAN).

    Kang and Park 2020 (arXiv 2006.12681), equation 8: the discriminator minimises
    `ContrastiveConditionalLoss` over the reals of the whole batch (of all replicas), the generator
    over the fakes. The discriminator returns `"embedding"` and `"proxy"`, as
    `kgan.layers.ContrastiveHead` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        temperature: float > 0. Defaults to 1.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if an argument is out of range; at `compile`, if the game has no class numbers.

    Example:
    >>> contrast = kgan.losses.ContrastiveConditional()
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> view = {"labels": np.array([0, 1]), "embedding": x, "proxy": x}
    >>> round(float(contrast.generator(view, view)), 4)
    0.3133
    """

    def __init__(self, weight=1.0, temperature=1.0, name=None):
        super().__init__(weight, name)
        self.temperature = temperature
        self.loss = ContrastiveConditionalLoss(temperature)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "temperature": self.temperature}


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class DataToData(_Contrastive):
    """Reals, and in the generator's turn fakes, keep away from other classes (D2D-CE, ReACGAN).

    Kang et al. 2021 (arXiv 2111.01118): the discriminator minimises `DataToDataLoss`
    over the reals of the whole batch (of all replicas), the generator over the fakes. The
    discriminator returns `"embedding"` and `"proxy"`, as `kgan.layers.ContrastiveHead` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1; the authors use their
            temperature (0.5 on CIFAR-10).
        temperature: float > 0. Defaults to 0.5, the authors' for CIFAR.
        positive_margin: float in [-1, 1], the cosine with the own class that is enough. Defaults
            to 0.98, the authors' for CIFAR.
        negative_margin: float in [-1, 1], the cosine with images of other classes that is
            allowed. Defaults to 0.02.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if an argument is out of range; at `compile`, if the game has no class numbers.

    Example:
    >>> contrast = kgan.losses.DataToData(weight=0.5)
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> view = {"labels": np.array([0, 1]), "embedding": x, "proxy": x}
    >>> round(float(contrast.discriminator(view, view)), 4)
    0.6931
    """

    def __init__(
        self, weight=1.0, temperature=0.5, positive_margin=0.98, negative_margin=0.02, name=None
    ):
        super().__init__(weight, name)
        self.temperature = temperature
        self.positive_margin = positive_margin
        self.negative_margin = negative_margin
        self.loss = DataToDataLoss(temperature, positive_margin, negative_margin)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "positive_margin": self.positive_margin,
            "negative_margin": self.negative_margin,
        }
