"""SGAN: a discriminator that is a classifier, and learns from few labels."""

import keras
from keras import ops

from kgan import batches
from kgan.gan import GAN
from kgan.layers.checks import check_positive_number
from kgan.losses.classification import ClassificationLoss


@keras.saving.register_keras_serializable(package="kgan")
class SGAN(GAN):
    """A semi-supervised game: the discriminator classifies, and fakes are one class more.

    Odena 2016, "Semi-Supervised Learning with Generative Adversarial Networks" (arXiv 1606.01583);
    Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv 1606.03498), section 5.
    Of the logits l of K + 1 classes, that of the fakes is fixed to 0, so that

        D(x) = Z(x) / (Z(x) + 1),   Z(x) = Σₖ exp lₖ(x)

    and the score is log Z. The discriminator minimises its loss of the scores, and
    `supervised_weight` times the cross-entropy -log softmax(l)_y of labelled images. `fit` takes a
    dataset of `(images, (labelled_images, labels))`, as many of either, such as
    `kgan.data.SemiSupervised` makes: the game is played with the first, so that the few labelled
    images are not half of what is real. Of `(images, labels)` all are both. The generator is given
    no labels.

    With `compile(loss=kgan.losses.IndifferentGenerator(…), auxiliary_losses="feature_matching:…")`
    the generator matches features, section 3.1, and does not care for scores.

    Args:
        generator: `keras.Model`, as in `kgan.GAN`.
        discriminator: `keras.Model`, samples to the logits of the K classes, `(batch, K)`.
        supervised_weight: float > 0, the factor of the cross-entropy. Defaults to 1.
        **kwargs: as in `kgan.GAN`, without labels.

    Raises:
        ValueError: if the discriminator does not return two logits or more, or an argument is out
            of range; from `fit`, if there are no labels.
        tf.errors.InvalidArgumentError: from `fit`, if a label is not in [0, K).

    Example:
    >>> gan = kgan.games.SGAN(
    ...     kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator((2,), units=[8], head=keras.layers.Dense(3)),
    ... )
    >>> gan.compile()
    >>> images, labels = np.random.uniform(-1, 1, (6, 2)), np.array([0, 1, 2, 0, 1, 2])
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
        """Plays one round, and teaches classes; see `kgan.GAN.compute_losses`.

        Args:
            real_images: as of `GAN.compute_losses`.
            labels: tuple of labelled images and their class numbers.
            training: as of `GAN.compute_losses`.
        """
        labelled_images, labels = labels
        logs = super().compute_losses(real_images, None, training)
        labelled_images = self._augmented(labelled_images, training)
        logits = self._judge(labelled_images, None, training)["class_logits"]
        loss = self.supervised_weight * ClassificationLoss()(labels, logits)
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

    def unpack(self, data):
        """Returns the images of a batch, and labelled images with their labels as its labels."""
        images, _ = super().unpack(data)
        labels = keras.utils.unpack_x_y_sample_weight(data)[1]
        if labels is None:
            raise ValueError(
                "SGAN needs labelled images: a dataset of (images, (labelled_images, labels)), or "
                "fit(images, labels). Received: images only"
            )
        labelled_images, labels = labels if isinstance(labels, tuple) else (images, labels)
        batches.check_images(labelled_images, self.image_shape)
        num_classes = self.output_shapes["class_logits"][-1]
        labels = batches.check_labels(labels, num_classes, None)
        return images, (ops.cast(labelled_images, "float32"), labels)

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        return {**super().get_config(), "supervised_weight": self.supervised_weight}


def _realness(logits):
    """Returns log Z, the logit of D(x) = Z / (Z + 1)."""
    return ops.logsumexp(ops.cast(logits, "float32"), axis=-1)
