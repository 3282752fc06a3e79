"""What auxiliary losses have in common: terms that a game may add to its players' losses."""

import keras
from keras import ops

from kgan import replicas
from kgan.component import Component
from kgan.registry import Registry

AUXILIARY_LOSSES = Registry("auxiliary loss")


class BatchLoss(keras.losses.Loss):
    """Base of a loss of what is known of one batch, or of two.

    A subclass writes `call`, which receives floats in float32 and integers as int32, and returns
    the loss of each example, `(batch,)`, or one scalar where it is a statistic of the batch.

    The result is the mean over *this replica's* examples, as with `kgan.losses.AdversarialLoss`:
    kgan's train step divides by the number of replicas once, for all terms alike.

    Args:
        reduction: str or None, `"sum_over_batch_size"`, `"sum"` or `None` (a loss an example).
            Defaults to `"sum_over_batch_size"`.
        name: str, defaults to the class name in snake case.
        dtype: dtype of the computation. Defaults to Keras's floatx.

    Example:
    >>> loss = kgan.losses.ClassificationLoss()
    >>> round(float(loss(np.array([0, 1]), np.zeros((2, 2)))), 4)  # log 2
    0.6931
    """

    def __call__(self, *inputs, sample_weight=None):
        """Returns the reduced loss, weighting each example if told."""
        losses = self.call(*map(self._cast, inputs))
        if sample_weight is not None:
            losses = self._weigh(losses, sample_weight)
        if self.reduction in (None, "none"):
            return losses
        return ops.sum(losses) if self.reduction == "sum" else ops.mean(losses)

    def _cast(self, x):
        x = ops.convert_to_tensor(x)
        is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        return ops.cast(x, self.dtype if is_float else "int32")

    def _weigh(self, losses, sample_weight):
        if len(losses.shape) == 0:
            raise ValueError(
                f"{type(self).__name__} is one number for the whole batch, so it takes no "
                f"sample_weight. Received: {sample_weight!r}"
            )
        return losses * ops.reshape(ops.cast(sample_weight, losses.dtype), (-1,))

    def call(self, *inputs):
        """Returns the loss of each example, or one scalar of the whole batch."""
        raise NotImplementedError(f"{type(self).__name__} must implement call().")


class AuxiliaryLoss(Component):
    """Base of a term that is added to one player's loss or both.

    A subclass writes `discriminator`, `generator` or both. What they return is multiplied by
    `weight`, added to that player's loss and logged as `"discriminator_NAME"` or
    `"generator_NAME"`.

    Conditioning by projection (Miyato and Koyama 2018, arXiv 1802.05637) adds no term: it is a
    part of the score, so it is a layer, `kgan.layers.ProjectionHead`.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not above 0.
    """

    # Names of the discriminator's layers whose outputs the views must hold under "features".
    layers = ()

    def __init__(self, weight=1.0, name=None):
        super().__init__(name)
        if not weight > 0:
            raise ValueError(
                f"The weight of an auxiliary loss must be above 0. Received: {weight!r}"
            )
        self.weight = weight

    @property
    def players(self):
        """Tuple of str, the players whose losses have this term."""
        return tuple(
            player
            for player in ("discriminator", "generator")
            if getattr(type(self), player) is not getattr(AuxiliaryLoss, player)
        )

    def discriminator(self, real, fake):
        """Returns the discriminator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the discriminator.")

    def generator(self, real, fake):
        """Returns the generator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the generator.")

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "weight": self.weight}


def check_layers(layers):
    """Returns names of layers as a list, given as one name or several; raises where none is."""
    names = [layers] if isinstance(layers, str) else list(layers or ())
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            "layers must be the name of a layer of the discriminator, or a list of one or more. "
            f"Received: {layers!r}"
        )
    return names


def check_class_numbers(asker, gan):
    """Raises a `ValueError` unless this game's labels are class numbers."""
    if gan.num_classes is None:
        raise ValueError(
            f"{type(asker).__name__} needs labels that are class numbers: GAN(num_classes=…). "
            f"Received: GAN(condition_dim={gan.condition_dim!r})"
        )


def check_widths(asker, gan, widths):
    """Raises a `ValueError` unless the discriminator's outputs have these widths.

    Args:
        asker: `AuxiliaryLoss`, whose need it is.
        gan: `kgan.GAN`, the game.
        widths: dict of str to int, the last axis of each output.
    """
    labels = keras.Input((), dtype="int32") if gan.num_classes is not None else None
    if gan.condition_dim is not None:
        labels = keras.Input((gan.condition_dim,))
    view = gan.view(keras.Input(gan.image_shape), labels)
    for name, width in widths.items():
        if tuple(view[name].shape) != (None, width):
            raise ValueError(
                f"{type(asker).__name__} needs a discriminator whose {name!r} has the shape "
                f"{('batch', width)}. Received: {('batch', *view[name].shape[1:])}"
            )


def batch_mean(x):
    """Returns the mean over the examples of all replicas, with a batch axis of 1."""
    return replicas.mean(ops.mean(ops.cast(x, "float32"), axis=0, keepdims=True))


def whole_batch(x):
    """Returns the examples of all replicas, in float32."""
    return replicas.gather(ops.cast(x, "float32"))


def flat(x):
    """Returns one row an example."""
    return ops.reshape(x, (ops.shape(x)[0], -1))


def unit_rows(x):
    """Returns rows of length 1; a row of zeros stays as it is, with a finite gradient."""
    return x * ops.rsqrt(ops.maximum(ops.sum(x * x, axis=-1, keepdims=True), 1e-12))
