"""Consistency: the discriminator scores an image as it does its neighbours.

bCR is `BalancedConsistency`. zCR is `LatentConsistency` and `LatentDiversity` together, one for
each player. ICR is bCR and zCR together; `LatentConsistency` shows how.
"""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import is_number
from kgan.penalties.base import PENALTIES, Penalty


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class BalancedConsistency(Penalty):
    """bCR: λ_real E[(D(x) − D(T(x)))²] + λ_fake E[(D(G(z)) − D(T(G(z))))²].

    T flips an image to its mirror image with probability 1/2 and shifts it each way by up to 1/8 of
    the side, rounded and 1 pixel at least (4 pixels at 32), reflecting it at its borders. Zhao et
    al. 2020, "Improved Consistency Regularization for GANs" (arXiv 2002.04724). With
    `weight_fake=0` it is CR-GAN (Zhang et al. 2020, arXiv 1910.12027). A patch map's score is its
    mean, since T moves the patches.

    Args:
        weight_real: float > 0, λ_real. Defaults to 10.
        weight_fake: float >= 0, λ_fake. Defaults to 10.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1. The
            code of StyleGAN2-ADA says that this term must not be lazy.
        name: str, the key in the logs. Defaults to `"balanced_consistency"`.

    Raises:
        ValueError: if `weight_real` is not above 0, `weight_fake` or `every` is out of range, or,
            when compiled, the GAN's samples are not images `(height, width, channels)`.

    Example:
    >>> penalty = kgan.penalties.BalancedConsistency()
    >>> images = keras.random.normal((4, 8, 8, 1))
    >>> def score(images):  # neither flips nor shifts change the brightness of a flat image
    ...     return keras.ops.mean(images, axis=(1, 2, 3))
    >>> flat = {"images": keras.ops.ones((4, 8, 8, 1)), "score": keras.ops.ones(4)}
    >>> seed = keras.random.SeedGenerator(1)
    >>> float(penalty(kgan.Round(real=flat, fake=flat, score=score, seed=seed)))
    0.0
    """

    def __init__(self, weight_real=10.0, weight_fake=10.0, every=1, name=None):
        # `call` weighs its two terms itself.
        super().__init__(1.0, every, name)
        if not (is_number(weight_real) and weight_real > 0):
            raise ValueError(f"weight_real must be above 0. Received: {weight_real!r}")
        if not (is_number(weight_fake) and weight_fake >= 0):
            raise ValueError(f"weight_fake must be 0 or more. Received: {weight_fake!r}")
        self.weight_real = weight_real
        self.weight_fake = weight_fake

    def build(self, gan):
        """Checks that the samples are images."""
        if len(gan.image_shape) != 3:
            raise ValueError(
                "BalancedConsistency flips and shifts images of shape (height, width, channels). "
                f"Received: a GAN of samples of shape {gan.image_shape}"
            )

    def call(self, round):
        """Returns λ_real E[(D(x) − D(T(x)))²] + λ_fake E[(D(G(z)) − D(T(G(z))))²]."""
        total = self.weight_real * _inconsistency(round, round.real)
        if self.weight_fake > 0:
            total += self.weight_fake * _inconsistency(round, round.fake)
        return total

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {
            "weight_real": self.weight_real,
            "weight_fake": self.weight_fake,
            "every": self.every,
            "name": self.name,
        }


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class LatentConsistency(Penalty):
    """zCR, the discriminator's part: λ_dis E[(D(G(z)) − D(G(z + Δz)))²], Δz ~ N(0, σ²).

    Neighbours of a latent score alike, while `LatentDiversity` makes their images differ. Zhao et
    al. 2020, "Improved Consistency Regularization for GANs" (arXiv 2002.04724). zCR is
    `penalties=["latent_consistency", "latent_diversity"]`. ICR adds bCR, and has other constants;
    see the example.

    Args:
        weight: float > 0, λ_dis. Defaults to 5.
        stddev: float > 0, σ, the standard deviation of Δz. Defaults to 0.03.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"latent_consistency"`.

    Raises:
        ValueError: if `weight` or `stddev` is not above 0, or `every` is below 1.

    Example:
    >>> icr = [
    ...     kgan.penalties.BalancedConsistency(weight_real=10, weight_fake=10),
    ...     kgan.penalties.LatentConsistency(20, stddev=0.05),
    ...     kgan.penalties.LatentDiversity(0.5, stddev=0.05),
    ... ]
    """

    needs = ("latents",)

    def __init__(self, weight=5.0, stddev=0.03, every=1, name=None):
        super().__init__(weight, every, name)
        _check_stddev(stddev)
        self.stddev = stddev

    def call(self, round):
        """Returns E[(D(G(z)) − D(G(z + Δz)))²]."""
        neighbours = ops.stop_gradient(_neighbours(round, self.stddev))
        difference = _example_scores(round.fake["score"]) - _example_scores(round.score(neighbours))
        return ops.mean(ops.square(difference))

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "stddev": self.stddev}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class LatentDiversity(Penalty):
    """zCR, the generator's part: −λ_gen E[(G(z) − G(z + Δz))²], Δz ~ N(0, σ²).

    The mean is over all values of the images too, as the weight expects. Zhao et al. 2020,
    "Improved Consistency Regularization for GANs" (arXiv 2002.04724); see `LatentConsistency`.

    Args:
        weight: float > 0, λ_gen. Defaults to 0.5.
        stddev: float > 0, σ, the standard deviation of Δz. Defaults to 0.03.
        every: int >= 1, in which of the generator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"latent_diversity"`.

    Raises:
        ValueError: if `weight` or `stddev` is not above 0, or `every` is below 1.

    Example:
    >>> latents = keras.ops.zeros((1000, 2))
    >>> round = kgan.Round(
    ...     real={},
    ...     fake={"latents": latents, "images": latents},
    ...     synthesize=lambda latents: 2 * latents,
    ...     seed=keras.random.SeedGenerator(1),
    ... )
    >>> penalty = kgan.penalties.LatentDiversity(1, stddev=0.5)
    >>> float(np.round(penalty(round)))  # −E[(2 Δz)²] = −4 · 0.5²
    -1.0
    """

    needs = ("latents",)
    player = "generator"

    def __init__(self, weight=0.5, stddev=0.03, every=1, name=None):
        super().__init__(weight, every, name)
        _check_stddev(stddev)
        self.stddev = stddev

    def call(self, round):
        """Returns −E[(G(z) − G(z + Δz))²]."""
        images = ops.cast(round.fake["images"], "float32")
        return -ops.mean(ops.square(images - _neighbours(round, self.stddev)))

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "stddev": self.stddev}


