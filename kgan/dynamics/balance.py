"""A controller that keeps either player from running away."""

import math

import keras
from keras import ops

from kgan import replicas
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.layers.checks import check_positive_number, is_number


@DYNAMICS.register
@keras.saving.register_keras_serializable(package="kgan")
class Balance(Dynamics):
    """Slows the player that is ahead, until the discriminator is as often right as wished.

    The discriminator's accuracy is the share of pairs of a real and a fake in which the real has
    the higher score: 1/2 where it cannot tell them apart, whatever the scale of the scores. After
    each of its updates, the logarithm of the ratio of learning rates (the discriminator's over the
    generator's) moves by `gain · (target − accuracy)`. A ratio below 1 shortens the
    discriminator's updates by that factor, and one above 1 the generator's. It is an integral
    controller, as BEGAN's of its k (Berthelot et al. 2017, arXiv 1703.10717, section 3.4), on the
    ratio of Heusel et al.'s two time scales (2017, arXiv 1706.08500).

    Args:
        target: float in (0.5, 1), the accuracy to keep. Defaults to 0.8.
        gain: float > 0, the logarithm's move per update for an accuracy that is off by 1. Defaults
            to 0.01.
        max_ratio: float > 1, neither player is slowed more than this. Defaults to 100.
        name: str, the prefix of its logs: accuracy and ratio. Defaults to `"balance"`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(dynamics=[kgan.dynamics.Balance(0.75)])
    >>> history = gan.fit(np.zeros((8, 2), "float32"), batch_size=8, verbose=0)
    >>> sorted(key for key in history.history if key.startswith("balance"))
    ['balance_accuracy', 'balance_ratio']
    """

    def __init__(self, target=0.8, gain=0.01, max_ratio=100.0, name=None):
        if not (is_number(target) and 0.5 < target < 1):
            raise ValueError(f"target must lie in (0.5, 1). Received: {target!r}")
        check_positive_number("gain", gain)
        if not (is_number(max_ratio) and max_ratio > 1):
            raise ValueError(f"max_ratio must be a number above 1. Received: {max_ratio!r}")
        super().__init__(name)
        self.target = target
        self.gain = gain
        self.max_ratio = max_ratio

    def build(self, gan):
        """Begins with equal learning rates."""
        self.log_ratio = self.add_variable()
        self.accuracy = self.add_variable()

    @property
    def state_names(self):
        """Tuple of str, the keys of the accuracy and the ratio in the logs."""
        return (f"{self.name}_accuracy", f"{self.name}_ratio")

    def state_logs(self):
        """Returns the last update's accuracy, and the ratio of learning rates."""
        return {
            f"{self.name}_accuracy": ops.convert_to_tensor(self.accuracy),
            f"{self.name}_ratio": ops.exp(self.log_ratio),
        }

    def pace(self, player, variable):
        """Returns the ratio for the discriminator, or its inverse for the generator, up to 1."""
        log_ratio = ops.convert_to_tensor(self.log_ratio)
        return ops.exp(ops.minimum(log_ratio if player == "discriminator" else -log_ratio, 0.0))

    def after_update(self, round):
        """Moves the ratio by how far the accuracy is off."""
        real_scores = replicas.gather(_flat(round.real["score"]))
        fake_scores = replicas.gather(_flat(round.shown["score"]))
        gaps = real_scores[:, None] - fake_scores[None, :]
        accuracy = ops.mean((ops.sign(gaps) + 1) / 2)
        limit = math.log(self.max_ratio)
        moved = self.log_ratio + self.gain * (self.target - accuracy)
        self.log_ratio.assign(ops.clip(moved, -limit, limit))
        self.accuracy.assign(accuracy)

    def get_config(self):
        """Returns the arguments that make an equal controller."""
        return {
            **super().get_config(),
            "target": self.target,
            "gain": self.gain,
            "max_ratio": self.max_ratio,
        }


def _flat(scores):
    """Returns the mean score of each example, `(batch,)`."""
    return ops.mean(ops.reshape(ops.cast(scores, "float32"), (ops.shape(scores)[0], -1)), axis=-1)
