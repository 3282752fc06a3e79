import keras
import numpy as np
import pytest

import kgan
from kgan.layers import SpectralNormalization
from kgan.zoo import sngan
from kgan.zoo.recipe import Task

RNG = np.random.default_rng(0)


def build(name="default", shape=(16, 16, 1), num_classes=None, **changes):
    changes = {"batch_size": 4, "generator_width": 4, "discriminator_width": 4, **changes}
    recipe = sngan.RECIPES[name].but(**changes)
    task = Task(image_shape=shape, num_classes=num_classes, steps=10)
    return sngan.build(recipe, task, run_eagerly=True)


@pytest.mark.parametrize("name", ["default", "cifar10"])
def test_default_is_the_paper(name):
    gan = build(name, shape=(32, 32, 3), generator_width=256, discriminator_width=128)
    assert isinstance(gan.loss, kgan.losses.Hinge) and gan.penalties == []
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0, 0.9)
    assert gan.discriminator_steps == 5 and gan.updates == "alternating"
    assert gan.latent_dim == 128 and gan.latent_distribution == "normal"
    # Table 4.
    assert gan.generator.get_layer("reshape").target_shape == (4, 4, 256)
    assert gan.discriminator.get_layer("relu").output.shape[1:] == (8, 8, 128)
    blocks = [x for x in gan.discriminator.layers if isinstance(x, keras.layers.Add)]
    assert len(blocks) == 4


def test_the_discriminator_moves_five_times_for_each_move_of_the_generator():
    gan = build()
    images = RNG.uniform(-1, 1, (20, 16, 16, 1)).astype("float32")
    gan.fit(images, batch_size=20, verbose=0)
    assert int(gan.generator_optimizer.iterations) == 1
    assert int(gan.discriminator_optimizer.iterations) == 5


def test_spectral_norm_holds_while_the_discriminator_learns():
    """The kernel that is used has spectral norm 1, whatever the learned one has grown to."""
    gan = build(discriminator_steps=1, discriminator_learning_rate=0.01, cosine_decay=False)
    layers = [x for x in gan.discriminator.layers if isinstance(x, SpectralNormalization)]
    # Two convolutions in three blocks, the only shortcut that changes the size, and the score.
    assert len(layers) == 2 * 3 + 1 + 1
    images = RNG.uniform(-1, 1, (48, 16, 16, 1)).astype("float32")
    gan.fit(images, batch_size=4, verbose=0)
    for layer in layers:
        (kernel,) = layer.kernels
        used = np.array(layer.effective_value(kernel, training=False))
        assert np.linalg.norm(used.reshape(-1, used.shape[-1]), ord=2) == pytest.approx(1, rel=0.1)
    grown = [np.linalg.norm(np.array(x.kernels[0]).reshape(-1, 4), ord=2) for x in layers[:2]]
    assert max(abs(1 - norm) for norm in grown) > 0.1
    kinds = {type(x) for x in gan.generator.layers}
    assert SpectralNormalization not in kinds


@pytest.mark.parametrize("name", sorted(sngan.RECIPES))
def test_conditional_in_every_recipe(name):
    gan = build(name, num_classes=3)
    assert gan.generate(2, labels=1, seed=0).shape == (2, 16, 16, 1)
