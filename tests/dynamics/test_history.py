import numpy as np
import pytest

import kgan

N = 4000


def view(images, labels=None):
    fake = {"images": np.asarray(images, "float32"), "score": np.zeros(len(images), "float32")}
    if labels is not None:
        fake["labels"] = np.asarray(labels, "int32")
    return fake


def make_round(images, labels=None):
    import keras

    return kgan.Round(real={}, fake=view(images, labels), seed=keras.random.SeedGenerator(1))


@pytest.fixture
def pool(make_gan):
    (pool,) = make_gan([kgan.dynamics.HistoryPool(6)]).dynamics
    return pool


def images_of(numbers):
    """Images that tell their number."""
    return np.repeat(np.asarray(numbers, "float32")[:, None], 2, axis=1)


def test_an_empty_pool_shows_the_new_fakes(pool):
    round = make_round(images_of(range(8)))
    shown, labels = pool.show(round.fake["images"], None, round.seed)
    np.testing.assert_array_equal(shown, round.fake["images"])
    assert labels is None


def test_half_a_batch_fills_the_free_places_first(pool):
    pool.after_update(make_round(images_of([1, 2, 3, 4])))
    assert int(pool.filled) == 2
    pool.after_update(make_round(images_of([5, 6, 7, 8])))
    np.testing.assert_array_equal(pool.images[:, 0], [1, 2, 5, 6, 0, 0])
    pool.after_update(make_round(images_of([9, 10, 11, 12])))
    np.testing.assert_array_equal(pool.images[:, 0], [1, 2, 5, 6, 9, 10])
    assert int(pool.filled) == 6


def test_a_full_pool_forgets_any_of_the_old(pool):
    pool.after_update(make_round(images_of(np.arange(12))))
    replaced = set()
    for i in range(30):
        before = np.array(pool.images[:, 0])
        round = make_round(images_of([100 + i, 100 + i]))
        for _ in range(i):
            round.seed.next()
        pool.after_update(round)
        changed = np.flatnonzero(np.array(pool.images[:, 0]) != before)
        assert len(changed) == 1
        replaced.update(changed)
    assert replaced == set(range(6))


def test_about_half_of_what_is_shown_is_old_and_the_rest_untouched(pool):
    pool.after_update(make_round(images_of(-np.arange(1, 13))))
    round = make_round(images_of(np.arange(1, N + 1)))
    shown, _ = pool.show(round.fake["images"], None, round.seed)
    numbers = np.array(shown)[:, 0]
    is_old = numbers < 0
    assert abs(np.mean(is_old) - 0.5) < 4 * 0.5 / np.sqrt(N)
    np.testing.assert_array_equal(numbers[~is_old], np.arange(1, N + 1)[~is_old])
    # Each of the six is drawn as often as another.
    counts = [np.sum(numbers == -k) for k in range(1, 7)]
    assert min(counts) > np.sum(is_old) / 6 * 0.8


def test_old_images_bring_their_labels(make_gan):
    (pool,) = make_gan([kgan.dynamics.HistoryPool(6)], num_classes=3).dynamics
    numbers = np.arange(12)
    pool.after_update(make_round(images_of(numbers), numbers))
    round = make_round(images_of(np.arange(100, 200)), np.arange(100, 200))
    images, labels = pool.show(round.fake["images"], round.fake["labels"], round.seed)
    np.testing.assert_array_equal(np.array(images)[:, 0], labels)
    assert np.any(np.array(labels) < 6)


def test_the_generator_learns_from_new_fakes_only(make_gan, fit):
    """With its discriminator frozen, the generator goes where it goes without a pool."""

    def trained(dynamics):
        gan = make_gan(dynamics)
        gan.discriminator_optimizer.learning_rate = 0.0
        # The pool draws from the same seeds as the latents, so these are given.
        latents = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
        gan.sample_latents = lambda n, training=True: latents
        fit(gan, epochs=3)
        return gan.generator.get_weights()

    for with_pool, without in zip(
        trained([kgan.dynamics.HistoryPool(8)]), trained([]), strict=True
    ):
        np.testing.assert_allclose(with_pool, without, atol=1e-6)


def test_the_discriminator_learns_from_the_pool(make_gan, fit):
    """Images in the pool that no generator could make change the discriminator's loss."""
    gan, plain = make_gan([kgan.dynamics.HistoryPool(4)]), make_gan([])
    (pool,) = gan.dynamics
    pool.images.assign(50 * np.ones((4, 2)))
    pool.filled.assign(4)
    assert fit(gan)["discriminator_loss"] != fit(plain)["discriminator_loss"]


@pytest.mark.parametrize("size", [0, 2.5])
def test_bad_size(size):
    with pytest.raises(ValueError, match=f"Received: size={size}"):
        kgan.dynamics.HistoryPool(size)
