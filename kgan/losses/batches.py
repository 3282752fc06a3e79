"""What a batch looks like as a whole: distances of two batches, and spread within one."""

import keras
from keras import ops

from kgan.losses.auxiliary import (
    AUXILIARY_LOSSES,
    AuxiliaryLoss,
    batch_mean,
    check_layers,
    flat,
    unit_rows,
    whole_batch,
)
from kgan.losses.base import BatchLoss


@keras.saving.register_keras_serializable(package="kgan")
class L1DistanceLoss(BatchLoss):
    """The mean absolute difference of pairs of d numbers: Σ |p - q| / d.

    The distance that Isola et al. 2017 (arXiv 1611.07004), equation 3, add to a paired game.
    Called as `loss(y_true, y_pred)` on two batches of equal shape.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.L1DistanceLoss()
    >>> float(loss(np.zeros((4, 2)), np.full((4, 2), -3.0)))
    3.0
    """

    def call(self, y_true, y_pred):
        """Returns the distance of each pair."""
        return ops.mean(ops.abs(flat(y_true) - flat(y_pred)), axis=-1)


@keras.saving.register_keras_serializable(package="kgan")
class L2DistanceLoss(BatchLoss):
    """The mean squared difference of pairs of d numbers: Σ (p - q)² / d.

    The distance that Pathak et al. 2016 (arXiv 1604.07379), equation 1, add to a paired game.
    Called as `loss(y_true, y_pred)` on two batches of equal shape.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.L2DistanceLoss()
    >>> float(loss(np.zeros((4, 2)), np.full((4, 2), -3.0)))
    9.0
    """

    def call(self, y_true, y_pred):
        """Returns the distance of each pair."""
        return ops.mean(ops.square(flat(y_true) - flat(y_pred)), axis=-1)


@keras.saving.register_keras_serializable(package="kgan")
class ChiSquareDistanceLoss(BatchLoss):
    """The chi-square distance of pairs of histograms with d bins: Σ (p - q)² / (p + q) / d.

    Puzicha et al. 1997, "Non-parametric Similarity Measures for Unsupervised Texture Segmentation
    and Image Retrieval", twice their statistic with the mean histogram, over d. Bins that are empty
    in both add 0. Called as `loss(y_true, y_pred)` on two batches of equal shape.

    Entries should not be negative; the denominator of those that are is |p| + |q|, so that the
    loss stays finite.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.ChiSquareDistanceLoss()
    >>> float(loss(np.zeros((4, 2)), np.full((4, 2), 3.0)))
    3.0
    """

    def call(self, y_true, y_pred):
        """Returns the distance of each pair."""
        p, q = flat(y_true), flat(y_pred)
        total = ops.abs(p) + ops.abs(q)
        return ops.mean(ops.square(p - q) / ops.where(total > 0, total, 1.0), axis=-1)


@keras.saving.register_keras_serializable(package="kgan")
class CosineDistanceLoss(BatchLoss):
    """One minus the cosine of the angle of pairs: 1 - pᵀq / (‖p‖ ‖q‖), in [0, 2].

    The similarity of two representations as in Chen et al. 2020 (arXiv 2002.05709), section 2.1,
    turned into a distance. Called as `loss(y_true, y_pred)` on two batches of equal shape.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.CosineDistanceLoss()
    >>> float(loss(np.ones((4, 2)), np.full((4, 2), -3.0)))
    2.0
    """

    def call(self, y_true, y_pred):
        """Returns the distance of each pair."""
        return 1 - ops.sum(unit_rows(flat(y_true)) * unit_rows(flat(y_pred)), axis=-1)


