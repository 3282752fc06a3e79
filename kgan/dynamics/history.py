"""A pool of past fakes."""

import keras
from keras import ops

from kgan import replicas
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.layers.checks import check_positive_int


@DYNAMICS.register
@keras.saving.register_keras_serializable(package="kgan")
class HistoryPool(Dynamics):
    """Shows the discriminator old fakes among the new, so that it does not forget them.

    Shrivastava et al. 2017, "Learning from Simulated and Unsupervised Images through Adversarial
    Training" (arXiv 1612.07828), section 2.3. Half of the fakes that the discriminator learns from
    come from a pool of past ones, and after each of its updates half a batch of new ones take
    places in the pool: the free ones first, then any. The generator learns from its new fakes
    alone. The pool is saved with the model; with several replicas it is one pool of all.

    Args:
        size: int >= 1, how many fakes the pool holds. Defaults to 512.
        name: str, the key of the saved state. Defaults to `"history_pool"`.

    Raises:
        ValueError: if `size` is not a positive integer.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(dynamics=[kgan.dynamics.HistoryPool(100)])
    """

    def __init__(self, size=512, name=None):
        check_positive_int("size", size)
        super().__init__(name)
        self.size = size

    def build(self, gan):
        """Makes an empty pool of this game's images and labels."""
        self.images = self.add_variable((self.size, *gan.image_shape))
        # Not int32, whose variables TensorFlow keeps on the host, where XLA on a GPU cannot go.
        self.filled = self.add_variable(dtype="int")
        self.labels = None
        if gan.num_classes is not None:
            self.labels = self.add_variable((self.size,), dtype="int")
        elif gan.condition_dim is not None:
            self.labels = self.add_variable((self.size, gan.condition_dim))

    def show(self, fake_images, labels, seed):
        """Returns the fakes, about half of them replaced with past ones."""
        n = ops.shape(fake_images)[0]
        is_old = replicas.uniform((n,), seed) < 0.5 * ops.cast(self.filled > 0, "float32")
        filled = ops.cast(self.filled, "float32")
        places = ops.cast(replicas.uniform((n,), seed) * filled, "int32")
        images = _choose(is_old, ops.take(self.images, places, axis=0), fake_images)
        if labels is None:
            return images, None
        old_labels = ops.cast(ops.take(self.labels, places, axis=0), labels.dtype)
        return images, _choose(is_old, old_labels, labels)

    def after_update(self, round):
        """Lets half a batch of new fakes take places in the pool."""
        images = replicas.gather(round.fake["images"])
        half = (ops.shape(images)[0] + 1) // 2
        # A number that is known stays one: under JAX it says how large arrays are.
        count = min(half, self.size) if isinstance(half, int) else ops.minimum(half, self.size)
        filled = ops.cast(self.filled, "int32")
        # A block of neighbours: all places differ, and each is as likely as any other.
        anywhere = ops.cast(keras.random.uniform((), seed=round.seed) * self.size, "int32")
        start = ops.where(filled < self.size, filled, anywhere)
        places = ((start + ops.arange(count, dtype="int32")) % self.size)[:, None]
        self.images.assign(
            ops.scatter_update(self.images, places, ops.stop_gradient(images[:count]))
        )
        if self.labels is not None:
            labels = ops.cast(replicas.gather(round.fake["labels"]), self.labels.dtype)
            self.labels.assign(ops.scatter_update(self.labels, places, labels[:count]))
        self.filled.assign(ops.cast(ops.minimum(filled + count, self.size), "int"))

    def get_config(self):
        """Returns the arguments that make an equal pool."""
        return {**super().get_config(), "size": self.size}


def _choose(is_first, first, second):
    """Returns rows of the first where told, else of the second."""
    shape = (-1,) + (1,) * (len(first.shape) - 1)
    return ops.where(ops.reshape(is_first, shape), first, second)
