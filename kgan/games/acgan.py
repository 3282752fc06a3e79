"""AC-GAN: the discriminator does not see labels, it has to find them."""

import keras
from keras import ops

from kgan.gan import GAN, shapes_said


@keras.saving.register_keras_serializable(package="kgan")
class ACGAN(GAN):
    """A conditional game in which the discriminator, shown an image alone, also says its class.

    Odena, Olah, Shlens 2017, "Conditional Image Synthesis With Auxiliary Classifier GANs" (arXiv
    1610.09585), section 3. Both players want each image to be classified as its label:

        discriminator: L_C + L_S        generator: L_C - L_S

    L_S is what `compile(loss=…)` says of the scores, equation 2; L_C, equation 3, is
    `kgan.losses.AuxiliaryClassifier`, which `compile` adds unless told otherwise.

    Args:
        generator: `keras.Model`, `[latents, labels]` to images.
        discriminator: `keras.Model`, images alone to a dict of `"score"` and `"class_logits"`,
            `(batch, num_classes)`, as `kgan.layers.ClassifierHead` makes it.
        num_classes: int >= 1, classes of the int labels `(batch,)`.
        **kwargs: further arguments of `kgan.GAN`.

    Raises:
        ValueError: if the discriminator gives no `"class_logits"`, or an argument is out of range.

    Example:
    >>> gan = kgan.games.ACGAN(
    ...     kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8], num_classes=3),
    ...     kgan.backbones.MLPDiscriminator((2,), units=[8], head=kgan.layers.ClassifierHead(3)),
    ...     num_classes=3,
    ... )
    >>> tuple(gan.classify(np.zeros((5, 2))).shape)
    (5, 3)
    """

    def __init__(self, generator, discriminator, num_classes, **kwargs):
        super().__init__(generator, discriminator, num_classes=num_classes, **kwargs)

    def compile(self, *args, auxiliary_losses=("auxiliary_classifier",), **kwargs):
        """Says how the players learn.

        Args:
            *args: as in `GAN.compile`.
            auxiliary_losses: list of `kgan.losses.AuxiliaryLoss` or their names. Defaults to
                `"auxiliary_classifier"`, the paper's L_C.
            **kwargs: as in `GAN.compile`.
        """
        super().compile(*args, auxiliary_losses=auxiliary_losses, **kwargs)

    def classify(self, images):
        """Returns how probable the discriminator takes each class to be, `(batch, num_classes)`.

        Args:
            images: float `(batch, …)` in [-1, 1].
        """
        said = self.discriminator(images, training=False)
        return ops.softmax(ops.cast(said["class_logits"], "float32"))

    def score(self, images, labels=None, training=False):
        """Returns the discriminator's scores of these images, whatever their labels."""
        return super().score(images, None, training)

    # --- Labels reach the generator alone -------------------------------------------------------

    def _build_players(self):
        images = self.generator([keras.Input((self.latent_dim,)), self._label_input()])
        said = self.discriminator(images)
        if not isinstance(said, dict) or not {"score", "class_logits"} <= said.keys():
            raise ValueError(
                'The discriminator must return a dict of "score" and "class_logits", as '
                "kgan.layers.ClassifierHead makes it. "
                f"Received: {sorted(said) if isinstance(said, dict) else type(said).__name__}"
            )
        return tuple(images.shape[1:]), shapes_said(said)

    def _judge(self, images, labels, training):
        return super()._judge(images, None, training)
