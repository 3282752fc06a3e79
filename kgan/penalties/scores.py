"""Penalties on the discriminator's scores."""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import check_positive_int, check_rate
from kgan.penalties.base import PENALTIES, Penalty


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class LeCam(Penalty):
    """Pulls the scores of each side to the other's past: E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²].

    α_R and α_F are exponential averages of the mean scores of reals and fakes; they are saved with
    the GAN, and are the same on all replicas. It keeps a discriminator of few images from telling
    them ever further apart. Tseng et al. 2021, "Regularizing Generative Adversarial Networks under
    Limited Data" (arXiv 2104.03310), section 3, with `weight` as its λ and `decay` as its γ.

    As in the authors' code the averages settle first: for `warm_up_steps` updates they are the
    last batch's means, and the penalty is 0. Theirs also cuts the differences off below 0,
    which the paper's formula does not.

    Args:
        weight: float > 0, λ. Defaults to 0.3, the authors' for BigGAN on CIFAR.
        decay: float in [0, 1), how much of an average stays at each update of the discriminator.
            Defaults to 0.99.
        warm_up_steps: int >= 1, the discriminator's updates before the penalty begins. Defaults to
            1000.
        every: int >= 1, in which of the discriminator's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"le_cam"`.

    Raises:
        ValueError: if `weight` is not above 0, `decay` is not in [0, 1), or `warm_up_steps` or
            `every` is below 1.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(penalties=[kgan.penalties.LeCam(warm_up_steps=1)])
    >>> images = np.ones((8, 2), "float32")
    >>> gan.fit(images, batch_size=4, verbose=0).history["le_cam"][0] > 0
    True
    """

    def __init__(self, weight=0.3, decay=0.99, warm_up_steps=1000, every=1, name=None):
        super().__init__(weight, every, name)
        check_rate("decay", decay)
        check_positive_int("warm_up_steps", warm_up_steps)
        self.decay = decay
        self.warm_up_steps = warm_up_steps

    def build(self, gan):
        """Makes the two averages, and the count of their updates."""
        self._updates = self.add_variable(dtype="int", name="updates")
        self._real_average = self.add_variable(name="real_average")
        self._fake_average = self.add_variable(name="fake_average")

    def call(self, round):
        """Returns E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²], or 0 during the warm-up."""
        real, fake = _scores(round)
        from_fakes = ops.mean(ops.square(real - self._fake_average))
        from_reals = ops.mean(ops.square(fake - self._real_average))
        return ops.where(self._is_warm(), from_fakes + from_reals, 0.0)

    def after_update(self, round):
        """Moves the averages towards the mean scores of this round."""
        decay = ops.where(self._is_warm(), self.decay, 0.0)
        means = replicas.mean([ops.mean(scores) for scores in _scores(round)])
        averages = [self._real_average, self._fake_average]
        moved = [decay * a + (1 - decay) * m for a, m in zip(averages, means, strict=True)]
        replicas.assign([*averages, self._updates], [*moved, self._updates + 1])

    def _is_warm(self):
        return self._updates >= self.warm_up_steps

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {
            **super().get_config(),
            "decay": self.decay,
            "warm_up_steps": self.warm_up_steps,
        }


def _scores(round):
    return [ops.cast(view["score"], "float32") for view in (round.real, round.shown)]
