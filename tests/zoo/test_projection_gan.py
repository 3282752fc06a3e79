import keras
import numpy as np
import pytest

import kgan
from kgan.layers import ConditionalBatchNormalization
from kgan.zoo import projection_gan
from kgan.zoo.recipe import Task

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (8, 16, 16, 1)).astype("float32")


def build(name="digits", shape=(16, 16, 1), num_classes=3, **changes):
    changes = {"generator_width": 4, "discriminator_width": 4, "max_width": 4, **changes}
    recipe = projection_gan.RECIPES[name].but(**changes)
    return projection_gan.build(recipe, Task(shape, num_classes, steps=10), run_eagerly=True)


def norms_of(gan):
    return [x for x in gan.generator.layers if isinstance(x, ConditionalBatchNormalization)]


def test_default_is_the_paper():
    gan = build("default", shape=(128, 128, 3), max_width=64)
    assert isinstance(gan.loss, kgan.losses.Hinge) and gan.penalties == []
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0, 0.9)
    assert gan.discriminator_steps == 5 and gan.latent_dim == 128
    # The authors' networks for 128x128 images, a sixteenth as wide.
    shapes = [gan.generator.get_layer(f"block_{i}").output.shape[1:] for i in range(1, 6)]
    assert gan.generator.get_layer("reshape").target_shape == (4, 4, 64)
    assert shapes == [(8, 8, 64), (16, 16, 32), (32, 32, 16), (64, 64, 8), (128, 128, 4)]
    shapes = [gan.discriminator.get_layer(f"block_{i}").output.shape[1:] for i in range(6)]
    assert shapes[:3] == [(64, 64, 4), (32, 32, 8), (16, 16, 16)]
    assert shapes[3:] == [(8, 8, 32), (4, 4, 64), (4, 4, 64)]
    default = projection_gan.RECIPES["default"]
    assert (default.generator_width, default.discriminator_width, default.max_width) == (
        64,
        64,
        1024,
    )


def test_the_score_is_equation_3():
    """f(x, y) = psi(phi(x)) + <V y, phi(x)>, with the weights under spectral norm."""
    gan = build()
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    model = gan.discriminator
    phi = keras.Model(model.inputs, model.get_layer("features").output)([IMAGES, labels])
    head = model.get_layer("normalized_score")
    used = {x.name: np.array(head.effective_value(x, training=False)) for x in head.layer.weights}
    assert set(used) == {"kernel", "bias", "projection"}
    expected = np.array(phi) @ used["kernel"] + used["bias"]
    expected += np.sum(used["projection"][labels] * np.array(phi), axis=1, keepdims=True)
    np.testing.assert_allclose(model([IMAGES, labels]), expected, rtol=1e-4, atol=1e-5)


def test_the_generator_knows_the_label_by_its_batch_norms_alone():
    gan = build()
    kernel = gan.generator.get_layer("project").kernel
    assert kernel.shape[0] == gan.latent_dim
    latents = np.repeat(RNG.normal(size=(1, gan.latent_dim)), 3, axis=0).astype("float32")
    # All labels start with the same scales, 1, and offsets, 0.
    images = np.array(gan.generator([latents, np.arange(3)]))
    np.testing.assert_allclose(images[1:], images[:2], atol=1e-6)


def test_the_scales_of_the_labels_that_are_seen_learn():
    gan = build(generator_learning_rate=0.01)
    labels = np.array([0, 2] * 4, "int32")
    before = [np.array(x.kernel) for x in gan.generator.layers if hasattr(x, "kernel")]
    gan.fit(IMAGES, labels, batch_size=8, verbose=0)
    assert len(norms_of(gan)) == 4
    for norm in norms_of(gan):
        for table in (norm.scales, norm.offsets):
            moved = np.abs(np.array(table)).max(axis=1) > 0
            np.testing.assert_array_equal(moved, [True, False, True])
    after = [np.array(x.kernel) for x in gan.generator.layers if hasattr(x, "kernel")]
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))


def test_it_needs_labels():
    assert projection_gan.CONDITIONAL == "always"


@pytest.mark.parametrize("name", sorted(projection_gan.RECIPES))
def test_every_recipe_generates(name):
    gan = build(name)
    assert gan.generate(2, labels=1, seed=0).shape == (2, 16, 16, 1)
