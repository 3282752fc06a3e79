"""The game of Goodfellow et al. 2014, "Generative Adversarial Networks" (arXiv 1406.2661).

Scores are logits: D(x) = sigmoid(score), so that log D(x) = -softplus(-score) and
log(1 - D(x)) = -softplus(score), exact where the probabilities themselves would round to 0 or 1.
"""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


def check_below_half(name, value):
    """Raises ValueError unless `value` lies in [0, 0.5): more would turn the labels around."""
    if not (is_number(value) and 0.0 <= value < 0.5):
        raise ValueError(
            f"{name} must lie in [0, 0.5): half would leave reals and fakes the same label. "
            f"Received: {name}={value!r}"
        )


def cross_entropy(scores, target):
    """Returns -t log D - (1 - t) log(1 - D) of logits, with no cancellation at any score."""
    return target * ops.softplus(-scores) + (1 - target) * ops.softplus(scores)


@keras.saving.register_keras_serializable(package="kgan")
class MinimaxDiscriminatorLoss(AdversarialLoss):
    """Cross-entropy of telling reals from fakes: -E[log D(x)] - E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, equation 1. With label smoothing (Salimans et al. 2016, arXiv
    1606.03498, section 3.4) reals have the target 1 - `label_smoothing` and fakes
    `fake_label_smoothing`, which the paper advises to leave at 0 ("one-sided"). With label noise
    each real is called a fake with probability `real_flip_probability` and the other way round,
    drawn anew an example in each call that is given a `seed`. `GAN` gives one in training, so
    that evaluation has true labels.

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label 1. Defaults to 0.
        fake_label_smoothing: float in [0, 0.5), what is added to the fake label 0. Defaults to 0.
        real_flip_probability: float in [0, 0.5), the share of reals with the label of fakes.
            Defaults to 0.
        fake_flip_probability: float in [0, 0.5), the share of fakes with the label of reals.
            Defaults to 0.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> loss = kgan.losses.MinimaxDiscriminatorLoss(label_smoothing=0.1)
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    1.3863
    """

    def __init__(
        self,
        label_smoothing=0.0,
        fake_label_smoothing=0.0,
        real_flip_probability=0.0,
        fake_flip_probability=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        self.fake_label_smoothing = fake_label_smoothing
        self.real_flip_probability = real_flip_probability
        self.fake_flip_probability = fake_flip_probability
        for name, value in self._noise().items():
            check_below_half(name, value)

    def call(self, real_scores, fake_scores, seed=None):
        """Returns the cross-entropy of each pair of scores.

        Args:
            real_scores: float32 `(batch, positions)`.
            fake_scores: float32 `(batch, positions)`.
            seed: `keras.random.SeedGenerator` that flips are drawn from. Defaults to None: no
                label is flipped.
        """
        real, fake = 1 - self.label_smoothing, self.fake_label_smoothing
        real_targets = _flip(real_scores, real, fake, self.real_flip_probability, seed)
        fake_targets = _flip(fake_scores, fake, real, self.fake_flip_probability, seed)
        return cross_entropy(real_scores, real_targets) + cross_entropy(fake_scores, fake_targets)

    def _noise(self):
        return {
            "label_smoothing": self.label_smoothing,
            "fake_label_smoothing": self.fake_label_smoothing,
            "real_flip_probability": self.real_flip_probability,
            "fake_flip_probability": self.fake_flip_probability,
        }

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), **self._noise()}


def _flip(scores, target, other, probability, seed):
    """Returns the target, or for some examples the other one."""
    if seed is None or not probability:
        return target
    draws = replicas.uniform((ops.shape(scores)[0], 1), seed)
    return ops.cast(ops.where(draws < probability, other, target), scores.dtype)


@keras.saving.register_keras_serializable(package="kgan")
class MinimaxGeneratorLoss(AdversarialLoss):
    """The generator's side of the minimax value: E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, equation 1. Its gradient vanishes ("saturates") where the
    discriminator is sure, which `NonSaturatingGeneratorLoss` mends.

    Example:
    >>> loss = kgan.losses.MinimaxGeneratorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    -0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns log(1 - D(G(z))) of each fake."""
        return -ops.softplus(fake_scores)


@keras.saving.register_keras_serializable(package="kgan")
class NonSaturatingGeneratorLoss(AdversarialLoss):
    """The generator maximises the log-probability of being taken for real: -E[log D(G(z))].

    Goodfellow et al. 2014, section 3: the same fixed point as the minimax game, with strong
    gradients early in learning.

    Example:
    >>> loss = kgan.losses.NonSaturatingGeneratorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns -log D(G(z)) of each fake."""
        return ops.softplus(-fake_scores)


@keras.saving.register_keras_serializable(package="kgan")
class ModifiedGeneratorLoss(AdversarialLoss):
    """The non-saturating loss with a smoothed target.

    -(1 - s) E[log D(G(z))] - s E[log(1 - D(G(z)))], TF-GAN's `modified_generator_loss` of
    Goodfellow et al. 2014, section 3. With s > 0 the generator seeks fakes with D = 1 - s rather
    than pushing scores up for ever.

    Args:
        label_smoothing: float in [0, 0.5), the s that is taken off the target 1. TF-GAN's argument
            of this name is twice as large. Defaults to 0.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if `label_smoothing` is out of range.

    Example:
    >>> loss = kgan.losses.ModifiedGeneratorLoss(label_smoothing=0.1)
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    0.6931
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        check_below_half("label_smoothing", label_smoothing)
        self.label_smoothing = label_smoothing

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each fake with the target 1 - s."""
        return cross_entropy(fake_scores, 1 - self.label_smoothing)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="kgan")
