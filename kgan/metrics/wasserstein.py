"""How patches of samples are distributed at each scale, against those of real images."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric, of_equal_number
from kgan.metrics.states import Samples

PATCH = 7
# No level is smaller, except that of images which are.
SMALLEST_SIDE = 16
# The binomial filter of Burt and Adelson.
_FILTER = np.array([1, 4, 6, 4, 1], "float32") / 16
# Images whose pyramid is made at a time, and directions that descriptors are projected on.
_IMAGES, _DIRECTIONS = 256, 16
# 8-bit images of any variety have more; rounding has less.
_LEAST_DEVIATION = 1e-6


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class SlicedWasserstein(GANMetric):
    """Sliced Wasserstein distance of 7x7 patches, at each level of a Laplacian pyramid; 0 is best.

    For unit directions v, the mean over v of W₁(v·real, v·fake), which is the mean |a - b| of
    sorted projections of the patches. Karras et al. 2018, "Progressive Growing of GANs" (arXiv
    1710.10196, section 5): 128 patches an image, each channel of a level normalized by its mean
    and standard deviation over the set, and 512 directions. The finest level is about detail and
    the coarsest about large structures. The paper takes 16,384 images a side and reports 1,000
    times the distance; it falls with the number of images, so compare equal numbers only.

    Sides of images halve from level to level (rounded up where they are odd) as long as the half
    (rounded down) is 16 pixels or more, so 28x28 pixels are one level: the images as they are. The
    result is a dict: `sliced_wasserstein`, the mean over the levels, and one
    `sliced_wasserstein_16` a level, named by its smaller side. If there are more images of one
    side than of the other, a random part of these is compared, each time the same.

    Args:
        patches_per_image: int >= 1, patches an image and level. Defaults to 128.
        directions: int >= 1. Defaults to 512, in the paper four times 128.
        max_samples: int >= 2, how many images of each side are kept, in float32 (64x64 in color:
            0.2 GB a side). Defaults to 4,096.
        seed: int, of patches and directions, which are the same for both sides. Defaults to 0.
        name: str. Defaults to `"sliced_wasserstein"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range, or images are smaller than 7x7; from `result`,
            if a side has fewer than 2 images, NaN, or a constant channel.

    Example:
    >>> metric = kgan.metrics.SlicedWasserstein(directions=32)
    >>> x = np.random.default_rng(0).uniform(-1, 1, (20, 32, 32, 1)).astype("float32")
    >>> metric.update_state(real=x, fake=x)
    >>> metric.result()
    {'sliced_wasserstein': 0.0, 'sliced_wasserstein_32': 0.0, 'sliced_wasserstein_16': 0.0}
    """

    alias = "swd"
    looks_at = "images"
    best = "↓"

    def __init__(
        self,
        patches_per_image=128,
        directions=512,
        max_samples=4096,
        seed=0,
        name=None,
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        check_positive_int("patches_per_image", patches_per_image)
        check_positive_int("directions", directions)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.patches_per_image = patches_per_image
        self.directions = directions
        self.max_samples = max_samples
        self.seed = seed

    def make_state(self, side, shape):
        """Returns the images of one side."""
        if min(shape[:2]) < PATCH:
            raise ValueError(
                f"SlicedWasserstein compares patches of {PATCH}x{PATCH} pixels. "
                f"Received: images of shape {shape}"
            )
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result; those of levels once the size is known."""
        sides = level_sides(self._shape) if self.states else ()
        return self.name, *(f"{self.name}_{side}" for side in sides)

    def result(self):
        """Returns the distance of each level and their mean, a dict of floats."""
        images = [self.seen(side, least=2).values() for side in ("real", "fake")]
        levels = len(level_sides(self._shape))
        pyramids = [laplacian_pyramid(side, levels) for side in of_equal_number(*images)]
        distances = [self._distance(*level) for level in zip(*pyramids, strict=True)]
        values = map(float, (np.mean(distances), *distances))
        return dict(zip(self.result_names, values, strict=True))

    def _distance(self, real, fake):
        """Returns the distance at one level."""
        real, fake = self._descriptors("real", real), self._descriptors("fake", fake)
        directions = np.random.default_rng(self.seed).normal(size=(self.directions, real.shape[1]))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return sliced_distance(real, fake, directions.astype("float32"))

    def _descriptors(self, side, images):
        """Returns normalized patches of one level, `(n * patches_per_image, 49 * channels)`."""
        patches = random_patches(images, self.patches_per_image, self.seed)
        patches -= np.mean(patches, axis=(0, 2, 3), keepdims=True, dtype="float64")
        squares = np.einsum("ncij,ncij->c", patches, patches, dtype="float64")
        deviation = np.sqrt(squares / (patches.size / len(squares)))
        if np.any(deviation < _LEAST_DEVIATION):
            raise ValueError(
                "SlicedWasserstein divides by the standard deviation of each channel, which must "
                f"not be 0. Received: constant {side} images, at {images.shape[1:3]} pixels"
            )
        patches /= deviation[:, None, None]
        return patches.reshape(len(patches), -1)

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {
            **super().get_config(),
            "patches_per_image": self.patches_per_image,
            "directions": self.directions,
            "max_samples": self.max_samples,
            "seed": self.seed,
        }


def level_sides(shape):
    """Returns the smaller side of each level of a pyramid, a list of int, the finest first.

    Args:
        shape: tuple of int, `(height, width, …)` of the images.

    Example:
    >>> kgan.metrics.wasserstein.level_sides((64, 96, 3)), level_sides((28, 28, 1))
    ([64, 32, 16], [28])
    """
    sides = [min(shape[:2])]
    while sides[-1] // 2 >= SMALLEST_SIDE:
        sides.append((sides[-1] + 1) // 2)
    return sides


def laplacian_pyramid(images, levels):
    """Returns what each level adds to the enlarged coarser one, and the coarsest last.

    Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code", with the borders
    mirrored. Enlarging and adding gives the images back.

    Args:
        images: float32 array `(n, height, width, channels)`.
        levels: int >= 1.

    Example:
    >>> images = np.ones((1, 32, 32, 1), "float32")
    >>> [float(level.mean()) for level in kgan.metrics.wasserstein.laplacian_pyramid(images, 2)]
    [0.0, 1.0]
    """
    parts = []
    for start in range(0, len(images), _IMAGES):
        pyramid = [images[start : start + _IMAGES]]
        for _ in range(levels - 1):
            coarse = _blur(pyramid[-1])[:, ::2, ::2]
            pyramid[-1] = pyramid[-1] - _enlarged(coarse, pyramid[-1].shape)
            pyramid.append(coarse)
        parts.append(pyramid)
    return [np.concatenate(level) for level in zip(*parts, strict=True)]


def _enlarged(images, shape):
    """Returns images of twice the size, or one less, smoothly filled in."""
    dots = np.zeros(shape, images.dtype)
    dots[:, ::2, ::2] = images
    # Of four pixels one is not zero.
    return 4 * _blur(dots)


def _blur(images):
    for axis in (1, 2):
        n = images.shape[axis]
        padded = np.pad(images, [(2, 2) if i == axis else (0, 0) for i in range(4)], "reflect")
        images = sum(w * padded.take(range(i, i + n), axis) for i, w in enumerate(_FILTER))
    return images


def random_patches(images, n, seed):
    """Returns `n` 7x7 patches of each image, float32 `(images * n, channels, 7, 7)`.

    Args:
        images: float32 array `(images, height, width, channels)`.
        n: int >= 1.
        seed: int, of their places.

    Example:
    >>> images = np.zeros((2, 28, 28, 3), "float32")
    >>> kgan.metrics.wasserstein.random_patches(images, 5, seed=0).shape
    (10, 3, 7, 7)
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))
    rng = np.random.default_rng(seed)
    y, x = (rng.integers(windows.shape[axis], size=(len(images), n)) for axis in (1, 2))
    patches = windows[np.arange(len(images))[:, None], y, x]
    return patches.reshape(-1, *patches.shape[2:])


def sliced_distance(first, second, directions):
    """Returns the mean over directions of W₁ between projections, a float.

    Args:
        first: float array `(n, dim)`.
        second: likewise, as many.
        directions: float array `(directions, dim)`.

    Example:
    >>> points = np.array([[0.0, 1.0], [5.0, 7.0]])
    >>> kgan.metrics.wasserstein.sliced_distance(points, points + [1, 0], np.eye(2))
    0.5
    """
    total = 0.0
    for start in range(0, len(directions), _DIRECTIONS):
        block = directions[start : start + _DIRECTIONS]
        differences = np.sort(block @ first.T, axis=1)
        differences -= np.sort(block @ second.T, axis=1)
        total += np.sum(np.mean(np.abs(differences), axis=1, dtype="float64"))
    return float(total / len(directions))
