"""Differentiable augmentation, seen by the discriminator on both reals and fakes."""

from kgan.augment.adaptive import ADA, AdaptiveAugmentation
from kgan.augment.base import AUGMENTATIONS, Augmentation
from kgan.augment.diff_augment import DiffAugment
from kgan.augment.noise import InstanceNoise
from kgan.augment.pseudo import APA

__all__ = [
    "ADA",
    "APA",
    "AdaptiveAugmentation",
    "Augmentation",
    "DiffAugment",
    "InstanceNoise",
    "get",
    "names",
]


def names():
    """Returns the names that `get` knows, sorted."""
    return AUGMENTATIONS.names()


def get(identifier):
    """Returns an augmentation by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished
            (`"diff_augment:color=0"`); a dict made by `keras.saving.serialize_keras_object`; or an
            `Augmentation`.

    Raises:
        ValueError: if no augmentation has this name (the message lists near names and all names),
            or it does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> augmentation = kgan.augment.get("instance_noise:0.1,decay_images=100000")
    >>> augmentation.stddev, augmentation.decay_images
    (0.1, 100000)
    """
    return AUGMENTATIONS.get(identifier, Augmentation)
