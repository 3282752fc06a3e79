"""What each player wants: losses of `(real_scores, fake_scores)`, and the pairs made of them."""

from kgan.losses.auxiliary import AUXILIARY_LOSSES, AuxiliaryLoss
from kgan.losses.base import LOSSES, AdversarialLoss, BatchLoss, LossPair
from kgan.losses.batches import (
    ChiSquareDistance,
    ChiSquareDistanceLoss,
    CosineDistance,
    CosineDistanceLoss,
    L1Distance,
    L1DistanceLoss,
    L2Distance,
    L2DistanceLoss,
    PullAway,
    PullAwayLoss,
)
from kgan.losses.boundary_seeking import (
    BoundarySeeking,
    BoundarySeekingGeneratorLoss,
)
from kgan.losses.classification import (
    AuxiliaryClassifier,
    ClassificationLoss,
    DiscriminativeClassifier,
    TwinAuxiliaryClassifier,
)
from kgan.losses.contrastive import (
    ContrastiveConditional,
    ContrastiveConditionalLoss,
    DataToData,
    DataToDataLoss,
)
from kgan.losses.energy import (
    EnergyBased,
    EnergyBasedDiscriminatorLoss,
)
from kgan.losses.feature_matching import FeatureMatching, FeatureMatchingLoss
from kgan.losses.focal import (
    Focal,
    FocalDiscriminatorLoss,
)
from kgan.losses.four_term import (
    FourTerm,
    FourTermDiscriminatorLoss,
    FourTermGeneratorLoss,
)
from kgan.losses.hinge import (
    Hinge,
    HingeDiscriminatorLoss,
    MultiHinge,
    MultiHingeDiscriminatorLoss,
    MultiHingeGeneratorLoss,
)
from kgan.losses.indifferent import IndifferentGenerator
from kgan.losses.least_squares import (
    LeastSquares,
    LeastSquaresDiscriminatorLoss,
    LeastSquaresGeneratorLoss,
)
from kgan.losses.minimax import (
    LogitPair,
    Minimax,
    MinimaxDiscriminatorLoss,
    MinimaxGeneratorLoss,
    Modified,
    ModifiedGeneratorLoss,
    NonSaturating,
    NonSaturatingGeneratorLoss,
)
from kgan.losses.mixed import Mixed, MixedDiscriminatorLoss, MixedGeneratorLoss
from kgan.losses.mutual_information import (
    CategoricalCodeLoss,
    ContinuousCodeLoss,
    MutualInformation,
)
from kgan.losses.relativistic import (
    RelativisticAverage,
    RelativisticAverageDiscriminatorLoss,
    RelativisticAverageGeneratorLoss,
    RelativisticAverageHinge,
    RelativisticAverageHingeDiscriminatorLoss,
    RelativisticAverageHingeGeneratorLoss,
    RelativisticAverageLeastSquares,
    RelativisticAverageLeastSquaresDiscriminatorLoss,
    RelativisticAverageLeastSquaresGeneratorLoss,
    RelativisticPaired,
    RelativisticPairedDiscriminatorLoss,
    RelativisticPairedGeneratorLoss,
)
from kgan.losses.softmax import (
    SoftmaxGAN,
    SoftmaxGANDiscriminatorLoss,
    SoftmaxGANGeneratorLoss,
)
from kgan.losses.wasserstein import (
    Wasserstein,
    WassersteinDiscriminatorLoss,
    WassersteinGeneratorLoss,
)

