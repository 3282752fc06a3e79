import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.zoo import ebgan
from kgan.zoo.recipe import Task

IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")


def build(recipe):
    return ebgan.build(recipe, Task(image_shape=(8, 8, 1), num_classes=None, steps=10))


def small(**changes):
    changes = {"generator_width": 4, "discriminator_width": 4, "code_dim": 5, **changes}
    return build(ebgan.DEFAULT.but(**changes))


@pytest.mark.parametrize("margin", [0.5, 8.0, 100.0])
def test_players_want_what_equations_1_and_2_say_of_the_reconstruction_error(margin):
    gan = small(loss=f"energy_based:margin={margin}")
    logs = gan.compute_losses(tf.constant(IMAGES), None)
    energies = []
    for view in (logs["round"].real, logs["round"].fake):
        drawn = np.float64(view["reconstruction"]) - view["images"]
        energies.append(np.sqrt(np.sum(drawn**2, axis=(1, 2, 3))))
    real, fake = energies
    expected = np.mean(real) + np.mean(np.maximum(0, margin - fake))
    np.testing.assert_allclose(logs["discriminator_loss"], expected, rtol=1e-5)
    code = np.float64(logs["round"].fake["code"])
    unit = code / np.linalg.norm(code, axis=1, keepdims=True)
    pulled = (np.sum((unit @ unit.T) ** 2) - 6) / (6 * 5)
    np.testing.assert_allclose(logs["generator_pull_away"], 0.1 * pulled, rtol=1e-4)
    np.testing.assert_allclose(logs["generator_loss"], np.mean(fake) + 0.1 * pulled, rtol=1e-5)


def test_default_is_the_paper():
    gan = build(ebgan.DEFAULT)
    assert gan.loss.margin == 20 and gan.discriminator.error == "norm"
    (term,) = gan.auxiliary_losses
    assert isinstance(term, kgan.losses.PullAway) and term.weight == 0.1
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert gan.generator.width == gan.discriminator.encoder.width == 64
    assert gan.generator.kernel_size == 4


def test_the_discriminator_learns_to_reconstruct_reals_rather_than_fakes():
    gan = small(loss="energy_based:margin=6", discriminator_learning_rate=5e-3)
    gan.generator_optimizer.learning_rate = 0.0
    reals = np.repeat(np.linspace(-0.9, 0.9, 6, dtype="float32"), 64).reshape(6, 8, 8, 1)

    def energies():
        round = gan.play(tf.constant(reals), None)
        return [-float(np.mean(view["score"])) for view in (round.real, round.fake)]

    before = energies()
    gan.fit(reals, batch_size=6, epochs=60, verbose=0)
    after = energies()
    assert after[0] < 0.5 * before[0] and after[1] > before[1]
