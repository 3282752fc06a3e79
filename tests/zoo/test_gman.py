import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.zoo import gman
from kgan.zoo.recipe import Task

IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")


def build(recipe=gman.DEFAULT, **changes):
    recipe = recipe.but(generator_width=4, discriminator_width=4, **changes)
    return gman.build(recipe, Task(image_shape=(8, 8, 1), num_classes=None, steps=10))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_each_member_minimises_its_own_loss_and_the_generator_a_softmax_of_them():
    gan = build(dropouts=(0.5, 0.4, 0.3))
    logs = gan.compute_losses(tf.constant(IMAGES), None)
    real, fake = (np.float64(view["score"]) for view in (logs["round"].real, logs["round"].fake))
    assert real.shape == (6, 3)
    own = -np.log(sigmoid(real)) - np.log(1 - sigmoid(fake))
    np.testing.assert_allclose(logs["discriminator_loss"], own.mean(axis=0).sum(), rtol=1e-4)
    # The original objective: the generator minimises log(1 - D).
    losses = np.log(1 - sigmoid(fake)).mean(axis=0)
    weights = np.exp(losses) / np.exp(losses).sum()
    np.testing.assert_allclose(logs["generator_loss"], np.sum(weights * losses), rtol=1e-4)


def test_a_member_moves_by_its_own_scores_alone():
    gan = build(dropouts=(0.5, 0.3))
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_sum(gan.score(IMAGES)[:, 0])
    first, second = gan.discriminator.members
    for member, is_judge in ((first, True), (second, False)):
        gradients = tape.gradient(loss, [v.value for v in member.trainable_variables])
        assert any(g is not None and np.any(g) for g in gradients) == is_judge


def test_the_last_member_is_slow():
    gan = build(dropouts=(0.5, 0.4, 0.3))
    members = gan.discriminator.members
    before = [member.get_weights() for member in members]
    gan.fit(IMAGES, batch_size=6, verbose=0)
    steps = [
        np.median(np.concatenate([np.ravel(np.abs(a - b)) for a, b in zip(old, new, strict=True)]))
        for old, new in zip(before, [member.get_weights() for member in members], strict=True)
    ]
    # Adam's first step is the learning rate, for all but the slow one.
    np.testing.assert_allclose(steps, [2e-4, 2e-4, 2e-5], rtol=0.02)


def test_default_is_the_papers_and_members_differ_in_dropout():
    gan = build()
    assert [member.name for member in gan.discriminator.members] == [
        f"member_{i}" for i in range(5)
    ]
    assert isinstance(gan.loss.pair, kgan.losses.Minimax)
    assert (gan.loss.mixing, gan.loss.sharpness) == ("softmax", 1)
    rates = [
        layer.rate
        for member in gan.discriminator.members
        for layer in member._flatten_layers()
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert rates == pytest.approx([0.56, 0.52, 0.48, 0.44, 0.4])
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