class _BatchDistance(AuxiliaryLoss):
    """The generator brings the fakes' mean near the reals'; a subclass says by which distance."""

    distance = BatchLoss

    def __init__(self, weight=1.0, layers=(), name=None):
        super().__init__(weight, name)
        self.layers = check_layers(layers) if layers else []
        self.loss = self.distance()

    def generator(self, real, fake):
        """Returns the distance of the mean images, or the sum of those of the mean features."""
        if not self.layers:
            return self._distance(self._pixels(real["images"]), self._pixels(fake["images"]))
        return sum(
            self._distance(real["features"][name], fake["features"][name]) for name in self.layers
        )

    def _distance(self, real, fake):
        return self.loss(batch_mean(real), batch_mean(fake))

    def _pixels(self, images):
        return images

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "layers": self.layers}


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class L1Distance(_BatchDistance):
    """The generator brings the mean of the fakes near that of the reals: `L1DistanceLoss`.

    Reals and fakes are no pairs, so it is their means over the whole batch (of all replicas) that
    are compared, as Salimans et al. 2016 (arXiv 1606.03498), section 3.1, do with features. A
    paired game calls `L1DistanceLoss` on its pairs.

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, layers of the discriminator whose features are compared; none for the
            images themselves. Defaults to none.
        name: str, the last part of the key in the logs. Defaults to `"l1_distance"`.

    Raises:
        ValueError: if `weight` is not above 0; at `compile`, if a layer is unknown.

    Example:
    >>> distance = kgan.losses.L1Distance()
    >>> real, fake = {"images": np.ones((4, 2))}, {"images": -np.ones((4, 2))}
    >>> float(distance.generator(real, fake))
    2.0
    """

    distance = L1DistanceLoss


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class L2Distance(_BatchDistance):
    """The generator brings the mean of the fakes near that of the reals: `L2DistanceLoss`.

    Reals and fakes are no pairs, so it is their means over the whole batch (of all replicas) that
    are compared, as Salimans et al. 2016 (arXiv 1606.03498), section 3.1, do with features:
    `FeatureMatching` is this times the number of features. A paired game calls `L2DistanceLoss`
    on its pairs.

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, layers of the discriminator whose features are compared; none for the
            images themselves. Defaults to none.
        name: str, the last part of the key in the logs. Defaults to `"l2_distance"`.

    Raises:
        ValueError: if `weight` is not above 0; at `compile`, if a layer is unknown.

    Example:
    >>> distance = kgan.losses.L2Distance()
    >>> real, fake = {"images": np.ones((4, 2))}, {"images": -np.ones((4, 2))}
    >>> float(distance.generator(real, fake))
    4.0
    """

    distance = L2DistanceLoss


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class ChiSquareDistance(_BatchDistance):
    """The generator brings the mean of the fakes near that of the reals: `ChiSquareDistanceLoss`.

    Puzicha et al. 1997. Means over the whole batch (of all replicas) are compared, images after
    they were brought from [-1, 1] to [0, 1]; layers should have outputs that are not negative
    (ReLU, softmax).

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, layers of the discriminator whose features are compared; none for the
            images themselves. Defaults to none.
        name: str, the last part of the key in the logs. Defaults to `"chi_square_distance"`.

    Raises:
        ValueError: if `weight` is not above 0; at `compile`, if a layer is unknown.

    Example:
    >>> distance = kgan.losses.ChiSquareDistance()
    >>> real, fake = {"images": np.ones((4, 2))}, {"images": -np.ones((4, 2))}
    >>> float(distance.generator(real, fake))
    1.0
    """

    distance = ChiSquareDistanceLoss

    def _pixels(self, images):
        return (images + 1) / 2


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class CosineDistance(_BatchDistance):
    """The generator turns the mean of the fakes towards that of the reals: `CosineDistanceLoss`.

    The cosine similarity of Chen et al. 2020 (arXiv 2002.05709), section 2.1, of means over the
    whole batch (of all replicas).

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, layers of the discriminator whose features are compared; none for the
            images themselves. Defaults to none.
        name: str, the last part of the key in the logs. Defaults to `"cosine_distance"`.

    Raises:
        ValueError: if `weight` is not above 0; at `compile`, if a layer is unknown.

    Example:
    >>> distance = kgan.losses.CosineDistance()
    >>> real, fake = {"images": np.ones((4, 2))}, {"images": -np.ones((4, 2))}
    >>> float(distance.generator(real, fake))
    2.0
    """

    distance = CosineDistanceLoss


@keras.saving.register_keras_serializable(package="kgan")
class PullAwayLoss(BatchLoss):
    """How alike the rows of a batch are: the mean over pairs of the squared cosine.

    The pulling-away term of Zhao et al. 2017, "Energy-based Generative Adversarial Network"
    (arXiv 1609.03126), section 2.4: Σᵢ Σⱼ≠ᵢ (sᵢᵀsⱼ / ‖sᵢ‖‖sⱼ‖)² / (N (N - 1)). An example's loss
    is its mean over the others; a batch of one has none.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.PullAwayLoss()
    >>> float(loss(np.eye(3))), float(loss(np.ones((3, 4))))
    (0.0, 1.0)
    """

    def call(self, representations):
        """Returns how alike each row is to the others.

        Args:
            representations: float `(batch, …)`.
        """
        rows = unit_rows(flat(representations))
        cosines = ops.matmul(rows, ops.transpose(rows))
        n = ops.shape(rows)[0]
        others = 1 - ops.eye(n, dtype=rows.dtype)
        pairs = ops.cast(ops.maximum(n - 1, 1), rows.dtype)
        return ops.sum(ops.square(cosines) * others, axis=-1) / pairs


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class PullAway(AuxiliaryLoss):
    """The generator makes fakes whose representations differ, a cure for collapse (EBGAN-PT).

    Zhao et al. 2017 (arXiv 1609.03126), section 2.4: `PullAwayLoss` of the fakes of the whole
    batch (of all replicas), summed over the layers. The paper takes the code of an auto-encoder
    that is the discriminator, and the weight 0.1.

    Args:
        weight: float > 0, the factor of the term. Defaults to 1.
        layers: list of str, names of layers of the discriminator, which must be a Functional or
            Sequential model; a single name needs no list.
        name: str, the last part of the key in the logs. Defaults to `"pull_away"`.

    Raises:
        ValueError: if `weight` is not above 0 or `layers` names none; at `compile`, if the
            discriminator has no such layer.

    Example:
    >>> term = kgan.losses.PullAway(0.1, layers=["code"])
    >>> float(term.generator({}, {"features": {"code": np.ones((3, 4))}}))
    1.0
    """

    def __init__(self, weight=1.0, layers=(), name=None):
        super().__init__(weight, name)
        self.layers = check_layers(layers)
        self.loss = PullAwayLoss()

    def generator(self, real, fake):
        """Returns the sum over the layers."""
        return sum(self.loss(whole_batch(fake["features"][name])) for name in self.layers)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "layers": self.layers}
