"""The heuristic step by step, and ADA's pipeline at p of 0 and of 1."""

import keras
import numpy as np
import pytest
from keras import ops

import kgan
from kgan.augment import adaptive
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, 8, 8, 3)).astype("float32")


def built(cls=kgan.augment.ADA, **kwargs):
    augmentation = cls(**kwargs)
    gan = kgan.GAN(
        networks.generator(shape=(8, 8, 3)), networks.discriminator(shape=(8, 8, 3)), seed=7
    )
    gan.compile("sgd", "sgd", augment=[augmentation])
    return augmentation


def update(augmentation, scores, images=None):
    scores = np.asarray(scores, "float32")
    images = np.zeros((len(scores) if images is None else images, 2))
    round = kgan.Round(real={"score": ops.convert_to_tensor(scores), "images": images}, fake={})
    augmentation.after_update(round)
    return float(augmentation.probability), float(augmentation.real_sign)


# --- The heuristic ------------------------------------------------------------------------------


def test_p_follows_the_sign_of_the_real_scores():
    """Each window is two updates of four images: p moves by 8/100."""
    ada = built(target=0.25, adjust_images=100, interval=2, initial_probability=0.5)
    steps = [
        ([1, 2, 3, -0.1], (0.5, 0.0)),  # the window is open
        ([5, 5, 5, 5], (0.58, 6 / 8)),
        ([9, 9, 9, 9], (0.58, 6 / 8)),
        ([-1, -1, -1, -1], (0.5, 0.0)),  # only the new window counts
        ([1, 1, 1, 1], (0.5, 0.0)),
        ([1, -1, -1, 0], (0.58, 3 / 8)),  # a score of 0 has no sign
    ]
    for scores, expected in steps:
        np.testing.assert_allclose(update(ada, scores), expected, atol=1e-6)


def test_at_the_target_p_stays():
    ada = built(target=0.5, interval=1, adjust_images=10, initial_probability=0.3)
    assert update(ada, [1, 1, 1, -1]) == (pytest.approx(0.3), 0.5)


def test_p_stays_in_its_range():
    ada = built(interval=1, adjust_images=10)
    assert [update(ada, [1.0] * 4)[0] for _ in range(4)] == pytest.approx([0.4, 0.8, 1.0, 1.0])
    assert [update(ada, [-1.0] * 4)[0] for _ in range(4)] == pytest.approx([0.6, 0.2, 0.0, 0.0])


def test_without_target_p_stays_and_r_is_shown():
    ada = built(target=None, initial_probability=0.4, interval=1)
    assert update(ada, [1.0] * 4) == (pytest.approx(0.4), 1.0)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 3, 1)], ids=str)
def test_score_shapes(shape):
    ada = built(interval=1, adjust_images=40)
    assert update(ada, np.ones(shape)) == (pytest.approx(0.1), 1.0)


def test_a_discriminator_of_packs_counts_all_images():
    ada = built(interval=1, adjust_images=40)
    assert update(ada, np.ones((2, 1)), images=8) == (pytest.approx(0.2), 1.0)


@pytest.mark.parametrize("cls", [kgan.augment.ADA, kgan.augment.APA])
def test_the_papers_numbers_are_the_defaults(cls):
    one = cls()
    assert (one.target, one.interval, one.adjust_images) == (0.6, 4, 500_000)
    assert one.initial_probability == 0