__all__ = [
    "AdversarialLoss",
    "AuxiliaryClassifier",
    "AuxiliaryLoss",
    "BatchLoss",
    "BoundarySeeking",
    "BoundarySeekingGeneratorLoss",
    "CategoricalCodeLoss",
    "ChiSquareDistance",
    "ChiSquareDistanceLoss",
    "ClassificationLoss",
    "ContinuousCodeLoss",
    "ContrastiveConditional",
    "ContrastiveConditionalLoss",
    "CosineDistance",
    "CosineDistanceLoss",
    "DataToData",
    "DataToDataLoss",
    "DiscriminativeClassifier",
    "EnergyBased",
    "EnergyBasedDiscriminatorLoss",
    "FeatureMatching",
    "FeatureMatchingLoss",
    "Focal",
    "FocalDiscriminatorLoss",
    "FourTerm",
    "FourTermDiscriminatorLoss",
    "FourTermGeneratorLoss",
    "Hinge",
    "HingeDiscriminatorLoss",
    "IndifferentGenerator",
    "L1Distance",
    "L1DistanceLoss",
    "L2Distance",
    "L2DistanceLoss",
    "LeastSquares",
    "LeastSquaresDiscriminatorLoss",
    "LeastSquaresGeneratorLoss",
    "LogitPair",
    "LossPair",
    "Minimax",
    "MinimaxDiscriminatorLoss",
    "MinimaxGeneratorLoss",
    "Mixed",
    "MixedDiscriminatorLoss",
    "MixedGeneratorLoss",
    "Modified",
    "ModifiedGeneratorLoss",
    "MultiHinge",
    "MultiHingeDiscriminatorLoss",
    "MultiHingeGeneratorLoss",
    "MutualInformation",
    "NonSaturating",
    "NonSaturatingGeneratorLoss",
    "PullAway",
    "PullAwayLoss",
    "RelativisticAverage",
    "RelativisticAverageDiscriminatorLoss",
    "RelativisticAverageGeneratorLoss",
    "RelativisticAverageHinge",
    "RelativisticAverageHingeDiscriminatorLoss",
    "RelativisticAverageHingeGeneratorLoss",
    "RelativisticAverageLeastSquares",
    "RelativisticAverageLeastSquaresDiscriminatorLoss",
    "RelativisticAverageLeastSquaresGeneratorLoss",
    "RelativisticPaired",
    "RelativisticPairedDiscriminatorLoss",
    "RelativisticPairedGeneratorLoss",
    "SoftmaxGAN",
    "SoftmaxGANDiscriminatorLoss",
    "SoftmaxGANGeneratorLoss",
    "TwinAuxiliaryClassifier",
    "Wasserstein",
    "WassersteinDiscriminatorLoss",
    "WassersteinGeneratorLoss",
    "auxiliary_names",
    "get",
    "get_auxiliary",
    "names",
]


def names():
    """Returns the names that `get` knows, sorted.

    Example:
    >>> kgan.losses.names()[:2]
    ['boundary_seeking', 'energy_based']
    """
    return LOSSES.names()


def auxiliary_names():
    """Returns the names that `GAN.compile(auxiliary_losses=…)` knows, sorted.

    Example:
    >>> "feature_matching" in kgan.losses.auxiliary_names()
    True
    """
    return AUXILIARY_LOSSES.names()


def get(identifier):
    """Returns a pair of losses by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished
            (`"non_saturating:label_smoothing=0.1"`); a dict made by
            `keras.saving.serialize_keras_object`; or a `LossPair`.

    Raises:
        ValueError: if no loss has this name (the message lists near names and all names), or it
            does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> pair = kgan.losses.get("non_saturating")
    >>> round(float(pair.discriminator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    1.3863
    """
    return LOSSES.get(identifier, LossPair)


def get_auxiliary(identifier):
    """Returns an auxiliary loss by name, by config, or as it is.

    Args:
        identifier: str, one of `auxiliary_names()`, with arguments after a colon if wished
            (`"auxiliary_classifier:0.5"`); a dict made by `keras.saving.serialize_keras_object`; or
            an `AuxiliaryLoss`.

    Raises:
        ValueError: if no auxiliary loss has this name (the message lists near names and all names),
            or it does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> kgan.losses.get_auxiliary("auxiliary_classifier:0.5").weight
    0.5
    """
    return AUXILIARY_LOSSES.get(identifier, AuxiliaryLoss)
