import numpy as np
import pytest

from kgan.games import AAE
from kgan.zoo import aae
from kgan.zoo.recipe import Task


def build(recipe, num_classes=None):
    return aae.build(recipe, Task(image_shape=(8, 8, 1), num_classes=num_classes, steps=10))


def test_default_is_the_paper():
    gan = build(aae.RECIPES["default"])
    assert isinstance(gan, AAE)
    assert (gan.latent_dim, gan.latent_scale, gan.clusters) == (8, 5.0, None)
    assert gan.latent_distribution == "normal"
    assert gan.generator.units == gan.encoder.units == (1000, 1000)
    assert gan.discriminator.input_shape == (None, 8)


def test_clusters_and_style_have_an_adversary_each():
    recipe = aae.RECIPES["mnist"].but_as_given(["clusters=16", "latent_dim=10", "units=(8, 8)"])
    gan = build(recipe)
    assert (gan.latent_dim, gan.clusters) == (26, 16)
    codes = np.array(gan.draw_latents(4, seed=1))
    scores = np.array(gan.discriminator(codes))
    assert scores.shape == (4, 2)
    for part, column in ((slice(0, 10), 1), (slice(10, 26), 0)):
        others = codes.copy()
        others[:, part] += 1
        changed = np.array(gan.discriminator(others)) != scores
        assert changed[:, 1 - column].any() and not changed[:, column].any()
    assert gan.classify(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 16)


def test_the_label_goes_to_the_decoder():
    gan = build(aae.RECIPES["digits"], num_classes=10)
    assert len(gan.generator.inputs) == 2
    assert len(gan.encoder.inputs) == len(gan.discriminator.inputs) == 1


def test_the_numbers_to_reach():
    published = aae.PUBLISHED["mnist"]
    assert str(published["parzen_log_likelihood"]).startswith("340 ± 2 ")
    assert 1 - published["cluster_exemplar_accuracy"].value == pytest.approx(0.0955)
