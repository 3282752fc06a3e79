"""Where the theory puts the end of the game: D(x) = D(G(z)) = 1/2, in the logs of `fit`.

Goodfellow et al. 2014 (arXiv 1406.2661), proposition 1: for a given generator the best
discriminator is D(x) = p(x) / (p(x) + q(x)); theorem 1: where q = p, that is 1/2 everywhere.
"""

import keras
import numpy as np
import pytest

import kgan

MEAN, DEVIATION = 0.4, 0.2


def fit(loss, epochs, generator_rate=0.003, **kwargs):
    """Trains a line of latents against a small network, on a Gaussian; returns GAN and logs."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    generator = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    discriminator = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Rescaling(1 / DEVIATION),
            layers.Dense(16, activation="tanh"),
            layers.Dense(1),
        ]
    )
    gan = kgan.GAN(generator, discriminator, seed=0)
    gan.compile(
        keras.optimizers.Adam(generator_rate, beta_1=0.0, beta_2=0.99),
        keras.optimizers.Adam(0.01, beta_1=0.0, beta_2=0.99),
        loss=loss,
        penalties=[kgan.penalties.R1(0.05)],
        **kwargs,
    )
    data = np.random.default_rng(0).normal(MEAN, DEVIATION, (64 * 10, 1)).astype("float32")
    return gan, gan.fit(data, batch_size=64, epochs=epochs, verbose=0).history


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_probabilities_approach_a_half(loss):
    gan, logs = fit(loss, epochs=50, updates="alternating")
    real, fake = logs["real_score"], logs["fake_score"]
    # In the first epochs, of ten steps each, the reals are told apart.
    assert max(real[:5]) > 0.57 and min(fake[:5]) < 0.43
    for scores in (real, fake):
        assert scores[-10:] == pytest.approx([0.5] * 10, abs=0.01)
    # Not because the discriminator is blind: the generator draws the data.
    samples = gan.generate(4000, seed=1, batch_size=4000)
    assert samples.mean() == pytest.approx(MEAN, abs=0.03)
    assert samples.std() == pytest.approx(DEVIATION, abs=0.03)


def test_probabilities_stay_apart_where_the_generator_stands_still():
    _, logs = fit("non_saturating", epochs=50, generator_rate=0.0)
    assert logs["real_score"][-1] > 0.6 and logs["fake_score"][-1] < 0.4
