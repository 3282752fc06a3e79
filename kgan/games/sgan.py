"""SGAN: a discriminator that is a classifier, and learns from few labels."""

import keras
from keras import ops

from kgan import batches, replicas
from kgan.gan import GAN
from kgan.layers.checks import check_positive_number
from kgan.losses.base import AdversarialLoss
from kgan.losses.classification import ClassificationLoss
from kgan.losses.minimax import LogitPair

UNKNOWN = -1


@keras.saving.register_keras_serializable(package="kgan")
class SGAN(GAN):
    """A semi-supervised game: the discriminator classifies, and fakes are one class more.

    Odena 2016, "Semi-Supervised Learning with Generative Adversarial Networks" (arXiv 1606.01583);
    Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv 1606.03498), section 5.
    Of the logits l of K + 1 classes, that of the fakes is fixed to 0, so that

        D(x) = Z(x) / (Z(x) + 1),   Z(x) = Σₖ exp lₖ(x)

    and the score is log Z. The discriminator minimises its loss of the scores, and
    `supervised_weight` times the cross-entropy -log softmax(l)_y of those reals whose label is
    known. Labels are class numbers, -1 where unknown: `fit` takes a dataset of `(images, labels)`,
    such as `kgan.data.semi_supervised.SemiSupervised` makes. The generator is given none.

    With `compile(loss=kgan.games.IndifferentGenerator(…), auxiliary_losses="feature_matching:…")`
    the generator matches features, section 3.1, and does not care for scores.

    Args:
        generator: `keras.Model`, as in `kgan.GAN`.
        discriminator: `keras.Model`, samples to the logits of the K classes, `(batch, K)`.
        supervised_weight: float > 0, the factor of the cross-entropy. Defaults to 1.
        **kwargs: as in `kgan.GAN`, without labels.

    Raises:
        ValueError: if the discriminator does not return two logits or more, or an argument is out
            of range; from `fit`, if there are no labels.
        tf.errors.InvalidArgumentError: from `fit`, if a label is neither -1 nor in [0, K).

    Example:
    >>> gan = kgan.games.SGAN(
    ...     kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator((2,), units=[8], head=keras.layers.Dense(3)),
    ... )
    >>> gan.compile()
    >>> images, labels = np.random.uniform(-1, 1, (6, 2)), np.array([-1, -1, -1, -1, 0, 2])
    >>> history = gan.fit(images, labels, verbose=0)
    >>> tuple(gan.classify(images).shape)
    (6, 3)
    """

    def __init__(self, generator, discriminator, supervised_weight=1.0, **kwargs):
        check_positive_number("supervised_weight", supervised_weight)
        # === Config ===
        self.supervised_weight = supervised_weight
        super().__init__(generator, discriminator, **kwargs)

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round with labels that are -1 where unknown; see `kgan.GAN.compute_losses`."""
        logs = super().compute_losses(real_images, labels, training)
        known = ops.cast(labels != UNKNOWN, "float32")
        logits = logs["round"].real["class_logits"]
        each = ClassificationLoss(reduction=None)(ops.maximum(labels, 0), logits)
        # Replicas may know of more labels or fewer, and each label counts the same.
        count = ops.maximum(replicas.mean(ops.sum(known)), 1e-6)
        loss = self.supervised_weight * ops.sum(each * known) / count
        logs["discriminator_loss"] += loss
        return {**logs, "classification_loss": loss}

    def log_names(self):
        """Returns the keys of what `compute_losses` returns."""
        return [*super().log_names(), "classification_loss"]

    def classify(self, images):
        """Returns how probable each class is, of real images: float32 `(batch, K)`.

        Args:
            images: float `(batch, *image_shape)` in [-1, 1].
        """
        logits = self.discriminator(images, training=False)
        return ops.softmax(ops.cast(logits, "float32"))

    # --- What a classifier says of reality ------------------------------------------------------

    def _build_players(self):
        image_shape, shapes = super()._build_players()
        shape = shapes["score"]
        if len(shape) != 2 or shape[1] < 2:
            raise ValueError(
                "The discriminator must return the logits of two classes or more, of shape "
                f"(batch, classes). Received: {shape}"
            )
        return image_shape, {"score": shape[:1], "class_logits": shape}

    def _judge(self, images, labels, training):
        said = super()._judge(images, labels, training)
        return {**said, "score": _realness(said["score"]), "class_logits": said["score"]}

    def score(self, images, labels=None, training=False):
        """Returns log Z of these images: above 0 where they are more likely real than fake."""
        return _realness(super().score(images, labels, training))

    def _unpack(self, data):
        images, _ = super()._unpack(data)
        labels = keras.utils.unpack_x_y_sample_weight(data)[1]
        if labels is None:
            raise ValueError(
                "SGAN needs a label for each image, -1 where it is unknown: a dataset of (images, "
                "labels), or fit(images, labels). Received: images only"
            )
        labels = ops.cast(labels, "int32")
        is_unknown = labels == UNKNOWN
        num_classes = self.output_shapes["class_logits"][-1]
        checked = batches.check_labels(ops.where(is_unknown, 0, labels), num_classes, None)
        return images, ops.where(ops.reshape(is_unknown, (-1,)), UNKNOWN, checked)

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        return {**super().get_config(), "supervised_weight": self.supervised_weight}


@keras.saving.register_keras_serializable(package="kgan")
class IndifferentGenerator(LogitPair):
    """The game of a generator that does not care for scores: its part of the loss is 0.

    Its auxiliary losses are then all that it wants, as in Salimans et al. 2016 (arXiv 1606.03498),
    section 3.1.

    Args:
        discriminator: `kgan.losses.AdversarialLoss`, what the discriminator minimises, of logits.

    Raises:
        TypeError: if it is none.

    Example:
    >>> pair = kgan.games.IndifferentGenerator(kgan.losses.MinimaxDiscriminatorLoss())
    >>> float(pair.generator(np.ones(4), np.ones(4)))
    0.0
    """

    def __init__(self, discriminator):
        super().__init__(discriminator, _Zero())

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"discriminator": super().get_config()["discriminator"]}


class _Zero(AdversarialLoss):
    def call(self, real_scores, fake_scores):
        return ops.zeros_like(fake_scores)


def _realness(logits):
    """Returns log Z, the logit of D(x) = Z / (Z + 1)."""
    return ops.logsumexp(ops.cast(logits, "float32"), axis=-1)