class LogitPair(LossPair):
    """A pair whose scores are logits, so that D(x) is a probability."""

    def probability(self, scores):
        """Returns D(x) = sigmoid(score).

        Args:
            scores: float tensor of any shape, what the discriminator returned.
        """
        return ops.sigmoid(scores)


class NoisyLabelPair(LogitPair):
    """A pair whose discriminator minimises the cross-entropy, with smooth or noisy labels."""

    def __init__(self, generator, **noise):
        super().__init__(MinimaxDiscriminatorLoss(**noise), generator)
        for name, value in noise.items():
            setattr(self, name, value)
        self._noise = noise

    def terms(self, real, fake):
        """Returns both players' losses of one round; see `LossPair.terms`.

        Args:
            real: dict, the view of the reals; its `"seed"`, if there is one, draws which labels
                are flipped.
            fake: dict, the view of the fakes.
        """
        scores = real["score"], fake["score"]
        return {
            "generator_loss": self.generator(*scores, sample_weight=fake.get("weights")),
            "discriminator_loss": self.discriminator(*scores, seed=real.get("seed")),
        }

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return dict(self._noise)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Minimax(NoisyLabelPair):
    """The zero-sum game as Goodfellow et al. 2014 wrote it (equation 1), saturating.

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label 1. Defaults to 0.
        fake_label_smoothing: float in [0, 0.5), what is added to the fake label 0. Defaults to 0.
        real_flip_probability: float in [0, 0.5), the share of reals that the discriminator is told
            are fakes, in training. Defaults to 0.
        fake_flip_probability: float in [0, 0.5), the share of fakes that it is told are reals.
            Defaults to 0.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> pair = kgan.losses.get("minimax")
    >>> scores = np.zeros((4, 1))
    >>> round(float(pair.discriminator(scores, scores) + 2 * pair.generator(scores, scores)), 4)
    0.0
    """

    def __init__(
        self,
        label_smoothing=0.0,
        fake_label_smoothing=0.0,
        real_flip_probability=0.0,
        fake_flip_probability=0.0,
    ):
        super().__init__(
            MinimaxGeneratorLoss(),
            label_smoothing=label_smoothing,
            fake_label_smoothing=fake_label_smoothing,
            real_flip_probability=real_flip_probability,
            fake_flip_probability=fake_flip_probability,
        )


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class NonSaturating(NoisyLabelPair):
    """The game that is played in practice (Goodfellow et al. 2014, section 3).

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label 1. Defaults to 0.
        fake_label_smoothing: float in [0, 0.5), what is added to the fake label 0. Defaults to 0.
        real_flip_probability: float in [0, 0.5), the share of reals that the discriminator is told
            are fakes, in training. Defaults to 0.
        fake_flip_probability: float in [0, 0.5), the share of fakes that it is told are reals.
            Defaults to 0.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> pair = kgan.losses.NonSaturating(label_smoothing=0.1)
    >>> round(float(pair.generator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    0.6931
    """

    def __init__(
        self,
        label_smoothing=0.0,
        fake_label_smoothing=0.0,
        real_flip_probability=0.0,
        fake_flip_probability=0.0,
    ):
        super().__init__(
            NonSaturatingGeneratorLoss(),
            label_smoothing=label_smoothing,
            fake_label_smoothing=fake_label_smoothing,
            real_flip_probability=real_flip_probability,
            fake_flip_probability=fake_flip_probability,
        )


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Modified(NoisyLabelPair):
    """TF-GAN's modified game: `NonSaturating` with smooth targets for both players.

    -E[(1 - s) log D(x) + s log(1 - D(x))] - E[log(1 - D(G(z)))] for the discriminator, Goodfellow
    et al. 2014, section 3, with the smoothing of Salimans et al. 2016 (arXiv 1606.03498); see
    `ModifiedGeneratorLoss` for the generator. TF-GAN's default is an argument of 0.25, which its
    cross-entropy halves; the numbers here are what is taken off the target. Where both are 0 this
    is `NonSaturating`.

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the label of reals. Defaults to
            0.125, as TF-GAN's 0.25.
        generator_label_smoothing: float in [0, 0.5), what is taken off the label that the
            generator wants for its fakes. Defaults to 0.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> pair = kgan.losses.Modified(generator_label_smoothing=0.1)
    >>> scores = np.full((4, 1), np.log(9))  # D = 0.9, where the generator wants its fakes
    >>> bool(pair.generator(scores, scores) < pair.generator(scores, scores + 1))
    True
    """

    def __init__(self, label_smoothing=0.125, generator_label_smoothing=0.0):
        check_below_half("generator_label_smoothing", generator_label_smoothing)
        super().__init__(
            ModifiedGeneratorLoss(generator_label_smoothing), label_smoothing=label_smoothing
        )
        self.generator_label_smoothing = generator_label_smoothing

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        own = {"generator_label_smoothing": self.generator_label_smoothing}
        return {**super().get_config(), **own}
