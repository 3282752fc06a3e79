"""The Dirac-GAN, whose every training step is known in closed form, played through `GAN.fit`.

Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?" (arXiv 1801.04406).
All data is the point 0, the generator is the point θ, the discriminator scores D(x) = ψ x. Near
the equilibrium (0, 0) one step of both players is a 2 × 2 matrix: I + h J of simultaneous updates,
the product of both players' steps of alternating ones, with learning rate h and

    J = [[0, f'], [−f', −γ]], with the eigenvalues −γ/2 ± sqrt(γ²/4 − f'²),

where f' is the loss's slope at score 0 (1/2 of logits, 1 of Wasserstein scores) and γ the pull of
the regulariser on ψ. Where all eigenvalues λ of the step lie inside the unit circle, training
converges at the rate log |λ| a step; where one lies outside, it leaves the equilibrium.

| Method | The paper's verdict | What is asserted of the trained (θ, ψ) |
| --- | --- | --- |
| minimax, non-saturating, WGAN; simultaneous | diverge | both λ; it grows by sqrt(1 + h² f'²) |
| the same; alternating, 1 or 5 critic steps | circle | both λ, size 1; one ellipse, 2,000 steps |
| WGAN with clipped weights | does not converge | the map; circles at the limit |
| WGAN-GP | does not converge | the map; leaves a ball; circles, or stops at a wrong θ |
| DRAGAN | does not converge | the map; leaves a ball; circles |
| instance noise σ: γ = σ²/2 | converges | the rate, to 3 standard errors of sampling |
| R1, R2: γ | converge | both λ; the rate, under- and overdamped |
| zero-centred on interpolates: γ = 2 weight | converges | both λ; the rate |
| R1 + R2 of RpGAN, R1 in every fourth step | (not in it) | both λ; the rate |
| WGAN-LP, WGAN-div, flat at (0, 0) | (not in it) | both λ; grow as WGAN does |
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan

RATE = 0.2  # h, of both players
NEAR = (1e-3, 1e-3)  # where the step differs from its linear map by less than 1e-6 of itself


# --- The game -----------------------------------------------------------------------------------


class Point(keras.layers.Layer):
    """The same point θ for all latents."""

    def __init__(self, start):
        super().__init__()
        self.theta = self.add_weight(
            shape=(1, 1), initializer=keras.initializers.Constant(start), name="theta"
        )

    def call(self, latents):
        return ops.tile(self.theta, (ops.shape(latents)[0], 1))


class Path(keras.callbacks.Callback):
    """Notes (θ, ψ) after each execution."""

    def on_train_begin(self, logs=None):
        self.states = [self._state()]

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(self._state())

    def _state(self):
        players = self.model.generator, self.model.discriminator
        return [player.trainable_variables[0].numpy().item() for player in players]


def play(steps, start=NEAR, batch_size=None, discriminator_steps=1, steps_per_execution=1, **game):
    """Trains from `start`; returns (θ, ψ) at the start and after each execution, float64."""
    latents, point = keras.Input((1,)), keras.Input((1,))
    slope = keras.initializers.Constant(start[1])
    gan = kgan.GAN(
        keras.Model(latents, Point(start[0])(latents)),
        keras.Model(point, keras.layers.Dense(1, use_bias=False, kernel_initializer=slope)(point)),
        average_half_life_images=None,
        seed=1,
    )
    gan.compile(
        keras.optimizers.SGD(RATE),
        keras.optimizers.SGD(RATE),
        discriminator_steps=discriminator_steps,
        steps_per_execution=steps_per_execution,
        jit_compile=False,
        **game,
    )
    data = np.zeros((batch_size or discriminator_steps, 1), "float32")
    dataset = tf.data.Dataset.from_tensors(data).repeat(steps)
    path = Path()
    gan.fit(dataset, shuffle=False, verbose=0, callbacks=[path])
    return np.array(path.states)


# --- Its closed form ----------------------------------------------------------------------------


def step_matrix(slope, damping, updates="simultaneous", discriminator_steps=1):
    """Returns the linear map of one training step near the equilibrium."""
    generator = np.array([[1, RATE * slope], [0, 1]])
    discriminator = np.array([[1, 0], [-RATE * slope, 1 - RATE * damping]])
    if updates == "simultaneous":
        return generator + discriminator - np.eye(2)
    return generator @ np.linalg.matrix_power(discriminator, discriminator_steps)


def field_eigenvalues(slope, damping):
    """Returns those of J, sorted."""
    root = np.sqrt(complex(damping**2 / 4 - slope**2))
    return np.sort_complex([-damping / 2 - root, -damping / 2 + root])


def eigenvalues(matrix):
    return np.sort_complex(np.linalg.eigvals(matrix).astype(complex))


@pytest.mark.parametrize("damping", [0.0, 0.5, 2.0])
def test_simultaneous_steps_have_the_eigenvalues_of_the_field(damping):
    expected = 1 + RATE * field_eigenvalues(0.5, damping)
    np.testing.assert_allclose(eigenvalues(step_matrix(0.5, damping)), expected, rtol=1e-12)
    if not damping:
        np.testing.assert_allclose(np.abs(expected), np.sqrt(1 + RATE**2 / 4), rtol=1e-12)


@pytest.mark.parametrize("turns", [1, 5])
def test_alternating_steps_have_eigenvalues_on_the_unit_circle(turns):
    a = 1 - turns * (RATE * 0.5) ** 2 / 2
    expected = np.sort_complex([a - 1j * np.sqrt(1 - a**2), a + 1j * np.sqrt(1 - a**2)])
    found = eigenvalues(step_matrix(0.5, 0.0, "alternating", turns))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(np.abs(found), 1, rtol=1e-12)


# --- What is measured ---------------------------------------------------------------------------


def fitted_matrix(path):
    """Returns the linear map that best takes each state to the next, all states counting alike."""
    sizes = np.linalg.norm(path[:-1], axis=1, keepdims=True)
    return np.linalg.lstsq(path[:-1] / sizes, path[1:] / sizes, rcond=None)[0].T


def fitted_rate(path, matrix):
    """Returns the slope of log ‖(θ, ψ)‖ over the second half, where the slowest mode is left.

    The norm is that of the eigenvectors' coordinates, in which a spiral has no wobble.
    """
    coordinates = np.linalg.solve(np.linalg.eig(matrix)[1], path.T)
    logs = np.log(np.linalg.norm(coordinates, axis=0))
    half = len(logs) // 2
    return np.polyfit(np.arange(half, len(logs)), logs[half:], 1)[0]


def count_turns(path):
    """Returns how often θ has changed its sign."""
    return np.count_nonzero(np.diff(np.sign(path[:, 0])))


def assert_moves_as(path, matrix):
    """Both eigenvalues and the rate, to 1e-3 of what one step changes."""
    expected = eigenvalues(matrix)
    tolerance = 1e-3 * np.abs(expected - 1).min()
    np.testing.assert_allclose(eigenvalues(fitted_matrix(path)), expected, rtol=0, atol=tolerance)
    rate = np.log(np.abs(expected).max())
    np.testing.assert_allclose(fitted_rate(path, matrix), rate, rtol=1e-3, atol=1e-6)
    return rate


# --- Methods that are linear at the equilibrium -------------------------------------------------


@pytest.mark.parametrize(
    ("slope", "game"),
    [
        (0.5, {"loss": "minimax"}),
        (0.5, {"loss": "non_saturating"}),
        (1.0, {"loss": "wasserstein"}),
        (1.0, {"loss": "wasserstein", "penalties": "wasserstein_divergence:2"}),
        (1.0, {"loss": "wasserstein", "penalties": "gradient_penalty:2,one_sided=True"}),
    ],
    ids=["minimax", "non_saturating", "wgan", "wgan_div", "wgan_lp"],
)
def test_unregularised_simultaneous_training_diverges(slope, game):
    rate = assert_moves_as(play(200, **game), step_matrix(slope, 0.0))
    np.testing.assert_allclose(rate, np.log(1 + (RATE * slope) ** 2) / 2)
    assert rate > 0


def test_minimax_diverges_at_any_distance():
    """Its force is at right angles to the state, so that one step's growth is known exactly."""
    path = play(100, start=(1.0, 1.0), loss="minimax")
    force = sigmoid(path.prod(axis=1))
    squares = np.square(path).sum(axis=1)
    np.testing.assert_allclose(squares[1:] / squares[:-1], 1 + (RATE * force[:-1]) ** 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("slope", "turns", "game"),
    [
        (0.5, 1, {"loss": "minimax"}),
        (0.5, 1, {"loss": "non_saturating"}),
        (1.0, 5, {"loss": "wasserstein"}),
    ],
    ids=["minimax", "non_saturating", "wgan"],
)
def test_unregularised_alternating_training_circles(slope, turns, game):
    every = 25
    path = play(
        2000, updates="alternating", discriminator_steps=turns, steps_per_execution=every, **game
    )
    matrix = step_matrix(slope, 0.0, "alternating", turns)
    assert_moves_as(path, np.linalg.matrix_power(matrix, every))
    # A matrix of determinant 1 keeps this quadratic form, here an ellipse.
    mixed = (matrix[0, 0] - matrix[1, 1]) / 2
    form = np.array([[-matrix[1, 0], mixed], [mixed, matrix[0, 1]]])
    kept = np.einsum("ni,ij,nj->n", path, form, path)
    np.testing.assert_allclose(kept, kept[0], rtol=1e-4)
    least, most = np.sqrt(kept[0] / np.linalg.eigvalsh(form))[::-1]
    sizes = np.linalg.norm(path, axis=1)
    assert 0.999 * least < sizes.min() < sizes.max() < 1.001 * most
    assert count_turns(path) > 10


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
@pytest.mark.parametrize(
    ("slope", "damping", "game"),
    [
        (0.5, 0.5, {"loss": "minimax", "penalties": "r1:0.5"}),
        (0.5, 2.0, {"loss": "non_saturating", "penalties": "r2:2"}),
    ],
    ids=["r1_underdamped", "r2_overdamped"],
)
def test_r1_and_r2_converge_at_the_eigenvalues_rate(slope, damping, game, updates):
    path = play(200, updates=updates, **game)
    assert assert_moves_as(path, step_matrix(slope, damping, updates)) < 0
    assert np.linalg.norm(path[-1]) < 0.02 * np.linalg.norm(path[0])


