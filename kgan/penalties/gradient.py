"""Penalties on the discriminator's gradient with respect to its input."""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import is_number
from kgan.penalties.base import PENALTIES, Penalty, input_gradients, safe_sqrt, squared_norms


class InputGradientPenalty(Penalty):
    """Base of the means of a function of ‖∇D(x)‖ over points x.

    A subclass writes `points` and `each`. The gradient is float32, and with respect to
    single examples: with a discriminator that judges several together (`kgan.layers.Pack`), the
    norm is that of the pack's score with respect to each of its examples.
    """

    def points(self, round):
        """Returns where the gradient is taken, `(batch, …)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement points().")

    def each(self, squared):
        """Returns the penalty of each point from its gradient's squared norm, `(batch,)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement each().")

    def prepare(self, round):
        """Returns the points, constants for the penalty."""
        return (ops.stop_gradient(ops.cast(self.points(round), "float32")),)

    def call(self, round, points):
        """Returns the mean of `each` over the points."""
        return ops.mean(self.each(squared_norms(input_gradients(round.score, points))))


def interpolates(round):
    """Returns a point between each real and its fake: ε x + (1 − ε) G(z), one ε ~ U(0, 1) each."""
    real, fake = (ops.cast(view["images"], "float32") for view in (round.real, round.fake))
    ones = (1,) * (len(real.shape) - 1)
    epsilon = replicas.uniform((ops.shape(real)[0], *ones), round.seed)
    return epsilon * real + (1 - epsilon) * fake


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class R1(InputGradientPenalty):
    """Half the squared norm of the discriminator's gradient on reals: weight/2 E[‖∇D(x)‖²].

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?"
    (arXiv 1801.04406), equation 9, with `weight` as its γ.

    Args:
        weight: float > 0, γ. Defaults to 10.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"r1"`.

    Example:
    >>> penalty = kgan.penalties.R1(10.0)
    >>> images = keras.ops.ones((4, 2))
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> float(penalty(kgan.Round(real={"images": images}, fake={}, score=score)))  # 10 / 2 * 25
    125.0
    """

    def __init__(self, weight=10.0, every=1, name=None):
        super().__init__(weight, every, name)

    def points(self, round):
        """Returns the reals."""
        return round.real["images"]

    def each(self, squared):
        """Returns ‖∇D(x)‖² / 2."""
        return squared / 2


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class R2(InputGradientPenalty):
    """Half the squared norm of the discriminator's gradient on fakes: weight/2 E[‖∇D(G(z))‖²].

    Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?"
    (arXiv 1801.04406), equation 10, with `weight` as its γ. The fakes are those that the generator
    has just made, whatever a history pool shows to the discriminator.

    Args:
        weight: float > 0, γ. Defaults to 10.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"r2"`.

    Example:
    >>> penalty = kgan.penalties.R2(10.0)
    >>> images = keras.ops.ones((4, 2))
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> float(penalty(kgan.Round(real={}, fake={"images": images}, score=score)))  # 10 / 2 * 25
    125.0
    """

    def __init__(self, weight=10.0, every=1, name=None):
        super().__init__(weight, every, name)

    def points(self, round):
        """Returns the fakes."""
        return round.fake["images"]

    def each(self, squared):
        """Returns ‖∇D(G(z))‖² / 2."""
        return squared / 2


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class GradientPenalty(InputGradientPenalty):
    """WGAN-GP: the critic's gradient between reals and fakes has norm 1.

    weight · E[(‖∇D(x̂)‖ / target − 1)²] at x̂ = ε x + (1 − ε) G(z), with one ε ~ U(0, 1) an
    example; one-sided, weight · E[max(0, ‖∇D(x̂)‖ / target − 1)²], which lets smaller gradients be.

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs" (arXiv 1704.00028), equation 3;
    one-sided: Petzka et al. 2018, "On the regularization of Wasserstein GANs" (arXiv 1709.08894),
    WGAN-LP. With `kgan.layers.Pack` in the critic the norm is that of the pack's
    score with respect to each single example.

    Args:
        weight: float > 0, λ. Defaults to 10.
        one_sided: bool, whether only norms above the target are penalised. Defaults to False.
        target: float > 0, the norm that is wanted, and the penalty's unit. Defaults to 1.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"gradient_penalty"`.

    Raises:
        ValueError: if `weight` or `target` is not above 0 or `every` is below 1.

    Example:
    >>> penalty = kgan.penalties.GradientPenalty(10.0)
    >>> images = np.ones((4, 2), "float32")
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> seed = keras.random.SeedGenerator(1)
    >>> views = {"real": {"images": images}, "fake": {"images": -images}}
    >>> float(penalty(kgan.Round(**views, score=score, seed=seed)))  # 10 * (5 - 1)**2
    160.0
    """

    def __init__(self, weight=10.0, one_sided=False, target=1.0, every=1, name=None):
        super().__init__(weight, every, name)
        if not (is_number(target) and target > 0):
            raise ValueError(f"target must be above 0. Received: {target!r}")
        self.one_sided = one_sided
        self.target = target

    def points(self, round):
        """Returns points between reals and fakes."""
        return interpolates(round)

    def each(self, squared):
        """Returns the squared distance of the norm from its target, relative to the target."""
        excess = safe_sqrt(squared) / self.target - 1
        return ops.square(ops.maximum(excess, 0.0) if self.one_sided else excess)

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "one_sided": self.one_sided, "target": self.target}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class ZeroCentered(InputGradientPenalty):
    """0-GP: the discriminator's gradient between reals and fakes vanishes.

    weight · E[‖∇D(x̂)‖²] at x̂ = ε x + (1 − ε) G(z), with one ε ~ U(0, 1) an example.

    Thanh-Tung et al. 2019, "Improving Generalization and Stability of Generative Adversarial
    Networks" (arXiv 1902.03984).

    Args:
        weight: float > 0, λ. Defaults to 10, as in the authors' code for 2-D data; for images it
            has 500.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"zero_centered"`.

    Example:
    >>> penalty = kgan.penalties.ZeroCentered(10.0)
    >>> images = np.ones((4, 2), "float32")
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> seed = keras.random.SeedGenerator(1)
    >>> views = {"real": {"images": images}, "fake": {"images": -images}}
    >>> float(penalty(kgan.Round(**views, score=score, seed=seed)))  # 10 * 25
    250.0
    """

    def __init__(self, weight=10.0, every=1, name=None):
        super().__init__(weight, every, name)

    def points(self, round):
        """Returns points between reals and fakes."""
        return interpolates(round)

    def each(self, squared):
        """Returns ‖∇D(x̂)‖²."""
        return squared


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class DRAGAN(InputGradientPenalty):
    """The discriminator's gradient around the reals has norm 1: weight · E[(‖∇D(x̂)‖ − 1)²].

    The points are x̂ = x + α δ with δ = `noise` · std · U(0, 1) for each pixel and α ~ U(0, 1) for
    each example, where std is the standard deviation of all pixels of the batch, over all replicas.

    Kodali et al. 2017, "On Convergence and Stability of GANs" (arXiv 1705.07215); the
    points are those of the authors' code.

    Args:
        weight: float > 0, λ. Defaults to 10.
        noise: float > 0, the largest δ, in standard deviations of the reals. Defaults to 0.5.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"dragan"`.

    Raises:
        ValueError: if `weight` or `noise` is not above 0 or `every` is below 1.

    Example:
    >>> penalty = kgan.penalties.DRAGAN(10.0)
    >>> images = np.ones((4, 2), "float32")
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> seed = keras.random.SeedGenerator(1)
    >>> round = kgan.Round(real={"images": images}, fake={}, score=score, seed=seed)
    >>> float(penalty(round))  # 10 * (5 - 1)**2
    160.0
    """

    def __init__(self, weight=10.0, noise=0.5, every=1, name=None):
        super().__init__(weight, every, name)
        if not (is_number(noise) and noise > 0):
            raise ValueError(f"noise must be above 0. Received: {noise!r}")
        self.noise = noise

    def points(self, round):
        """Returns points near the reals."""
        real = ops.cast(round.real["images"], "float32")
        batch, *sides = ops.shape(real)
        center = replicas.mean(ops.mean(real))
        deviation = ops.sqrt(replicas.mean(ops.mean(ops.square(real - center))))
        delta = self.noise * deviation * replicas.uniform((batch, *sides), round.seed)
        alpha = replicas.uniform((batch, *(1 for _ in sides)), round.seed)
        return real + alpha * delta

    def each(self, squared):
        """Returns (‖∇D(x̂)‖ − 1)²."""
        return ops.square(safe_sqrt(squared) - 1)

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "noise": self.noise}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class WassersteinDivergence(InputGradientPenalty):
    """WGAN-div: weight · E[‖∇D(x̂)‖^power], which makes the critic measure a divergence.

    The points are x̂ = ε x + (1 − ε) G(z), with one ε ~ U(0, 1) an example.

    Wu et al. 2018, "Wasserstein Divergence for GANs" (arXiv 1712.01026), with `weight`
    as its k and `power` as its p. It belongs to the Wasserstein loss.

    Args:
        weight: float > 0, k. Defaults to 2.
        power: float > 1, p. Defaults to 6.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"wasserstein_divergence"`.

    Raises:
        ValueError: if `weight` is not above 0, `power` is not above 1 or `every` is below 1.

    Example:
    >>> penalty = kgan.penalties.WassersteinDivergence()
    >>> images = np.ones((4, 1), "float32")
    >>> seed = keras.random.SeedGenerator(1)
    >>> views = {"real": {"images": images}, "fake": {"images": -images}}
    >>> round = kgan.Round(**views, score=lambda images: 2 * images, seed=seed)
    >>> float(penalty(round))  # 2 * 2**6
    128.0
    """

    def __init__(self, weight=2.0, power=6.0, every=1, name=None):
        super().__init__(weight, every, name)
        if not (is_number(power) and power > 1):
            raise ValueError(f"power must be above 1. Received: {power!r}")
        self.power = power

    def points(self, round):
        """Returns points between reals and fakes."""
        return interpolates(round)

    def each(self, squared):
        """Returns ‖∇D(x̂)‖^power."""
        return safe_sqrt(squared) ** self.power

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "power": self.power}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class MaxGradient(InputGradientPenalty):
    """Lipschitz GAN's penalty on the steepest point alone: weight · max ‖∇D(x̂)‖².

    The points are x̂ = ε x + (1 − ε) G(z), with one ε ~ U(0, 1) an example, and the maximum is over
    the whole batch, of all replicas.

    Zhou et al. 2019, "Lipschitz Generative Adversarial Nets" (arXiv 1902.05687). The authors' code
    may also keep the steepest points of the steps before; here each step has its own.

    Args:
        weight: float > 0, λ. Defaults to 1.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"max_gradient"`.

    Example:
    >>> penalty = kgan.penalties.MaxGradient(10.0)
    >>> images = np.ones((4, 2), "float32")
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> seed = keras.random.SeedGenerator(1)
    >>> views = {"real": {"images": images}, "fake": {"images": -images}}
    >>> float(penalty(kgan.Round(**views, score=score, seed=seed)))  # 10 * 25
    250.0
    """

    whole_batch = True

    def __init__(self, weight=1.0, every=1, name=None):
        super().__init__(weight, every, name)

    def points(self, round):
        """Returns points between reals and fakes."""
        return interpolates(round)

    def call(self, round, points):
        """Returns the largest ‖∇D(x̂)‖² of this replica."""
        return ops.max(squared_norms(input_gradients(round.score, points)))

    def finish(self, round, value, is_due):
        """Returns the largest of all replicas."""
        return ops.max(replicas.gather(ops.expand_dims(value, 0)))
