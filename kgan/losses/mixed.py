"""Several discriminators against one generator."""

import math

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair

MIXINGS = ("softmax", "mean", "max")


def _columns(scores):
    """Returns each member's scores, `(batch, 1)`."""
    scores = ops.convert_to_tensor(scores)
    scores = ops.reshape(scores, (ops.shape(scores)[0], math.prod(scores.shape[1:])))
    return [scores[:, i : i + 1] for i in range(scores.shape[-1])]


def _mix(losses, mixing, sharpness):
    """Returns the mixture of a list of losses; each is that of the batches of all replicas."""
    losses = replicas.mean(ops.stack(losses))
    if mixing == "mean":
        return ops.mean(losses)
    if mixing == "max":
        return ops.max(losses)
    return ops.sum(ops.softmax(sharpness * losses) * losses)


@keras.saving.register_keras_serializable(package="kgan")
class MixedDiscriminatorLoss(AdversarialLoss):
    """The sum of the members' losses: each sees its own alone, since they share no weights.

    Durugkar et al. 2016, "Generative Multi-Adversarial Networks" (arXiv 1611.01673).

    Args:
        loss: `AdversarialLoss`, what a member alone minimises.
        **kwargs: `name`, `dtype` of `AdversarialLoss`.

    Example:
    >>> loss = kgan.losses.MixedDiscriminatorLoss(kgan.losses.MinimaxDiscriminatorLoss())
    >>> round(float(loss(np.zeros((4, 3)), np.zeros((4, 3)))), 4)  # 3 members
    4.1589
    """

    def __init__(self, loss, **kwargs):
        super().__init__(**kwargs)
        self.loss = loss

    def __call__(self, real_scores, fake_scores, sample_weight=None, **context):
        """Returns the sum over members of their mean losses."""
        return sum(self._each(real_scores, fake_scores, sample_weight, **context))

    def _each(self, real_scores, fake_scores, sample_weight, **context):
        # One by one, since a loss may look at all scores that it is given.
        pairs = zip(_columns(real_scores), _columns(fake_scores), strict=True)
        return [self.loss(*pair, sample_weight=sample_weight, **context) for pair in pairs]

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        """Makes the loss that `get_config` described."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


@keras.saving.register_keras_serializable(package="kgan")
class MixedGeneratorLoss(MixedDiscriminatorLoss):
    """What the generator minimises against several members: Σ wᵢ Lᵢ.

    Lᵢ is its loss against member i. The weights are wᵢ = exp(λ Lᵢ) / Σ exp(λ Lⱼ) for `"softmax"`
    (Durugkar et al. 2016, with `sharpness` as λ), equal for `"mean"`, and all on the largest loss,
    the member that is hardest to fool, for `"max"`: softmax with λ = 0 and λ = ∞.

    Args:
        loss: `AdversarialLoss`, what the generator minimises against one member.
        mixing: `"softmax"`, `"mean"` or `"max"`. Defaults to `"softmax"`.
        sharpness: float >= 0, λ of the softmax. Defaults to 1.
        **kwargs: `name`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if `mixing` is none of these, or `sharpness` is below 0.

    Example:
    >>> loss = kgan.losses.MixedGeneratorLoss(kgan.losses.NonSaturatingGeneratorLoss(), "max")
    >>> scores = np.array([[0.0, -3.0]])  # the second member is not fooled
    >>> round(float(loss(scores, scores)), 4)
    3.0486
    """

    def __init__(self, loss, mixing="softmax", sharpness=1.0, **kwargs):
        super().__init__(loss, **kwargs)
        if mixing not in MIXINGS:
            raise ValueError(f"mixing must be one of {MIXINGS}. Received: {mixing!r}")
        if not (is_number(sharpness) and sharpness >= 0):
            raise ValueError(f"sharpness must be 0 or more. Received: {sharpness!r}")
        self.mixing = mixing
        self.sharpness = sharpness

    def __call__(self, real_scores, fake_scores, sample_weight=None, **context):
        """Returns the mixture of the losses against each member."""
        losses = self._each(real_scores, fake_scores, sample_weight, **context)
        return _mix(losses, self.mixing, self.sharpness)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "mixing": self.mixing, "sharpness": self.sharpness}


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Mixed(LossPair):
    """The game of one generator against a `kgan.backbones.Committee` of discriminators.

    Durugkar et al. 2016, "Generative Multi-Adversarial Networks" (arXiv 1611.01673).

    Args:
        pair: str or `kgan.losses.LossPair`, the game of each member. Defaults to
            `"non_saturating"`.
        mixing: `"softmax"`, `"mean"` or `"max"`, how the generator weighs its losses against the
            members. Defaults to `"softmax"`.
        sharpness: float >= 0, λ of the softmax. Defaults to 1.

    Raises:
        ValueError: if a name is unknown, `sharpness` is below 0, or the members' game needs more
            than their scores.

    Example:
    >>> pair = kgan.losses.Mixed("minimax", mixing="mean")
    >>> scores = np.zeros((4, 2))
    >>> round(float(pair.discriminator(scores, scores) + 4 * pair.generator(scores, scores)), 4)
    0.0
    """

    def __init__(self, pair="non_saturating", mixing="softmax", sharpness=1.0):
        self.pair = LOSSES.get(pair, LossPair)
        if self.pair.needs:
            raise ValueError(
                "The members' game must be one of scores alone, since scores are all that a "
                f"committee gives. Received: {pair!r}, which needs {', '.join(self.pair.needs)}"
            )
        super().__init__(
            MixedDiscriminatorLoss(self.pair.discriminator),
            MixedGeneratorLoss(self.pair.generator, mixing, sharpness),
        )
        self.mixing = mixing
        self.sharpness = sharpness

    def build(self, gan):
        """Raises ValueError unless the discriminator is a committee.

        Args:
            gan: `kgan.GAN`.
        """
        if not hasattr(gan.discriminator, "members"):
            raise ValueError(
                "Mixed is the game against a kgan.backbones.Committee. Received: "
                f"discriminator={gan.discriminator!r}"
            )

    def terms(self, real, fake):
        """Returns both players' losses of one round; see `LossPair.terms`.

        Args:
            real: dict, the view of the reals.
            fake: dict, the view of the fakes.
        """
        columns = zip(_columns(real["score"]), _columns(fake["score"]), strict=True)
        terms = [
            self.pair.terms({**real, "score": real_scores}, {**fake, "score": fake_scores})
            for real_scores, fake_scores in columns
        ]
        generator_losses = [one["generator_loss"] for one in terms]
        return {
            "generator_loss": _mix(generator_losses, self.mixing, self.sharpness),
            "discriminator_loss": sum(one["discriminator_loss"] for one in terms),
        }

    def probability(self, scores):
        """Returns what each member's game calls the probability."""
        return self.pair.probability(scores)

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {
            "pair": keras.saving.serialize_keras_object(self.pair),
            "mixing": self.mixing,
            "sharpness": self.sharpness,
        }

    @classmethod
    def from_config(cls, config):
        """Makes the pair that `get_config` described."""
        pair = keras.saving.deserialize_keras_object(config["pair"])
        return cls(**{**config, "pair": pair})