@pytest.mark.parametrize(
    ("slope", "damping", "game"),
    [
        (0.5, 2.0, {"loss": "minimax", "penalties": "r1:2"}),
        (0.5, 0.5, {"loss": "non_saturating", "penalties": "r2:0.5"}),
        (0.5, 0.7, {"loss": "relativistic_paired", "penalties": ["r1:0.3", "r2:0.4"]}),
        (1.0, 0.5, {"loss": "wasserstein", "penalties": "r1:0.5"}),
        (0.5, 0.5, {"loss": "non_saturating", "penalties": "zero_centered:0.25"}),
    ],
    ids=["r1_overdamped", "r2_underdamped", "rpgan_r1_r2", "wgan_r1", "zero_centered"],
)
def test_zero_centred_penalties_converge_with_any_loss(slope, damping, game):
    assert assert_moves_as(play(200, **game), step_matrix(slope, damping)) < 0


def test_lazy_r1_converges_at_the_rate_of_its_four_steps():
    path = play(200, loss="minimax", penalties="r1:0.5,every=4", steps_per_execution=4)
    between = step_matrix(0.5, 0.0)
    four = np.linalg.matrix_power(between, 3) @ step_matrix(0.5, 4 * 0.5)
    assert assert_moves_as(path, four) < 0


