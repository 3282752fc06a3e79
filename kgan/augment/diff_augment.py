"""DiffAugment: differentiable augmentation of a fixed strength."""

import keras
import numpy as np
from keras import ops

from kgan.augment import geometry
from kgan.augment.base import AUGMENTATIONS, Augmentation, check_images
from kgan.augment.chance import Chance
from kgan.layers.checks import check_rate


@AUGMENTATIONS.register
@keras.saving.register_keras_serializable(package="kgan")
class DiffAugment(Augmentation):
    """Colors, translation and cutout, drawn anew for each example: D(T(x)) and D(T(G(z))).

    Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"
    (arXiv 2006.10738), with the strengths of the authors' code. In this order:

    - brightness, x + U(-0.5, 0.5); saturation, the distance from the mean of the channels times
      U(0, 2); contrast, the distance from the mean of the image times U(0.5, 1.5);
    - a translation by whole pixels, up to a part of the side, with zeros (mid-grey) where nothing
      came;
    - a box of zeros, whose center lies anywhere in the image.

    Args:
        color: bool, whether colors change. Defaults to True.
        translation: float in [0, 1), the part of each side that an image moves by at most; 0 for
            no translation. Defaults to 0.125.
        cutout: float in [0, 1), the part of each side that the box covers; 0 for no box. Defaults
            to 0.5.
        name: str, as of every component. Defaults to `"diff_augment"`.

    Raises:
        ValueError: if an argument is out of range or nothing is left to do; in `GAN.compile`, if
            the samples are not images.

    Example:
    >>> augmentation = kgan.augment.get("diff_augment:color=0")
    >>> images = np.ones((2, 32, 32, 3), "float32")
    >>> augmented = augmentation(images, keras.random.SeedGenerator(1))
    >>> augmented.shape, np.unique(augmented).tolist()  # kept, or moved away and cut out
    (TensorShape([2, 32, 32, 3]), [0.0, 1.0])
    """

    def __init__(self, color=True, translation=0.125, cutout=0.5, name=None):
        super().__init__(name)
        if color not in (True, False):
            raise ValueError(f"color must be True or False. Received: {color!r}")
        check_rate("translation", translation)
        check_rate("cutout", cutout)
        if not (color or translation or cutout):
            raise ValueError(
                "DiffAugment must change something: color, translation or cutout. "
                f"Received: color={color}, translation={translation}, cutout={cutout}"
            )

        # === Config ===
        self.color = bool(color)
        self.translation = translation
        self.cutout = cutout

    def build(self, gan):
        """Raises where the samples are not images."""
        check_images(self, gan)

    def call(self, images, seed):
        """Returns the images changed, each in its own way."""
        chance = Chance(ops.shape(images)[0], seed, uniforms=7)
        if self.color:
            images = _recolor(images, chance)
        if self.translation:
            images = _translate(images, self.translation, chance)
        if self.cutout:
            images = _cut_out(images, self.cutout, chance)
        return images

    def get_config(self):
        """Returns the arguments that make an equal augmentation."""
        return {
            **super().get_config(),
            "color": self.color,
            "translation": self.translation,
            "cutout": self.cutout,
        }


def _recolor(images, chance):
    shift, saturation, contrast = (
        chance.uniform(*limits)[:, None, None, None]
        for limits in ((-0.5, 0.5), (0.0, 2.0), (0.5, 1.5))
    )
    images = images + shift
    for axis, factor in ((-1, saturation), ((1, 2, 3), contrast)):
        mean = ops.mean(images, axis=axis, keepdims=True)
        images = (images - mean) * factor + mean
    return images


def _translate(images, part, chance):
    rows, columns = (
        _ramp(side) + chance.integer(2 * _pixels(side, part) + 1)[:, None] - _pixels(side, part)
        for side in images.shape[1:3]
    )
    (rows, kept_rows), (columns, kept_columns) = (
        (ops.cast(ops.clip(places, 0, side - 1), "int32"), (places >= 0) & (places < side))
        for places, side in zip((rows, columns), images.shape[1:3], strict=True)
    )
    images = geometry.pick(images, rows[:, :, None], columns[:, None, :])
    return images * _outer(kept_rows, kept_columns)


def _cut_out(images, part, chance):
    covered = []
    for side in images.shape[1:3]:
        size = _pixels(side, part)
        # The center of a box of even size lies between two pixels, or at either border.
        first = chance.integer(side + 1 - size % 2)[:, None] - size // 2
        covered.append((_ramp(side) >= first) & (_ramp(side) < first + size))
    return images * (1 - _outer(*covered))


def _pixels(side, part):
    """Returns this part of a side in whole pixels, rounded half up."""
    return int(side * part + 0.5)


def _ramp(side):
    return np.arange(side, dtype="float32")[None]


def _outer(rows, columns):
    """Returns 1 where both are true, of shape `(batch, rows, columns, 1)`."""
    return ops.cast(rows[:, :, None, None] & columns[:, None, :, None], "float32")
