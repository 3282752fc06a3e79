"""ADA, and the probability that follows how far the discriminator overfits."""

import keras
import numpy as np
from keras import ops

from kgan import replicas
from kgan.augment import color, geometry
from kgan.augment.base import AUGMENTATIONS, Augmentation, check_images
from kgan.augment.chance import Chance
from kgan.augment.matrices import product
from kgan.layers.checks import check_positive_int, is_number


class AdaptiveAugmentation(Augmentation):
    """Base of the augmentations of a probability p that grows while the discriminator overfits.

    Over `interval` updates of the discriminator, r = E[sign(D(x))] on what it was told is real,
    augmented as it was: 0 where it cannot tell, 1 where it knows the training set by heart. Then
    p ← p + sign(r - target) · images / adjust_images, kept in [0, 1], with the images of those
    updates. (Karras et al. 2020, arXiv 2006.06676, section 3.)

    The logs show p as `…_probability` and r as `…_real_sign`. Both are saved with the GAN, as is
    the window that r is being taken over. Several replicas share them.

    Args:
        target: float in [-1, 1], the r that p is steered to; None keeps p as it is. Defaults to
            0.6.
        adjust_images: int > 0, over how many images p goes from 0 to 1. Defaults to 500,000.
        interval: int >= 1, after how many updates of the discriminator p moves. Defaults to 4.
        initial_probability: float in [0, 1], the p of the first step. Defaults to 0.
        name: str, the prefix of its logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if an argument is out of range, or p would stay 0 for ever.
    """

    def __init__(
        self,
        target=0.6,
        adjust_images=500_000,
        interval=4,
        initial_probability=0.0,
        name=None,
    ):
        super().__init__(name)
        if target is not None and not (is_number(target) and -1 <= target <= 1):
            raise ValueError(f"target must be None or a number in [-1, 1]. Received: {target!r}")
        check_positive_int("adjust_images", adjust_images)
        check_positive_int("interval", interval)
        if not (is_number(initial_probability) and 0 <= initial_probability <= 1):
            raise ValueError(
                f"initial_probability must be in [0, 1]. Received: {initial_probability!r}"
            )
        if target is None and not initial_probability:
            raise ValueError(
                "With target=None the probability stays at initial_probability, which must then "
                f"be above 0. Received: initial_probability={initial_probability!r}"
            )

        # === Config ===
        self.target = target
        self.adjust_images = adjust_images
        self.interval = interval
        self.initial_probability = initial_probability

        # What a GAN's compile puts variables in the place of.
        self.probability = initial_probability

    def build(self, gan):
        """Makes the variables of p, of r and of the window."""
        start = keras.initializers.Constant(self.initial_probability)
        self.probability = self.add_variable(initializer=start, name=f"{self.name}_probability")
        self.real_sign = self.add_variable(name=f"{self.name}_real_sign")
        self._updates = self.add_variable(dtype="int", name=f"{self.name}_updates")
        # The sum of the scores' signs, how many scores, and of how many images.
        self._window = self.add_variable((3,), name=f"{self.name}_window")

    @property
    def state_names(self):
        """Tuple of str, the keys of `state_logs`."""
        return (f"{self.name}_probability", f"{self.name}_real_sign")

    def state_logs(self):
        """Returns p, and r of the last window."""
        values = (self.probability, self.real_sign)
        return dict(zip(self.state_names, map(ops.convert_to_tensor, values), strict=True))

    def after_update(self, round):
        """Adds the real scores to the window, and moves p at its end.

        Args:
            round: `kgan.Round`, the round that the update came from.
        """
        updates = self._updates.value + 1
        window = self._window.value + _signs(round)
        ends = updates >= self.interval
        real_sign = window[0] / window[1]
        probability = ops.convert_to_tensor(self.probability)
        if self.target is not None:
            step = ops.sign(real_sign - self.target) * window[2] / self.adjust_images
            probability = ops.where(ends, ops.clip(probability + step, 0.0, 1.0), probability)
        replicas.assign(
            [self.probability, self.real_sign, self._updates, self._window],
            [
                probability,
                ops.where(ends, real_sign, self.real_sign.value),
                ops.where(ends, 0, updates),
                ops.where(ends, 0.0, window),
            ],
        )

    def get_config(self):
        """Returns the arguments that make an equal augmentation."""
        return {
            **super().get_config(),
            "target": self.target,
            "adjust_images": self.adjust_images,
            "interval": self.interval,
            "initial_probability": self.initial_probability,
        }