def test_fit_raises_p_while_the_discriminator_is_sure():
    """Each epoch is one update of 16 images, p moves after each second one by 32/320."""
    gan = kgan.GAN(networks.generator(), networks.discriminator(), seed=7)
    gan.discriminator.layers[-1].bias.assign([100.0])
    apa = kgan.augment.APA(interval=2, adjust_images=320)
    zero = [keras.optimizers.SGD(0.0) for _ in range(2)]
    gan.compile(*zero, augment=[apa])
    logs = gan.fit(np.zeros((16, 2), "float32"), epochs=6, batch_size=16, verbose=0).history
    np.testing.assert_allclose(logs["apa_probability"], [0, 0.1, 0.1, 0.2, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(logs["apa_real_sign"], [0, 1, 1, 1, 1, 1])


def test_every_discriminator_update_counts():
    gan = kgan.GAN(networks.generator(), networks.discriminator(), seed=7)
    gan.discriminator.layers[-1].bias.assign([100.0])
    zero = [keras.optimizers.SGD(0.0) for _ in range(2)]
    gan.compile(*zero, augment=["apa:interval=2,adjust_images=320"], discriminator_steps=2)
    logs = gan.fit(np.zeros((16, 2), "float32"), epochs=2, batch_size=16, verbose=0).history
    np.testing.assert_allclose(logs["apa_probability"], [0.05, 0.1], atol=1e-6)


# --- The pipeline -------------------------------------------------------------------------------


def augment(images, probability, **kwargs):
    ada = kgan.augment.ADA(target=None, initial_probability=probability, **kwargs)
    return np.array(ada(images, keras.random.SeedGenerator(1)))


@pytest.mark.parametrize("channels", [1, 3])
def test_at_p_0_images_are_unchanged_to_the_last_bit(channels):
    images = IMAGES[..., :channels]
    augmented = kgan.augment.ADA()(images, keras.random.SeedGenerator(1))
    np.testing.assert_array_equal(augmented, images)


def test_p_is_the_part_that_is_changed():
    """Of the four parts of a geometry, turns happen with p in all: (1 - p)^4 stay as they are."""
    images = np.repeat(IMAGES[:1], 2000, axis=0)
    augmented = augment(images, 0.3, blit=False, color=False)
    unchanged = (augmented == images).all(axis=(1, 2, 3)).mean()
    np.testing.assert_allclose(unchanged, 0.7**4, atol=4 * np.sqrt(0.25 / 2000))


def test_blit_at_p_1_is_uniform_over_the_symmetries_of_a_square():
    """An image of a side below 5 is not translated: 8 pictures, each of them 1/8 of the time."""
    image = np.random.default_rng(1).normal(size=(1, 3, 3, 1)).astype("float32")
    blitted = augment(np.repeat(image, 2000, axis=0), 1.0, geometry=False, color=False)
    pictures, counts = np.unique(blitted.reshape(2000, 9), axis=0, return_counts=True)
    turned = [np.rot90(image[0, :, :, 0], k) for k in range(4)]
    expected = {tuple(x.ravel()) for y in turned for x in (y, y[:, ::-1])}
    assert {tuple(picture) for picture in pictures} == expected
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250)


def test_translation_reaches_an_eighth_of_the_side():
    image = np.zeros((1, 32, 32, 1), "float32")
    image[0, 15:17, 15:17] = 1  # its turns and flips are itself
    blitted = augment(np.repeat(image, 2000, axis=0), 1.0, geometry=False, color=False)
    rows = np.argmax(blitted.max(axis=(2, 3)), axis=1) - 15
    assert rows.min() == -4 and rows.max() == 4
    assert np.std(rows) == pytest.approx(32 / 8 / np.sqrt(3), rel=0.05)


def maps(make, n=20000):
    images = np.zeros((n, 8, 8, 3), "float32")
    chance = adaptive.Chance(n, keras.random.SeedGenerator(1), uniforms=21, normals=7)
    return np.array(make(images, ops.convert_to_tensor(1.0), chance))


def test_distribution_of_the_geometry_at_p_1():
    """Turns keep areas and stretching too, so that the determinant is the scaling's alone."""
    inverse = maps(adaptive._geometry_maps)
    linear, shift = inverse[:, :2, :2], inverse[:, :2, 2]
    area = np.log2(np.linalg.det(linear))
    assert np.mean(area) == pytest.approx(0, abs=0.01)
    assert np.std(area) == pytest.approx(2 * 0.2, rel=0.03)
    singular = np.log2(np.linalg.svd(linear, compute_uv=False))
    # log2 of the ratio of the singular values is 2 |N(0, 0.2²)|.
    ratio = singular[:, 0] - singular[:, 1]
    assert np.mean(ratio**2) == pytest.approx((2 * 0.2) ** 2, rel=0.05)
    angles = np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1])
    assert np.abs(np.histogram(angles, 8, (-np.pi, np.pi))[0] - 2500).max() < 250
    seen = np.linalg.solve(linear, -shift[..., None])[..., 0]
    assert np.std(seen / 8, axis=0) == pytest.approx([1 / 8, 1 / 8], rel=0.03)


