"""The games as a user of kgan writes them."""

import kgan  # isort: split

import keras
import tensorflow as tf

from benchmarks import flops
from benchmarks.against_pytorch.games import LARGE_EPSILON, LEAKY_SLOPE

layers = keras.layers


def initial():
    return keras.initializers.RandomNormal(stddev=0.02)


def convolution(filters, strides=1):
    return layers.Conv2D(filters, 3, strides, padding="same", kernel_initializer=initial())


def upsampled_convolution(filters):
    return kgan.layers.UpsampleConv2D(filters, 3, kernel_initializer=initial())


def batch_norm(epsilon=LARGE_EPSILON):
    return kgan.layers.BatchNormalization(momentum=0.9, epsilon=epsilon)


def leaky():
    return layers.LeakyReLU(LEAKY_SLOPE)


def dcgan(game):
    """PyTorch-GAN's DCGAN: up-sampling before 3x3 convolutions, dropout of channels."""
    height, width = (side // 4 for side in game.image_shape[:2])
    latent = keras.Input((game.latent_dim,))
    x = layers.Dense(height * width * 2 * game.width)(latent)
    x = batch_norm(epsilon=1e-5)(layers.Reshape((height, width, 2 * game.width))(x))
    x = leaky()(batch_norm()(upsampled_convolution(2 * game.width)(x)))
    x = leaky()(batch_norm()(upsampled_convolution(game.width)(x)))
    x = convolution(game.image_shape[-1])(x)
    generator = keras.Model(latent, layers.Activation("tanh", dtype="float32")(x))

    x = image = keras.Input(game.image_shape)
    for i, filters in enumerate((game.width // 4, game.width // 2, game.width, 2 * game.width)):
        x = layers.SpatialDropout2D(game.dropout)(leaky()(convolution(filters, strides=2)(x)))
        if i:
            x = batch_norm()(x)
    score = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return generator, keras.Model(image, score)


def wgan_gp(game):
    """PyTorch-GAN's WGAN-GP: dense layers, with batch norm in the generator only."""
    latent = keras.Input((game.latent_dim,))
    x = leaky()(layers.Dense(game.width)(latent))
    for factor in (2, 4, 8):
        x = leaky()(batch_norm()(layers.Dense(factor * game.width)(x)))
    x = layers.Dense(game.image_shape[0] * game.image_shape[1] * game.image_shape[2])(x)
    x = layers.Activation("tanh", dtype="float32")(layers.Reshape(game.image_shape)(x))
    generator = keras.Model(latent, x)

    image = keras.Input(game.image_shape)
    x = layers.Flatten()(image)
    for factor in (4, 2):
        x = leaky()(layers.Dense(factor * game.width)(x))
    return generator, keras.Model(image, layers.Dense(1, dtype="float32")(x))


def sngan(game):
    """Table 4 of SNGAN's paper at another width."""
    shared = {"image_shape": game.image_shape, "width": game.width}
    return (
        kgan.backbones.ResNetGenerator(latent_dim=game.latent_dim, **shared),
        kgan.backbones.ResNetDiscriminator(**shared),
    )


NETWORKS = {"dcgan": dcgan, "wgan_gp": wgan_gp, "sngan": sngan}


def make_gan(name, game, xla=False, **kwargs):
    """Returns the compiled GAN; it keeps no average of the generator, as PyTorch-GAN's do not."""

    def adam():
        beta_1, beta_2 = game.betas
        # PyTorch's epsilon.
        return kgan.optimizers.Adam(game.learning_rate, beta_1, beta_2, epsilon=1e-8)

    gan = kgan.GAN(*NETWORKS[name](game), average_half_life_images=None)
    gan.compile(
        adam(),
        adam(),
        loss=game.loss,
        penalties=[f"gradient_penalty:{game.gradient_penalty}"] if game.gradient_penalty else [],
        updates=game.updates,
        discriminator_steps=game.discriminator_steps,
        jit_compile=xla,
        **kwargs,
    )
    return gan


class Side:
    """Trains a game by `fit`.

    Args:
        name: str, the game's.
        game: `Game`.
        mode: `"fit"` or `"fit, XLA"`.
        dtype: `"float32"` or `"bfloat16"`.
        images: float32 `(steps, images_per_step, height, width, channels)`.
    """

    def __init__(self, name, game, mode, dtype, images):
        for gpu in tf.config.list_physical_devices("GPU"):
            # Else TensorFlow takes all of the memory, and PyTorch has none.
            tf.config.experimental.set_memory_growth(gpu, True)
        keras.config.set_dtype_policy("float32" if dtype == "float32" else f"mixed_{dtype}")
        self.gan = make_gan(name, game, xla="XLA" in mode)
        dataset = tf.data.Dataset.from_tensor_slices(images).repeat().prefetch(2)
        # As in kgan.data: with tf.data's tuner, deleting fit's iterator may wait for seconds.
        options = tf.data.Options()
        options.autotune.enabled = False
        self.dataset = dataset.with_options(options)

    def train(self, steps):
        """Makes `steps` updates of the generator, with their discriminator updates."""
        self.gan.fit(self.dataset, steps_per_epoch=steps, shuffle=False, verbose=0)

    def flops(self):
        """Returns the floating-point operations of a step."""
        step = tf.function(self.gan.train_step, autograph=False)
        return flops.count(step.get_concrete_function(next(iter(self.dataset))))