def _check_stddev(stddev):
    if not (is_number(stddev) and stddev > 0):
        raise ValueError(f"stddev must be above 0. Received: {stddev!r}")


def _inconsistency(round, view):
    moved = _flip_and_shift(ops.stop_gradient(view["images"]), round.seed)
    difference = _example_scores(view["score"]) - _example_scores(round.score(moved))
    return ops.mean(ops.square(difference))


def _example_scores(scores):
    """Returns one score for each example, in float32."""
    scores = ops.cast(scores, "float32")
    return ops.mean(ops.reshape(scores, (ops.shape(scores)[0], -1)), axis=-1)


def _neighbours(round, stddev):
    latents = round.fake["latents"]
    steps = stddev * replicas.normal(ops.shape(latents), round.seed)
    return ops.cast(round.synthesize(latents + steps), "float32")


def _flip_and_shift(images, seed):
    """Flips half of the images, and shifts each by up to 1/8 of its sides."""
    n, height, width, _ = ops.shape(images)
    is_flipped = replicas.uniform((n, 1), seed) < 0.5
    rows = _shifted_indices(height, n, seed)
    columns = _shifted_indices(width, n, seed)
    columns = ops.where(is_flipped, width - 1 - columns, columns)
    images = ops.take_along_axis(images, rows[:, :, None, None], axis=1)
    return ops.take_along_axis(images, columns[:, None, :, None], axis=2)


def _shifted_indices(size, n, seed):
    """Returns which row (or column) of an image comes where, `(n, size)`; borders reflect."""
    # Reflection shows no more than a whole image.
    limit = ops.minimum(ops.maximum((size + 4) // 8, 1), size - 1)
    limit = ops.cast(limit, "float32")
    shifts = ops.floor(replicas.uniform((n, 1), seed) * (2 * limit + 1)) - limit
    indices = ops.abs(ops.arange(size) + ops.cast(shifts, "int32"))
    return size - 1 - ops.abs(size - 1 - indices)
