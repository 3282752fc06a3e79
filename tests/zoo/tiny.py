"""Tiny: a zoo module as small as one can be, for tests of the shared program."""

import keras

import kgan
from kgan.zoo import runner
from kgan.zoo.recipe import Paper, Recipe

PAPER = Paper(title="Tiny", authors="Nobody", year=2014, url="https://example.org")
RECIPES = {
    "default": Recipe(
        epochs=3,
        batch_size=256,
        generator_learning_rate=1e-3,
        discriminator_learning_rate=1e-3,
    )
}


def build(recipe, task, **compile_options):
    """Returns a compiled GAN of two small perceptrons, one with dropout."""
    shared = {"image_shape": task.image_shape, "num_classes": task.num_classes}
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(latent_dim=4, units=[8], **shared),
        kgan.backbones.MLPDiscriminator(units=[8], **shared),
        num_classes=task.num_classes,
    )
    gan.compile(
        keras.optimizers.Adam(recipe.generator_learning_rate),
        keras.optimizers.Adam(recipe.discriminator_learning_rate),
        discriminator_steps=recipe.discriminator_steps,
        **compile_options,
    )
    return gan


if __name__ == "__main__":
    runner.main()
