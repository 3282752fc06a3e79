"""Penalties on the discriminator's gradient with respect to its input."""

import keras
from keras import ops

from kgan.penalties.base import PENALTIES, Penalty, input_gradients, squared_norms


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class R1(Penalty):
    """Half the squared norm of the discriminator's gradient on reals: weight/2 E[‖∇D(x)‖²].

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?"
    (arXiv 1801.04406), equation 9, with `weight` as its γ.

    Args:
        weight: float > 0, γ. Defaults to 10.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"r1"`.

    Example:
    >>> penalty = kgan.penalties.R1(10.0)
    >>> images = keras.ops.ones((4, 2))
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> float(penalty(kgan.Round(real={"images": images}, fake={}, score=score)))  # 10 / 2 * 25
    125.0
    """

    def __init__(self, weight=10.0, every=1, name=None):
        super().__init__(weight, every, name)

    def call(self, round):
        """Returns E[‖∇D(x)‖²] / 2."""
        gradients = input_gradients(round.score, round.real["images"])
        return ops.mean(squared_norms(gradients)) / 2