@pytest.mark.parametrize("stddev", [1.0, 2.0], ids=["underdamped", "overdamped"])
def test_instance_noise_converges_at_the_eigenvalues_rate(stddev):
    """A batch's mean of noise errs, so the rate is known to the standard error of its fit."""
    batch_size = 32768
    noise = kgan.augment.InstanceNoise(stddev)
    path = play(80, start=(0.2, 0.1), batch_size=batch_size, loss="minimax", augment=noise)
    matrix = step_matrix(0.5, stddev**2 / 2)

    # Each step errs in ψ alone, by h/2 times the difference of two means of noise.
    step_error = RATE / 2 * stddev * np.sqrt(2 / batch_size)
    fitted = np.linalg.lstsq(path[:-1], path[1:], rcond=None)[0].T
    covariance = step_error**2 * np.linalg.inv(path[:-1].T @ path[:-1])
    np.testing.assert_allclose(fitted[0], matrix[0], atol=0.01 * RATE)

    rate, error = slowest_rate(matrix), slowest_rate_error(matrix, covariance)
    assert error < -0.05 * rate
    # What is not linear at this distance changes the rate by less than 2 %.
    assert abs(slowest_rate(fitted) - rate) < 3 * error - 0.02 * rate
    assert np.linalg.norm(path[-1]) < 0.2 * np.linalg.norm(path[0])


