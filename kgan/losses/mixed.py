"""Several discriminators against one generator."""

import keras
from keras import ops

from kgan import replicas
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair

MIXINGS = ("softmax", "mean", "max")


def _member_losses(loss, real_scores, fake_scores):
    """Returns each member's loss, `(members,)`, over the batches of all replicas."""
    each = loss.call(loss._flatten(real_scores), loss._flatten(fake_scores))
    return replicas.mean(ops.mean(each, axis=0))


@keras.saving.register_keras_serializable(package="kgan")
class MixedDiscriminatorLoss(AdversarialLoss):
    """The sum of the members' losses: each sees its own alone, since they share no weights.

    Durugkar et al. 2016, "Generative Multi-Adversarial Networks" (arXiv 1611.01673), section 3.

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

    def __call__(self, real_scores, fake_scores, sample_weight=None):
        """Returns the sum over members of their mean losses."""
        _refuse_weights(sample_weight)
        return ops.sum(_member_losses(self.loss, real_scores, fake_scores))

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
    (Durugkar et al. 2016, section 4.1, with `sharpness` as λ), equal for `"mean"`, and all on the
    largest loss, the member that is hardest to fool, for `"max"` (section 3.1): softmax with λ = 0
    and λ = ∞.

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
        if not sharpness >= 0:
            raise ValueError(f"sharpness must be 0 or more. Received: {sharpness!r}")
        self.mixing = mixing
        self.sharpness = sharpness

    def __call__(self, real_scores, fake_scores, sample_weight=None):
        """Returns the mixture of the losses against each member."""
        _refuse_weights(sample_weight)
        losses = _member_losses(self.loss, real_scores, fake_scores)
        if self.mixing == "mean":
            return ops.mean(losses)
        if self.mixing == "max":
            return ops.max(losses)
        return ops.sum(ops.softmax(self.sharpness * losses) * losses)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "mixing": self.mixing, "sharpness": self.sharpness}


def _refuse_weights(sample_weight):
    if sample_weight is not None:
        raise ValueError(
            "A mixed loss takes no weights of examples, so it does not go with top-k training. "
            "Received: sample_weight"
        )


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
        ValueError: if a name is unknown or `sharpness` is below 0.

    Example:
    >>> pair = kgan.losses.Mixed("minimax", mixing="mean")
    >>> scores = np.zeros((4, 2))
    >>> round(float(pair.discriminator(scores, scores) + 4 * pair.generator(scores, scores)), 4)
    0.0
    """

    def __init__(self, pair="non_saturating", mixing="softmax", sharpness=1.0):
        self.pair = LOSSES.get(pair, LossPair)
        super().__init__(
            MixedDiscriminatorLoss(self.pair.discriminator),
            MixedGeneratorLoss(self.pair.generator, mixing, sharpness),
        )
        self.mixing = mixing
        self.sharpness = sharpness

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
