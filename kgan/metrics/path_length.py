"""How much images change along a path through the latents."""

import math

import keras
import numpy as np
from keras import ops

from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.states import Samples

# The part of the distances that is left out at each end.
_OUTLIERS_PERCENT = 1


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class PerceptualPathLength(GANMetric):
    """Mean squared speed of features between two latents; lower is a smoother latent space.

    E[‖f(G(z(t + ε))) - f(G(z(t)))‖² / ε²] for t uniform in [0, 1] and paths z from one latent to
    another: along the sphere where latents are normal, straight where they are uniform. As in
    Karras et al. 2019, "A Style-Based Generator Architecture for GANs" (arXiv 1812.04948, section
    4.1), the least and the largest 1 % of the distances are left out, as in its code.

    The paper's f is LPIPS with VGG16. Here it is the network that looks at the images, so values
    only compare with those of the same network and image size. The paper's ε is 1e-4, which
    takes float32: where a GPU multiplies TensorFloat-32, or a policy is mixed, differences of such
    steps drown in rounding, which only makes them longer. At 1e-2 a DCGAN in float32 or float16
    comes within 1 % of the limit of small steps (bfloat16: 10 %).

    `update_from(gan, …)` draws a pair for each fake (or real) of the batch, from the averaged
    generator and, if conditional, with the labels of the batch. `update_state(real, fake)` takes
    the two images of each path that were drawn elsewhere: at t, and at t + ε.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        epsilon: float > 0, the step ε, as a part of the path. Defaults to 1e-2.
        max_samples: int >= 1, how many distances are kept. Defaults to 100,000, as in the paper.
        name: str. Defaults to `"perceptual_path_length"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range, or there is no second image to each first;
            from `result`, if there are fewer than 2 pairs, NaN, or no image differs from its
            neighbour.

    Example:
    >>> metric = kgan.metrics.PerceptualPathLength(epsilon=0.1)
    >>> start = np.zeros((10, 2))
    >>> metric.update_state(real=start, fake=start + [0.3, 0.4])  # 0.5 away, in a tenth of a path
    >>> round(metric.result(), 3)
    25.0
    """

    alias = "ppl"
    needs_generator = True
    best = "↓"

    def __init__(self, features=None, epsilon=1e-2, max_samples=100_000, name=None, dtype=None):
        super().__init__(features=features, name=name, dtype=dtype)
        check_positive_number("`epsilon`", epsilon)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.epsilon = epsilon
        self.max_samples = max_samples

    def build(self, shape):
        """Makes the variables, for the distances alone.

        Args:
            shape: tuple of int, that of the features, without the batch.
        """
        if not self.states:
            self._shape = tuple(shape)
            self.states = {"fake": Samples(self, "fake", (1,), self.max_samples)}

    def update_from(self, gan, real=None, fake=None, labels=None):
        """Draws as many pairs from the averaged generator as the batch has images.

        Args:
            gan: `kgan.GAN`.
            real: images, whose number matters where there are no fakes. Defaults to None.
            fake: images, whose number matters. Defaults to None.
            labels: those of the batch, for a conditional GAN. Defaults to None.
        """
        n = ops.shape(real if fake is None else fake)[0]
        first, second, third = (gan.sample_latents(n, training=False) for _ in range(3))
        # A place that the GAN's own seed decides, so that evaluations repeat.
        place = _uniform(third[:, :1], gan.latent_distribution)
        path = spherical if gan.latent_distribution == "normal" else straight
        images = []
        for t in (place, place + self.epsilon):
            latents = path(first, second, t)
            images.append(gan([latents, labels] if gan.is_conditional else latents))
        self.update_state(*images)

    def update_features(self, real=None, fake=None, labels=None):
        """Takes in the features of the first and the second image of some paths.

        Args:
            real: float `(batch, dim)`, at t.
            fake: likewise, at t + ε.
            labels: ignored.

        Raises:
            ValueError: if one of the two is missing, or they are not of one shape.
        """
        if real is None or fake is None:
            missing = " and ".join(x for x, v in (("real", real), ("fake", fake)) if v is None)
            raise ValueError(
                "PerceptualPathLength takes both images of each path: update_state(real, fake). "
                f"Received: no {missing}"
            )
        real, fake = self._check("real", real), self._check("fake", fake)
        if real.shape != fake.shape:
            raise ValueError(
                "The two images of a path come together, and have one shape. "
                f"Received: {tuple(real.shape)} and {tuple(fake.shape)}"
            )
        self.build(real.shape[1:])
        self._check_shape("real", real)
        step = (ops.cast(fake, "float32") - ops.cast(real, "float32")) / self.epsilon
        self.states["fake"].add(ops.sum(ops.square(step), axis=1, keepdims=True))

    def result(self):
        """Returns the mean without outliers, a float."""
        lengths = self.seen("fake", least=2).values().astype("float64")
        if not np.any(lengths):
            raise ValueError(
                "PerceptualPathLength needs a generator whose images change with the latents, and "
                "numbers that hold the change of a step. Received: constant features along all "
                f"{len(lengths)} paths, with epsilon={self.epsilon}"
            )
        low = np.percentile(lengths, _OUTLIERS_PERCENT, method="lower")
        high = np.percentile(lengths, 100 - _OUTLIERS_PERCENT, method="higher")
        return float(np.mean(lengths[(low <= lengths) & (lengths <= high)]))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        own = {"epsilon": self.epsilon, "max_samples": self.max_samples}
        return {**super().get_config(), **own}


def straight(first, second, t):
    """Returns the latents at `t` on the lines from the first to the second.

    Args:
        first: float tensor `(batch, dim)`.
        second: likewise.
        t: float tensor `(batch, 1)`, 0 at the first and 1 at the second.

    Example:
    >>> kgan.metrics.path_length.straight(np.zeros((1, 2)), np.ones((1, 2)), np.array([[0.25]]))
    array([[0.25, 0.25]])
    """
    return (1 - t) * first + t * second


def spherical(first, second, t):
    """Returns the latents at `t` on the arcs from the first to the second.

    sin((1 - t) Ω) / sin Ω · z₁ + sin(t Ω) / sin Ω · z₂, Ω being their angle; White 2016, "Sampling
    Generative Networks" (arXiv 1609.04468). Unlike StyleGAN's, which are normalized, they keep the
    length that the generator knows. Latents in line with the origin, which span no arc, are joined
    by a straight line.

    Args:
        first: float tensor `(batch, dim)`.
        second: likewise.
        t: float tensor `(batch, 1)`, 0 at the first and 1 at the second.

    Example:
    >>> first, second = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    >>> kgan.metrics.path_length.spherical(first, second, np.array([[0.5]])).numpy().round(3)
    array([[1.414, 1.414]])
    """
    directions = [x / ops.norm(x, axis=1, keepdims=True) for x in (first, second)]
    cosine = ops.clip(ops.sum(directions[0] * directions[1], axis=1, keepdims=True), -1, 1)
    angle = ops.arccos(cosine)
    sine = ops.sin(angle)
    is_arc = sine > 1e-3
    sine = ops.where(is_arc, sine, ops.ones_like(sine))
    arc = (ops.sin((1 - t) * angle) * first + ops.sin(t * angle) * second) / sine
    return ops.where(is_arc, arc, straight(first, second, t))


def _uniform(latents, distribution):
    """Returns numbers uniform in [0, 1] from latents: their distribution function."""
    if distribution == "normal":
        return (1 + ops.erf(latents / math.sqrt(2))) / 2
    return (1 + latents) / 2