def slowest_rate(matrix):
    return np.log(np.abs(np.linalg.eigvals(matrix)).max())


def slowest_rate_error(matrix, covariance):
    """Returns the standard error of log |λ| where the matrix's second row has this covariance."""
    values, right = np.linalg.eig(matrix)
    slowest = np.abs(values).argmax()
    left = np.linalg.inv(right)[slowest]
    gradient = (left[1] * right[:, slowest] / values[slowest]).real
    return np.sqrt(gradient @ covariance @ gradient)


# --- Methods with no such limit: the whole map --------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one(x):
    return np.ones_like(x)


def next_states(path, slope, pull=np.zeros_like, limit=np.inf, turns=None):
    """Returns where one step takes each state, from a loss's slopes and a penalty's derivative.

    With `turns` the generator answers after so many steps of the discriminator.
    """
    theta, psi = path.T
    moved = psi
    for _ in range(turns or 1):
        moved = moved - RATE * (slope(theta * moved) * theta + pull(moved))
        moved = np.clip(moved, -limit, limit)
    answered = moved if turns else psi
    return np.stack([theta + RATE * slope(theta * answered) * answered, moved], axis=1)


def to_norm_one(weight):
    """Returns the derivative of weight · (|ψ| − 1)²."""
    return lambda psi: 2 * weight * (psi - np.sign(psi))


UPDATES = [(None, {}), (2, {"updates": "alternating", "discriminator_steps": 2})]
IDS = ["simultaneous", "alternating"]


@pytest.mark.parametrize(("turns", "updates"), UPDATES, ids=IDS)
@pytest.mark.parametrize(
    ("slope", "game"),
    [
        (one, {"loss": "wasserstein", "penalties": "gradient_penalty:0.2"}),
        (sigmoid, {"loss": "minimax", "penalties": "dragan:0.2"}),
    ],
    ids=["wgan_gp", "dragan"],
)
def test_penalties_that_want_norm_one_do_not_converge(slope, game, turns, updates):
    path = play(400, **game, **updates)
    expected = next_states(path[:-1], slope, to_norm_one(0.2), turns=turns)
    np.testing.assert_allclose(path[1:], expected, atol=1e-6)

    # In the ball of radius 1/4 the penalty pushes |ψ| by 0.4 (1 − 1/4), the loss pulls by 1/4.
    sizes = np.linalg.norm(path, axis=1)
    growth = np.diff(np.abs(path[:, 1]))
    assert growth[sizes[:-1] < 0.25].min() >= RATE * (0.3 - 0.25) - 1e-6
    assert sizes[np.argmax(sizes > 0.25) :].min() > 0.25
    assert count_turns(path) >= 4


def test_a_strong_wgan_gp_stops_at_a_wrong_point():
    """Where θ = 2 weight, the loss's pull on ψ balances the penalty's push from ψ = 0 upwards."""
    path = play(200, loss="wasserstein", penalties="gradient_penalty:1")
    np.testing.assert_allclose(path[-1], (2, 0), atol=1e-4)


@pytest.mark.parametrize(
    ("start", "turns", "updates"),
    [((0.01, 0.01), *UPDATES[0]), ((0.5, 0.01), *UPDATES[1])],
    ids=IDS,
)
def test_clipped_wgan_does_not_converge(start, turns, updates):
    path = play(400, start, loss="wasserstein", penalties="weight_clipping:0.1", **updates)
    expected = next_states(path[:-1], one, limit=0.1, turns=turns)
    np.testing.assert_allclose(path[1:], expected, atol=1e-6)

    # Inside the limit it circles or grows, so it ends on the ellipse that the limit touches.
    at_limit = np.abs(path[:, 1]) > 0.0999
    assert at_limit[100:].any()
    sizes = np.linalg.norm(path[np.argmax(at_limit) :], axis=1)
    assert sizes.min() > 0.9 * 0.1 / np.sqrt(turns or 1)
    assert count_turns(path) >= 4
