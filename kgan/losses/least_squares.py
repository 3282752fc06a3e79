"""Scores regressed on the numbers that stand for real and fake."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


@keras.saving.register_keras_serializable(package="kgan")
class LeastSquaresDiscriminatorLoss(AdversarialLoss):
    """Reals should score b and fakes a: E[(D(x) - b)²] / 2 + E[(D(G(z)) - a)²] / 2.

    Mao et al. 2017, "Least Squares Generative Adversarial Networks" (arXiv 1611.04076), equation 2.

    Args:
        a: float, the number for fakes. Defaults to 0.
        b: float, the number for reals. Defaults to 1.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Example:
    >>> loss = kgan.losses.LeastSquaresDiscriminatorLoss(a=-1, b=1)
    >>> float(loss(np.zeros(4), np.zeros(4)))
    1.0
    """

    def __init__(self, a=0.0, b=1.0, **kwargs):
        super().__init__(**kwargs)
        self.a = a
        self.b = b

    def call(self, real_scores, fake_scores):
        """Returns half the squared errors of each pair of scores."""
        return (ops.square(real_scores - self.b) + ops.square(fake_scores - self.a)) / 2

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "a": self.a, "b": self.b}


@keras.saving.register_keras_serializable(package="kgan")
class LeastSquaresGeneratorLoss(AdversarialLoss):
    """The generator wants its fakes to score c: E[(D(G(z)) - c)²] / 2.

    Mao et al. 2017, "Least Squares Generative Adversarial Networks" (arXiv 1611.04076), equation 2.
    Unlike the cross-entropy, it also pulls at fakes that are already taken for real.

    Args:
        c: float, the number that fakes should score. Defaults to 1.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Example:
    >>> loss = kgan.losses.LeastSquaresGeneratorLoss()
    >>> float(loss(np.zeros(4), np.zeros(4)))
    0.5
    """

    def __init__(self, c=1.0, **kwargs):
        super().__init__(**kwargs)
        self.c = c

    def call(self, real_scores, fake_scores):
        """Returns half the squared error of each fake."""
        return ops.square(fake_scores - self.c) / 2

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "c": self.c}


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class LeastSquares(LossPair):
    """LSGAN, Mao et al. 2017, "Least Squares Generative Adversarial Networks" (arXiv 1611.04076).

    The paper's two choices are a, b, c = 0, 1, 1 (equation 9: fakes should score what reals do) and
    -1, 1, 0 (equation 8: with it the game minimises the Pearson chi-square divergence). Scores are
    neither logits nor probabilities, so `probability` leaves them as they are.

    Args:
        a: float, what the discriminator wants fakes to score. Defaults to 0.
        b: float > a, what it wants reals to score. Defaults to 1.
        c: float > a, what the generator wants fakes to score. Defaults to 1.

    Raises:
        ValueError: if b or c is not above a: reals score high, everywhere in kgan.

    Example:
    >>> pair = kgan.losses.get("least_squares:a=-1,b=1,c=0")
    >>> float(pair.generator(np.zeros(4), np.full(4, 0.5)))
    0.125
    """

    def __init__(self, a=0.0, b=1.0, c=1.0):
        for name, value in (("a", a), ("b", b), ("c", c)):
            if not is_number(value):
                raise ValueError(f"{name} must be a number. Received: {value!r}")
        for name, value in (("b", b), ("c", c)):
            if not value > a:
                raise ValueError(
                    f"{name} must be above a, what fakes should score. "
                    f"Received: a={a!r}, b={b!r}, c={c!r}"
                )
        super().__init__(LeastSquaresDiscriminatorLoss(a, b), LeastSquaresGeneratorLoss(c))
        self.a = a
        self.b = b
        self.c = c

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"a": self.a, "b": self.b, "c": self.c}
