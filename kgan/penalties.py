"""What keeps the discriminator smooth: terms on its gradients, added to its loss.

A penalty is called by `GAN.compute_losses` as `penalty(score, real_images, fake_images, step)`,
where `score` maps images to the discriminator's scores with the labels already bound. The
gradients with respect to images are the only thing here that a Keras backend has to compute.
"""

import keras
import tensorflow as tf
from keras import ops

from kgan.registry import snake_case


class Penalty:
    """Base of the penalties.

    A subclass writes `call`; what it returns is multiplied by `weight`, added to the
    discriminator's loss and logged under `name`.

    With `every=k` the penalty is lazy (Karras et al. 2020, arXiv 1912.04958, section 3.1): it is
    computed in every k-th step only, with k times the weight, so that its mean stays the same.

    Args:
        weight: float > 0, the factor of the penalty in the discriminator's loss.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not above 0 or `every` is below 1.
    """

    def __init__(self, weight, every=1, name=None):
        if not weight > 0:
            raise ValueError(f"The weight of a penalty must be above 0. Received: {weight!r}")
        if not (isinstance(every, int) and every >= 1):
            raise ValueError(f"every must be an int of 1 or more. Received: {every!r}")
        self.weight = weight
        self.every = every
        self.name = name or snake_case(type(self).__name__)

    def __call__(self, score, real_images, fake_images, step=0):
        """Returns the weighted penalty of this step of the discriminator, a float32 scalar."""

        def penalty():
            return self.weight * self.every * self.call(score, real_images, fake_images)

        if self.every == 1:
            return penalty()
        return ops.cond(step % self.every == 0, penalty, lambda: ops.zeros((), "float32"))

    def call(self, score, real_images, fake_images):
        """Returns the unweighted penalty, a scalar."""
        raise NotImplementedError(f"{type(self).__name__} must implement call().")

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {"weight": self.weight, "every": self.every, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """Makes the penalty that `get_config` described."""
        return cls(**config)


def input_gradients(score, images):
    """Returns the gradient of each image's score with respect to that image, in float32.

    Args:
        score: callable from images to scores of shape `(batch, …)`.
        images: float tensor `(batch, …)`.
    """
    images = ops.cast(images, "float32")
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        # An image's score depends on that image alone, so the sum's gradient holds them all.
        total = ops.sum(ops.cast(score(images), "float32"))
    return tape.gradient(total, images)


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
    >>> float(penalty(score, images, images))  # 10 / 2 * 25
    125.0
    """

    def __init__(self, weight=10.0, every=1, name=None):
        super().__init__(weight, every, name)

    def call(self, score, real_images, fake_images):
        """Returns E[‖∇D(x)‖²] / 2."""
        gradients = input_gradients(score, real_images)
        squared_norms = ops.sum(ops.reshape(gradients**2, (ops.shape(gradients)[0], -1)), axis=-1)
        return ops.mean(squared_norms) / 2
