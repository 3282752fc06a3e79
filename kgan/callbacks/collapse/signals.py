"""What a few numbers say of a GAN's health: noted in the train step, measured outside of it."""

import dataclasses
import math

import keras
import numpy as np
from keras import ops

from kgan import backend, replicas
from kgan.component import Observer

# So many images of a batch, and so many of their numbers, are looked at: enough for medians that
# are steady, and less work than any layer's.
IMAGES = 64
NUMBERS_AN_IMAGE = 256
PLAYERS = ("generator", "discriminator")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """The signals of one batch. Those of images compare fakes with the reals beside them.

    Args:
        step: int, the generator update that it was read at.
        spread: float, the mean distance between two fakes, over that of two reals: 1 where they
            vary alike, 0 where all fakes are one.
        variety: float, the mean distance of a fake to the nearest other fake, over that of reals:
            far below 1 where fakes repeat each other.
        distance: float, the energy distance of fakes and reals (Székely & Rizzo 2013, "Energy
            statistics", definition 2), over the mean distance between two reals: 0 where both
            come from one distribution, about 1 where all fakes are one real.
        accuracy: float, the share of pairs of a real and a fake in which the discriminator gives
            the real the higher score: 1/2 where it cannot tell them apart.
        score_gap: float, the mean score of reals less that of fakes.
        score_size: float, the largest magnitude of a score.
        generator_gradient: float, the norm of the generator's gradient.
        discriminator_gradient: float, the norm of the discriminator's.
    """

    step: int
    spread: float
    variety: float
    distance: float
    accuracy: float
    score_gap: float
    score_size: float
    generator_gradient: float
    discriminator_gradient: float

    @property
    def is_finite(self):
        """Whether every image, score and gradient was a number."""
        return math.isfinite(sum(vars(self).values()))


class Snapshot(Observer):
    """Keeps some images, scores and gradient norms of every k-th step, as the players saw them.

    On several replicas, they are those of the first.

    Args:
        every_steps: int >= 1, how often it looks.
        name: str. Defaults to `"snapshot"`.
    """

    def __init__(self, every_steps, name=None):
        super().__init__(name)
        self.every_steps = every_steps

    def build(self, gan):
        """Makes room for what it keeps."""
        self._gan = gan
        size = math.prod(gan.image_shape)
        # Spread over the whole image.
        self._places = np.unique(np.linspace(0, size - 1, NUMBERS_AN_IMAGE).astype("int32"))
        self.steps = self.add_variable(dtype="int")
        self.norms = {player: self.add_variable() for player in PLAYERS}
        self.counts = self.add_variable((2,))
        self.scores = self.add_variable((2, IMAGES))
        self.images = self.add_variable((2, IMAGES, len(self._places)))

    def observe(self, player, gradients, round):
        """Notes the gradient of either player, and the round with the generator's."""
        due = ops.equal((self.steps + 1) % self.every_steps, 0)
        kept = [self.norms[player]]
        if player == "generator":
            kept += [self.counts, self.scores, self.images]
        old = [ops.convert_to_tensor(variable) for variable in kept]

        def look():
            new = [self._norm(player, gradients)]
            return new + (self._look(round) if player == "generator" else [])

        replicas.assign(kept, ops.cond(due, look, lambda: old))
        if player == "generator":
            replicas.assign([self.steps], [self.steps + 1])

    def _norm(self, player, gradients):
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
        # The gradient that one replica would have, without the scale of float16.
        optimizer = getattr(self._gan, f"{player}_optimizer")
        norm = ops.sqrt(sum(squares)) * backend.num_replicas()
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return norm
        # Where the scale was too high the optimizer skips the step, and nothing is wrong.
        norm = norm / optimizer.dynamic_scale
        return ops.where(ops.isfinite(norm), norm, self.norms[player])

    def _look(self, round):
        views = (round.real, round.fake)
        images = [_rows(view["images"]) for view in views]
        scores = [ops.mean(_rows(view["score"]), axis=-1) for view in views]
        counts = [ops.minimum(ops.shape(x[0])[0], IMAGES) for x in (images, scores)]
        images = [ops.take(_first(x), self._places, axis=1) for x in images]
        return [
            ops.stack([ops.cast(count, "float32") for count in counts]),
            ops.stack([_first(x) for x in scores]),
            ops.stack(images),
        ]

    def read(self):
        """Returns the steps seen, and the arguments of `measure` at the last one of interest."""
        self._gan.synchronize()
        n, m = (int(count) for count in self.counts.numpy())
        return int(self.steps.numpy()), {
            "images": self.images.numpy()[:, :n],
            "scores": self.scores.numpy()[:, :m],
            "gradients": [float(self.norms[player].numpy()) for player in PLAYERS],
        }


def _rows(x):
    """Returns a tensor's examples as rows, in float32."""
    x = ops.cast(x, "float32")
    width = -1 if None in x.shape[1:] else math.prod(x.shape[1:])
    return ops.reshape(x, (ops.shape(x)[0], width))


def _first(x):
    """Returns the first rows; where there are fewer, some come twice, and `counts` says so."""
    return ops.take(x, ops.arange(IMAGES) % ops.shape(x)[0], axis=0)


def measure(step, images, scores, gradients):
    """Returns the `Reading` of what a snapshot has kept.

    Args:
        step: int.
        images: array `(2, n, d)`, reals and fakes.
        scores: array `(2, m)`, likewise.
        gradients: two floats, the norms of the generator's gradient and of the discriminator's.
    """
    images, scores = np.asarray(images, "float64"), np.asarray(scores, "float64")
    if not (np.isfinite(images).all() and np.isfinite(scores).all()):
        broken = {field.name: math.nan for field in dataclasses.fields(Reading)}
        return Reading(**{**broken, "step": step})
    reals, fakes = images
    real_distance, real_nearest = _within(reals)
    fake_distance, fake_nearest = _within(fakes)
    across = _distances(reals, fakes).mean()
    pairs = np.sign(scores[0][:, None] - scores[1][None, :])
    return Reading(
        step=step,
        spread=_ratio(fake_distance, real_distance),
        variety=_ratio(fake_nearest, real_nearest),
        distance=_ratio(2 * across - real_distance - fake_distance, real_distance, 0.0),
        accuracy=float((pairs.mean() + 1) / 2),
        score_gap=float(scores[0].mean() - scores[1].mean()),
        score_size=float(np.abs(scores).max()),
        generator_gradient=gradients[0],
        discriminator_gradient=gradients[1],
    )


def _within(points):
    """Returns the mean distance of two points, and that of a point to its nearest."""
    distances = _distances(points, points)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(axis=1).mean()
    np.fill_diagonal(distances, 0.0)
    return distances.sum() / (len(points) * (len(points) - 1)), nearest


def _distances(a, b):
    # Not a @ b.T: the threads of BLAS go on spinning for milliseconds, which the training needs.
    products = np.einsum("id,jd->ij", a, b)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * products
    return np.sqrt(np.maximum(squares, 0.0))


def _ratio(value, reference, otherwise=1.0):
    """Returns a ratio to the reals', or what tells nothing where they do not vary."""
    return float(value / reference) if reference > 0 else otherwise
