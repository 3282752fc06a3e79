"""Path length regularisation: what keeps the generator smooth."""

import math

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import check_positive_int, check_rate
from kgan.penalties.base import PENALTIES, Penalty, input_gradients, safe_sqrt, squared_norms


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class PathLength(Penalty):
    """A step in latent space changes the image by the same amount everywhere.

    weight · E[(‖Jᵀy‖ − a)²], where Jᵀy = ∇_w (G(w) · y) for images y ~ N(0, 1)/√pixels of noise,
    and the target a is the running mean of the path lengths ‖Jᵀy‖, this step's included:
    a ← a + decay · (mean ‖Jᵀy‖ − a). It is added to the generator's loss, and treats a as constant.

    Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN" (arXiv 1912.04958),
    section 3.2 and appendix B. There w are the styles that a mapping network makes of the latents;
    here they are what the game calls latents and its `synthesize` takes. `pixels` is the product
    of all axes of an image but its channels.

    The penalty takes its own pass through the generator, never in float16. The authors compute
    it in every 4th of the generator's steps, of half of the fakes: `every=4, shrink=2`.

    Args:
        weight: float > 0, γ. Defaults to 2.
        decay: float in (0, 1), how far the running mean moves in a step that computes the penalty.
            Defaults to 0.01.
        every: int >= 1, in which of the generator's steps it is computed. Defaults to 1.
        shrink: int >= 1, of how many fakes one is taken. Defaults to 1.
        name: str, the key in the logs, beside the running mean `{name}_mean`. Defaults to
            `"path_length"`.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> penalty = kgan.penalties.PathLength(every=4, shrink=2)
    >>> penalty.player, penalty.decay
    ('generator', 0.01)
    """

    needs = ("latents",)
    player = "generator"
    # The mean of the path lengths, and their variance.
    value_shape = (2,)

    def __init__(self, weight=2.0, decay=0.01, every=1, shrink=1, name=None):
        super().__init__(weight, every, name)
        check_positive_int("shrink", shrink)
        check_rate("decay", decay)
        if decay == 0:
            raise ValueError(f"decay must be above 0. Received: {decay!r}")
        self.decay = decay
        self.shrink = int(shrink)

    def build(self, gan):
        """Makes the running mean."""
        self.mean = self.add_variable(name=f"{self.name}_mean")

    def prepare(self, round):
        """Returns an image of noise for each fake that is taken."""
        batch, *sides = ops.shape(round.fake["images"][:: self.shrink])
        noise = replicas.normal((batch, *sides), round.seed)
        return (noise / math.sqrt(math.prod(sides[:-1])),)

    def call(self, round, noise):
        """Returns the mean of ‖Jᵀy‖ over this replica's examples, and its variance."""
        # A generator that is given labels is given those of the fakes that are taken.
        labels = round.fake.get("labels")
        beside = {} if labels is None else {"labels": labels[:: self.shrink]}

        def projected(latents):
            images = round.synthesize(latents, **beside)
            return ops.sum(images * noise, axis=tuple(range(1, len(images.shape))))

        latents = ops.stop_gradient(round.fake["latents"][:: self.shrink])
        lengths = safe_sqrt(squared_norms(input_gradients(projected, latents)))
        return ops.stack([ops.mean(lengths), ops.var(lengths)])

    def finish(self, round, value, is_due):
        """Returns E[(‖Jᵀy‖ − a)²] of this replica's examples, with the a of all replicas."""
        mean, variance = value[0], value[1]
        distance = replicas.mean(ops.stop_gradient(mean)) - self.mean
        target = self.mean + is_due * self.decay * distance
        round.notes[self.name] = target
        return variance + ops.square(mean - target)

    def after_update(self, round):
        """Keeps the running mean of the step that the generator has taken."""
        replicas.assign([self.mean], [round.notes[self.name]])

    @property
    def state_names(self):
        """The running mean's key in the logs."""
        return (f"{self.name}_mean",)

    def state_logs(self):
        """Returns the running mean."""
        return {f"{self.name}_mean": self.mean.value}

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "decay": self.decay, "shrink": self.shrink}
