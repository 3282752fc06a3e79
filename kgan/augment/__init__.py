"""Differentiable augmentation, seen by the discriminator on both reals and fakes."""

from kgan.augment.base import AUGMENTATIONS, Augmentation

__all__ = ["Augmentation", "get", "names"]


def names():
    """Returns the names that `get` knows, sorted."""
    return AUGMENTATIONS.names()


def get(identifier):
    """Returns an augmentation by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished; a dict made by
            `keras.saving.serialize_keras_object`; or an `Augmentation`.

    Raises:
        ValueError: if no augmentation has this name (the message lists near names and all names),
            or it does not take these arguments.
        TypeError: if `identifier` is of another type.
    """
    return AUGMENTATIONS.get(identifier, Augmentation)
