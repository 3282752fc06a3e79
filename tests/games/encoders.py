"""Tiny players for the games with an encoder, and what moved in them."""

import keras
import numpy as np

import kgan

LATENT_DIM = 5
IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, 3)).astype("float32")


def generator(latent_dim=LATENT_DIM, **options):
    return kgan.backbones.MLPGenerator((3,), latent_dim=latent_dim, units=[8], **options)


def encoder(code_dim=LATENT_DIM):
    return kgan.backbones.MLPEncoder((3,), code_dim=code_dim, units=[8])


def regularized_encoder(factor):
    """Returns a linear encoder, whose weights are 1 and cost `factor` each."""
    ones = {"kernel_initializer": "ones", "kernel_regularizer": keras.regularizers.L2(factor)}
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(LATENT_DIM, **ones)])


def judge(width=3, **options):
    return kgan.backbones.MLPEncoder((width,), 1, units=[8], batch_norm=False, **options)


def linear_judge(image, code=None):
    """Returns a discriminator without hidden layers, of given weights."""
    inputs = [keras.Input((len(image),))]
    inputs += [keras.Input((len(code),))] if code else []
    dense = keras.layers.Dense(1)
    x = keras.layers.Concatenate()(inputs) if code else inputs[0]
    model = keras.Model(inputs if code else inputs[0], dense(x))
    dense.set_weights([np.array([*image, *(code or [])], "float32")[:, None], np.zeros(1)])
    return model


def softplus(x):
    return np.log1p(np.exp(np.array(x, "float64")))


def moved(gan, act):
    """Returns the names of the networks in which some variable changes while `act` runs."""
    before = {name: [np.array(v) for v in one.trainable_variables] for name, one in networks(gan)}
    act()
    return {
        name
        for name, one in networks(gan)
        if any(
            (np.array(v) != w).any()
            for v, w in zip(one.trainable_variables, before[name], strict=True)
        )
    }


def networks(gan):
    return gan.networks.items()


def step_of_discriminator(gan, images=IMAGES):
    return gan._descend(("discriminator",), keras.ops.convert_to_tensor(images), None)


def step_of_generator(gan):
    """One whole step in which the discriminator stands still."""
    gan.discriminator_optimizer.learning_rate = 0.0
    gan.fit(IMAGES, batch_size=8, epochs=1, verbose=0)