def _signs(round):
    """Returns the sum of the real scores' signs, their number and the images', of all replicas."""
    score = ops.cast(round.real["score"], "float32")
    images = ops.shape(round.real["images"])[0]
    numbers = (ops.sum(ops.sign(score)), ops.size(score), images)
    own = ops.stack([ops.cast(number, "float32") for number in numbers])
    return ops.sum(replicas.gather(own[None]), axis=0)


@AUGMENTATIONS.register
@keras.saving.register_keras_serializable(package="kgan")
class ADA(AdaptiveAugmentation):
    """Adaptive discriminator augmentation: many transformations, each with probability p.

    Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data"
    (arXiv 2006.06676), sections 2 and 3 and appendix B: the pipeline `bgc` with its strengths, and
    the heuristic r. While p is well below 1 (below about 0.8 in the paper), the generator does
    not learn to make augmented images. With N normal and U uniform draws, in this order:

    - `blit`: mirroring left to right, a turn by 0, 90, 180 or 270 degrees, a translation by
      U(-1/8, 1/8) of the side in whole pixels;
    - `geometry`: scaling by 2^N(0, 0.2²), a turn by any angle, stretching along x by
      2^N(0, 0.2²) and along y by its inverse, another turn, a translation by N(0, 1/8²) of the
      side;
    - `color`: brightness + N(0, 0.2²), contrast × 2^N(0, 0.5²), a mirrored luma, a turned hue,
      saturation × 2^N(0, 1²); hue and saturation do nothing to images of one channel.

    The geometry is resampled at twice the resolution between the wavelet filters of the paper, and
    images are mirrored beyond their borders. While p is 0 images are unchanged to the last bit.

    The heuristic is made for losses under which a score of 0 means undecided, such as
    `non_saturating` and `hinge`, and not for `wasserstein` or `least_squares`.

    Args:
        target: float in [-1, 1], the E[sign(D(x))] on reals that p is steered to; None keeps p
            as it is. Defaults to 0.6.
        adjust_images: int > 0, over how many images p goes from 0 to 1. Defaults to 500,000.
        interval: int >= 1, after how many updates of the discriminator p moves. Defaults to 4.
        initial_probability: float in [0, 1], the p of the first step. Defaults to 0.
        blit: bool, whether pixels are moved as they are. Defaults to True.
        geometry: bool, whether images are turned and stretched. Defaults to True.
        color: bool, whether colors change. Defaults to True.
        name: str, the prefix of the logs `…_probability` (p) and `…_real_sign` (r). Defaults to
            `"ada"`.

    Raises:
        ValueError: if an argument is out of range or nothing is left to do; in `GAN.compile`, if
            the samples are not images, or `color` is given others than of 1 or 3 channels.

    Example:
    >>> augmentation = kgan.augment.ADA(target=None, initial_probability=0.5, color=False)
    >>> augmentation(np.ones((2, 16, 16, 3)), keras.random.SeedGenerator(1)).shape
    TensorShape([2, 16, 16, 3])
    """

    def __init__(
        self,
        target=0.6,
        adjust_images=500_000,
        interval=4,
        initial_probability=0.0,
        blit=True,
        geometry=True,
        color=True,
        name=None,
    ):
        super().__init__(target, adjust_images, interval, initial_probability, name)
        for part, value in (("blit", blit), ("geometry", geometry), ("color", color)):
            if value not in (True, False):
                raise ValueError(f"{part} must be True or False. Received: {value!r}")
        if not (blit or geometry or color):
            raise ValueError(
                "ADA must change something: blit, geometry or color. "
                f"Received: blit={blit}, geometry={geometry}, color={color}"
            )

        # === Config ===
        self.blit = bool(blit)
        self.geometry = bool(geometry)
        self.color = bool(color)

    def build(self, gan):
        """Makes the variables, and raises where the samples are not images."""
        check_images(self, gan)
        if self.color and gan.image_shape[-1] not in (1, 3):
            raise ValueError(
                "ADA changes the colors of images of 1 (grey) or 3 channels (RGB); give "
                f"color=False for others. Received: a GAN of samples of shape {gan.image_shape}"
            )
        super().build(gan)

    def call(self, images, seed):
        """Returns the images changed, each in its own way."""
        images = ops.cast(images, "float32")
        chance = Chance(ops.shape(images)[0], seed, uniforms=21, normals=7)
        probability = ops.convert_to_tensor(self.probability)
        if self.blit:
            images = geometry.blit(images, _blit_maps(images, probability, chance))
        if self.geometry:
            inverse = _geometry_maps(images, probability, chance)
            moves = ops.any(inverse != np.eye(3, dtype="float32"), axis=(1, 2))
            resampled = geometry.resample(images, inverse)
            images = ops.where(moves[:, None, None, None], resampled, images)
        if self.color:
            images = color.recolor(images, _color_maps(probability, chance))
        return images

    def get_config(self):
        """Returns the arguments that make an equal augmentation."""
        return {
            **super().get_config(),
            "blit": self.blit,
            "geometry": self.geometry,
            "color": self.color,
        }