def test_distribution_of_the_colors_at_p_1():
    found = maps(lambda _, p, chance: adaptive._color_maps(p, chance))
    grey = np.full(3, 1 / np.sqrt(3))
    luma = np.einsum("i,bij,j->b", grey, found[:, :3, :3], grey)
    assert np.mean(luma > 0) == pytest.approx(0.5, abs=0.02)
    assert np.std(np.log2(np.abs(luma))) == pytest.approx(0.5, rel=0.03)
    shift = found[:, :3, 3].mean(axis=1) / luma  # brightness comes before contrast
    assert np.std(shift) == pytest.approx(0.2, rel=0.03)
    # Across luma there is a turn and a factor: contrast times saturation.
    area = np.log2(np.abs(np.linalg.det(found[:, :3, :3]) / luma)) / 2
    assert np.std(area) == pytest.approx(np.sqrt(0.5**2 + 1.0**2), rel=0.03)
    cos = (np.trace(found[:, :3, :3], axis1=1, axis2=2) - luma) / 2 ** (area + 1)
    assert np.mean(cos) == pytest.approx(0, abs=0.02)
    assert np.mean(cos**2) == pytest.approx(0.5, abs=0.02)


def test_turns_split_their_probability():
    """P(before or after) = p."""
    n = 20000
    chance = adaptive.Chance(n, keras.random.SeedGenerator(1), uniforms=21, normals=7)
    chance.normal = lambda stddev: ops.zeros((n,))
    images = np.zeros((n, 8, 8, 3), "float32")
    inverse = np.array(adaptive._geometry_maps(images, ops.convert_to_tensor(0.4), chance))
    turned = (inverse != np.eye(3)).any(axis=(1, 2))
    assert np.mean(turned) == pytest.approx(0.4, abs=0.015)


def test_grey_has_no_hue():
    augmented = augment(IMAGES[..., :1], 1.0, blit=False, geometry=False)
    slope = augmented.reshape(16, -1) - augmented.reshape(16, -1)[:, :1]
    plain = IMAGES[..., 0].reshape(16, -1) - IMAGES[..., 0].reshape(16, -1)[:, :1]
    ratio = slope[:, 1:] / plain[:, 1:]
    np.testing.assert_allclose(ratio, np.repeat(ratio[:, :1], 63, axis=1), rtol=1e-3)


def test_colors_of_other_channels_are_refused_at_compile():
    generator = networks.generator(shape=(4, 4, 2))
    gan = kgan.GAN(generator, networks.discriminator(shape=(4, 4, 2)))
    with pytest.raises(ValueError, match="1 .grey. or 3 channels.*color=False.*Received"):
        gan.compile("sgd", "sgd", augment="ada")
    gan.compile("sgd", "sgd", augment="ada:color=False")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 2}, r"target must be None or a number in \[-1, 1\]. Received: 2"),
        ({"adjust_images": 0}, "`adjust_images`.*Received: adjust_images=0"),
        ({"interval": 1.5}, "`interval`.*Received: interval=1.5"),
        ({"target": "a"}, r"target must be None or a number in \[-1, 1\]. Received: 'a'"),
        ({"initial_probability": 1.1}, r"in \[0, 1\]. Received: 1.1"),
        ({"initial_probability": None}, r"in \[0, 1\]. Received: None"),
        ({"target": None}, "With target=None.*Received: initial_probability=0"),
        ({"blit": "yes"}, "blit must be True or False. Received: 'yes'"),
        ({"blit": 0, "geometry": 0, "color": 0}, "must change something"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.augment.ADA(**arguments)
