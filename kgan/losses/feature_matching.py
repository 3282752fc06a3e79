"""Feature matching: fakes whose features have the reals' means."""

import keras
from keras import ops

from kgan.losses.auxiliary import (
    AUXILIARY_LOSSES,
    AuxiliaryLoss,
    batch_mean,
    check_layers,
)
from kgan.losses.base import BatchLoss


@keras.saving.register_keras_serializable(package="kgan")
class FeatureMatchingLoss(BatchLoss):
    """The distance of mean features: ‖E[f(x)] - E[f(G(z))]‖².

    Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv 1606.03498), section 3.1.
    The means are over the whole batch, that of all replicas.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.FeatureMatchingLoss()
    >>> float(loss(np.ones((4, 3)), np.zeros((4, 3))))
    3.0
    """

    def call(self, real_features, fake_features):
        """Returns the squared distance of the two means, a scalar."""
        return ops.sum(ops.square(batch_mean(real_features) - batch_mean(fake_features)))


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class FeatureMatching(AuxiliaryLoss):
    """The generator matches the mean features of layers of the discriminator.

    The sum of `FeatureMatchingLoss` over the layers, added to the generator's loss. Salimans et
    al. 2016 (arXiv 1606.03498), section 3.1.

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, names of layers of the discriminator, which must be a Functional or
            Sequential model; a single name needs no list.
        name: str, the last part of the key in the logs. Defaults to `"feature_matching"`.

    Raises:
        ValueError: if `weight` is not above 0 or `layers` names none; at `compile`, if the
            discriminator has no such layer.

    Example:
    >>> matching = kgan.losses.FeatureMatching(10, layers=["hidden"])
    >>> real, fake = ({"features": {"hidden": x}} for x in (np.ones((4, 3)), np.zeros((4, 3))))
    >>> float(matching.generator(real, fake))
    3.0
    """

    def __init__(self, weight=1.0, layers=(), name=None):
        super().__init__(weight, name)
        self.layers = check_layers(layers)
        self.loss = FeatureMatchingLoss()

    def generator(self, real, fake):
        """Returns the sum over the layers."""
        return sum(self.loss(real["features"][n], fake["features"][n]) for n in self.layers)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "layers": self.layers}
