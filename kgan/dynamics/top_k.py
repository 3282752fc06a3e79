"""Training the generator on its best fakes."""

import keras
from keras import ops

from kgan import replicas
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.layers.checks import check_positive_int, is_number


@DYNAMICS.register
@keras.saving.register_keras_serializable(package="kgan")
class TopK(Dynamics):
    """Lets the generator learn only from the fakes that the discriminator finds best.

    Sinha et al. 2020, "Top-k Training of GANs: Improving GAN Performance by Throwing Away Bad
    Samples" (arXiv 2002.06224). The share of the batch that counts begins at 1 and
    falls exponentially, by the factor `decay` every `decay_images` images, down to
    `final_fraction`. The best are those of the whole batch, over all replicas.

    Args:
        final_fraction: float in (0, 1], the smallest share, the paper's ν / batch size. Defaults
            to 0.5.
        decay: float in (0, 1), by which the share is multiplied. Defaults to 0.99.
        decay_images: int > 0, in how many images the share falls by `decay`; an epoch in the
            paper. Defaults to 50,000.
        name: str, the prefix of its log, the share. Defaults to `"top_k"`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> dynamics = kgan.dynamics.get("top_k:0.75")
    >>> dynamics.final_fraction
    0.75
    """

    player = "generator"
    whole_batch = True

    def __init__(self, final_fraction=0.5, decay=0.99, decay_images=50_000, name=None):
        if not (is_number(final_fraction) and 0 < final_fraction <= 1):
            raise ValueError(f"final_fraction must lie in (0, 1]. Received: {final_fraction!r}")
        if not (is_number(decay) and 0 < decay < 1):
            raise ValueError(f"decay must lie in (0, 1). Received: {decay!r}")
        check_positive_int("decay_images", decay_images)
        super().__init__(name)
        self.final_fraction = final_fraction
        self.decay = decay
        self.decay_images = decay_images

    def build(self, gan):
        """Follows this game's count of images."""
        self._images_seen = gan.images_seen

    @property
    def state_names(self):
        """Tuple of str, the key of the share in the logs."""
        return (f"{self.name}_fraction",)

    def state_logs(self):
        """Returns the share of the batch that counts."""
        return {f"{self.name}_fraction": self._fraction()}

    def weigh(self, fake_scores):
        """Returns 1 / share for the best fakes, and 0 for the rest."""
        n = ops.shape(fake_scores)[0]
        scores = ops.mean(ops.reshape(ops.cast(fake_scores, "float32"), (n, -1)), axis=-1)
        scores = replicas.gather(ops.stop_gradient(scores))
        total = ops.cast(ops.shape(scores)[0], "float32")
        count = ops.ceil(self._fraction() * total)
        ranks = ops.argsort(ops.argsort(-scores))
        weights = ops.where(ops.cast(ranks, "float32") < count, total / count, 0.0)
        return replicas.share(lambda _: weights, n)

    def _fraction(self):
        decays = ops.cast(self._images_seen, "float32") / self.decay_images
        return ops.maximum(self.final_fraction, self.decay**decays)

    def get_config(self):
        """Returns the arguments that make equal dynamics."""
        return {
            **super().get_config(),
            "final_fraction": self.final_fraction,
            "decay": self.decay,
            "decay_images": self.decay_images,
        }