def _blit_maps(images, p, chance):
    """Returns the inverse maps of flips, quarter turns and whole translations."""
    height, width = images.shape[1:3]
    flip = chance.sometimes(p, chance.integer(2), otherwise=0.0)
    turns = chance.sometimes(p, chance.integer(4), otherwise=0.0)
    shift = [chance.uniform(-1 / 8, 1 / 8) for _ in range(2)]
    x, y = chance.sometimes(p, *shift, otherwise=0.0)
    return product(
        geometry.scaling(1 - 2 * flip, 1),
        geometry.quarter_rotation(turns),
        geometry.translation(-ops.round(x * width), -ops.round(y * height)),
    )


def _geometry_maps(images, p, chance):
    """Returns the inverse maps of scaling, turning, stretching and translation."""
    height, width = images.shape[1:3]
    # One of two turns happens with probability p.
    p_rotate = 1 - ops.sqrt(1 - p)
    scale = 2 ** -chance.sometimes(p, chance.normal(0.2), otherwise=0.0)
    before, after = (
        chance.sometimes(p_rotate, chance.uniform(-np.pi, np.pi), otherwise=0.0) for _ in range(2)
    )
    stretch = 2 ** chance.sometimes(p, chance.normal(0.2), otherwise=0.0)
    shift = [chance.normal(1 / 8) for _ in range(2)]
    x, y = chance.sometimes(p, *shift, otherwise=0.0)
    return product(
        geometry.scaling(scale, scale),
        geometry.rotation(before),
        geometry.scaling(1 / stretch, stretch),
        geometry.rotation(after),
        geometry.translation(-x * width, -y * height),
    )


def _color_maps(p, chance):
    """Returns the maps of brightness, contrast, luma, hue and saturation."""
    shift = chance.sometimes(p, chance.normal(0.2), otherwise=0.0)
    gain = 2 ** chance.sometimes(p, chance.normal(0.5), otherwise=0.0)
    flip = chance.sometimes(p, chance.integer(2), otherwise=0.0)
    angle = chance.sometimes(p, chance.uniform(-np.pi, np.pi), otherwise=0.0)
    chroma = 2 ** chance.sometimes(p, chance.normal(1.0), otherwise=0.0)
    return product(
        color.saturation(chroma),
        color.hue(angle),
        color.luma_flip(flip),
        color.contrast(gain),
        color.brightness(shift),
    )
