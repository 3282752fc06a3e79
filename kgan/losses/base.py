"""What every adversarial loss has in common: shapes, reduction, and the pair of two players."""

import math

import keras
from keras import ops

from kgan.registry import Registry

LOSSES = Registry("loss")


class BatchLoss(keras.losses.Loss):
    """Base of a loss of what is known of one batch, or of two.

    A subclass writes `call`, which receives floats in float32 and integers as int32, and returns
    the loss of each example, `(batch,)`, or one scalar where it is a statistic of the batch.

    The result is the mean over *this replica's* examples. Keras's own losses also divide by the
    number of replicas, which would leave penalties and other plain terms with a different scale:
    kgan's train step divides once, for all terms alike.

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
        return self._reduce(self.call(*map(self._cast, inputs)), sample_weight)

    def _reduce(self, losses, sample_weight):
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


class AdversarialLoss(BatchLoss):
    """Base of one player's loss, called as `loss(real_scores, fake_scores)`.

    A subclass writes `call`, which receives scores of shape `(batch, positions)` in float32 and
    returns a loss for each of them. Scores may come as `(batch,)`, `(batch, 1)` or a patch map
    `(batch, height, width, 1)`; an example's loss is the mean over its positions. What else a
    loss looks at (labels, …) it takes by name.

    Args:
        reduction: str or None, `"sum_over_batch_size"`, `"sum"` or `None` (a loss an example).
            Defaults to `"sum_over_batch_size"`.
        name: str, defaults to the class name in snake case.
        dtype: dtype of the computation. Defaults to Keras's floatx.

    Example:
    >>> loss = kgan.losses.NonSaturatingGeneratorLoss()
    >>> round(float(loss(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    0.6931
    """

    def __call__(self, real_scores, fake_scores, sample_weight=None, **context):
        """Returns the reduced loss, weighting each example if told."""
        real_scores, fake_scores = self._flatten(real_scores), self._flatten(fake_scores)
        losses = ops.mean(self.call(real_scores, fake_scores, **context), axis=-1)
        return self._reduce(losses, sample_weight)

    def _flatten(self, scores):
        scores = ops.convert_to_tensor(scores)
        places = scores.shape[1:]
        # Where the width is known it stays so, also for a batch of unknown size.
        width = -1 if None in places else math.prod(places)
        return ops.reshape(ops.cast(scores, self.dtype), (ops.shape(scores)[0], width))

    def call(self, real_scores, fake_scores):
        """Returns the loss of every score, of shape `(batch, positions)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement call().")


@keras.saving.register_keras_serializable(package="kgan")
class LossPair:
    """What the two players of a game want.

    Args:
        discriminator: `AdversarialLoss`, what the discriminator minimises.
        generator: `AdversarialLoss`, what the generator minimises.

    Raises:
        TypeError: if either is not an `AdversarialLoss`.

    Example:
    >>> pair = kgan.losses.LossPair(
    ...     discriminator=kgan.losses.MinimaxDiscriminatorLoss(),
    ...     generator=kgan.losses.NonSaturatingGeneratorLoss(),
    ... )
    >>> round(float(pair.discriminator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    1.3863
    """

    def __init__(self, discriminator, generator):
        for player, loss in (("discriminator", discriminator), ("generator", generator)):
            if not isinstance(loss, AdversarialLoss):
                raise TypeError(
                    f"The {player}'s loss must be a kgan.losses.AdversarialLoss (a Keras loss "
                    "of y_true and y_pred would be scaled differently from the other terms on "
                    f"several replicas). Received: {loss!r}"
                )
        self.discriminator = discriminator
        self.generator = generator

    @property
    def needs(self):
        """Tuple of str, what the views must hold besides the scores; see `terms`."""
        return ()

    @property
    def term_names(self):
        """Tuple of str, what `terms` returns besides the two losses."""
        return ()

    def build(self, gan):
        """Raises where this loss does not fit a game; called by `GAN.compile`.

        Args:
            gan: `kgan.GAN`.
        """

    def terms(self, real, fake):
        """Returns both players' losses of one round, and what else is worth logging.

        Args:
            real: dict, the view of the reals: `"images"`, `"score"`, `"labels"` in a conditional
                game, whatever else the discriminator says, and `"seed"` where something is drawn.
            fake: dict, the view of the fakes, likewise; `"weights"` `(batch,)` if the generator
                is to learn from some examples more than from others.

        Returns:
            Dict of scalars: `generator_loss`, `discriminator_loss` and `term_names`.
        """
        scores = real["score"], fake["score"]
        return {
            "generator_loss": self.generator(*scores, sample_weight=fake.get("weights")),
            "discriminator_loss": self.discriminator(*scores),
        }

    def probability(self, scores):
        """Returns D(x) in [0, 1] where the game's scores are logits, else the scores.

        Args:
            scores: float tensor of any shape, what the discriminator returned.
        """
        return scores

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "generator": keras.saving.serialize_keras_object(self.generator),
        }

    @classmethod
    def from_config(cls, config):
        """Makes the pair that `get_config` described."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})
