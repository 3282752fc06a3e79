import numpy as np
import pytest

import kgan


@pytest.fixture
def half(make_gan):
    """Top-k training that has come to its final half."""
    gan = make_gan([kgan.dynamics.TopK(0.5, decay=0.1, decay_images=1)])
    gan.images_seen.assign(1000)
    return gan.dynamics[0]


def test_the_best_half_counts_twice(half):
    scores = np.array([[0.3], [-1.0], [2.0], [0.1]], "float32")
    np.testing.assert_array_equal(half.weigh(scores), [2, 0, 2, 0])


def test_ties_do_not_let_more_through(half):
    assert np.sum(half.weigh(np.zeros((6, 1), "float32"))) == 6


def test_odd_batches_round_up(half):
    np.testing.assert_allclose(half.weigh(np.array([1.0, 2.0, 3.0])), [0, 1.5, 1.5])


def test_the_share_falls_exponentially_to_its_end(make_gan):
    gan = make_gan([kgan.dynamics.TopK(0.25, decay=0.5, decay_images=100)])
    (top_k,) = gan.dynamics
    for images, expected in [(0, 1.0), (100, 0.5), (150, 0.5**1.5), (10_000, 0.25)]:
        gan.images_seen.assign(images)
        np.testing.assert_allclose(top_k.state_logs()["top_k_fraction"], expected, rtol=1e-6)


def test_the_generators_loss_is_that_of_the_best(make_gan, fit):
    """With everything frozen the loss is the mean of the smaller half of -log D(G(z))."""
    gan = make_gan([kgan.dynamics.TopK(0.5, decay=0.1, decay_images=1)])
    gan.images_seen.assign(1000)
    gan.generator_optimizer.learning_rate = gan.discriminator_optimizer.learning_rate = 0.0
    latents = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
    gan.sample_latents = lambda n, training=True: latents
    losses = np.sort(np.logaddexp(0, -np.array(gan.score(gan.synthesize(latents)))[:, 0]))
    np.testing.assert_allclose(fit(gan)["generator_loss"], np.mean(losses[:8]), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("final_fraction", [0, "a", None, True]),
        ("decay", [1.0, "a"]),
        ("decay_images", [0, 2.5, "a", True]),
    ],
)
def test_bad_arguments(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"{name}.* must.*Received: .*{value!r}"):
            kgan.dynamics.TopK(**{name: value})
