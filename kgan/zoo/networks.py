"""From a recipe to a compiled GAN: what several zoo modules build alike."""

import keras

import kgan

# Networks and schedule that learn MNIST in minutes on one core, where papers have hours on a GPU:
# narrow, a discriminator that looks at the whole image (down to 4x4), and a learning rate that
# decays, so that it may begin high.
NARROW = {
    "batch_size": 64,
    "latent_distribution": "normal",
    "generator_width": 64,
    "discriminator_width": 32,
    "kernel_size": 4,
    "discriminator_stages": 3,
    "generator_initializer": "glorot_uniform",
    "discriminator_initializer": "he_normal",
    "cosine_decay": True,
}

# The same for a discriminator that R1 keeps smooth in the place of batch norm, which lets it learn
# faster. DIGITS have a thirtieth of R1.
SMOOTH = {**NARROW, "beta_2": 0.99, "batch_norm": False, "penalties": ("r1:1,every=2",)}

# The same for the dense networks of the first two GANs: with a strong R1 in the place of dropout.
SMOOTH_DENSE = {
    "optimizer": "adam",
    "generator_learning_rate": 2e-4,
    "discriminator_learning_rate": 5e-4,
    "beta_1": 0.5,
    "beta_2": 0.99,
    "cosine_decay": True,
    "penalties": ("r1:5",),
    "generator_initializer": "glorot_uniform",
    "discriminator_initializer": "glorot_uniform",
}

# The same for residual networks, whose papers' five discriminator updates, and networks of tenfold
# width, do not fit a quarter of an hour on one core.
NARROW_RESIDUAL = {
    "batch_size": 64,
    "generator_learning_rate": 1e-3,
    "discriminator_learning_rate": 2e-3,
    "discriminator_steps": 1,
    "beta_2": 0.99,
    "cosine_decay": True,
    "updates": "simultaneous",
    "generator_width": 16,
    "discriminator_width": 16,
    "max_width": 64,
    "discriminator_stages": None,
    "flat_blocks": 1,
}


def narrow_recipes(default, **changes):
    """Returns a loss paper's recipes: its own, and with `NARROW` networks MNIST's and the digits'.

    Args:
        default: `ConvolutionalRecipe`, the paper's.
        **changes: the settings in which MNIST's differs further, and so the digits', which has
            more epochs, of larger images.
    """
    mnist = default.but(**{**NARROW, **changes})
    digits = mnist.but(epochs=120, image_size="16")
    return {"default": default, "mnist": mnist, "digits": digits}


def convolutional(recipe, task, head=None, judges_labels=True):
    """Returns DCGAN's generator and discriminator, as wide as the recipe says.

    Args:
        recipe: `ConvolutionalRecipe`.
        task: `Task`.
        head: Keras layer that ends the discriminator, or None. Defaults to None, one score.
        judges_labels: bool, whether a conditional game shows the discriminator labels too.
            Defaults to True.
    """
    of_generator, of_discriminator = sizes(recipe, task)
    generator = kgan.backbones.DCGANGenerator(num_classes=task.num_classes, **of_generator)
    discriminator = kgan.backbones.DCGANDiscriminator(
        batch_norm=recipe.batch_norm,
        pack=recipe.pack,
        head=head,
        num_classes=task.num_classes if judges_labels else None,
        **of_discriminator,
    )
    return generator, discriminator


def sizes(recipe, task):
    """Returns what any two convolutional players are made with, a dict for each.

    Args:
        recipe: `ConvolutionalRecipe`.
        task: `Task`.
    """
    shared = {"image_shape": task.image_shape, "kernel_size": recipe.kernel_size}
    of_generator = {
        "latent_dim": recipe.latent_dim,
        "width": recipe.generator_width,
        "kernel_initializer": recipe.generator_initializer,
    }
    of_discriminator = {
        "width": recipe.discriminator_width,
        "num_stages": recipe.discriminator_stages,
        "kernel_initializer": recipe.discriminator_initializer,
    }
    return {**shared, **of_generator}, {**shared, **of_discriminator}


def convolutional_gan(recipe, task, **compile_options):
    """Returns the compiled GAN of DCGAN's networks: all that a paper of a loss has to build."""
    return compiled(kgan.GAN, convolutional(recipe, task), recipe, task, **compile_options)


def residual(recipe, task):
    """Returns SNGAN's generator and discriminator, as wide as the recipe says.

    Args:
        recipe: `ResidualRecipe`.
        task: `Task`.
    """
    shared = {
        "image_shape": task.image_shape,
        "max_width": recipe.max_width,
        "num_classes": task.num_classes,
    }
    generator = kgan.backbones.ResNetGenerator(
        latent_dim=recipe.latent_dim, width=recipe.generator_width, **shared
    )
    discriminator = kgan.backbones.ResNetDiscriminator(
        width=recipe.discriminator_width,
        num_stages=recipe.discriminator_stages,
        num_flat_blocks=recipe.flat_blocks,
        **shared,
    )
    return generator, discriminator


def residual_gan(recipe, task, **compile_options):
    """Returns the compiled GAN of SNGAN's residual networks."""
    return compiled(kgan.GAN, residual(recipe, task), recipe, task, **compile_options)


def compiled(game, networks, recipe, task, settings=(), **options):
    """Returns a game of these networks, compiled as the recipe says.

    Args:
        game: `kgan.GAN` or a game of `kgan.games`.
        networks: tuple of Keras models, in the order of the game's constructor; or a dict.
        recipe: `Recipe`.
        task: `Task`.
        settings: tuple of str, which of the recipe's settings the game's constructor takes.
            Defaults to none.
        **options: arguments of `compile`.
    """
    optimizer = OPTIMIZERS[recipe.optimizer]
    steps = {"generator": task.steps, "discriminator": task.steps * recipe.discriminator_steps}
    if not isinstance(networks, dict):
        networks = dict(zip(("generator", "discriminator"), networks, strict=True))
    gan = game(
        **networks,
        num_classes=task.num_classes,
        latent_distribution=recipe.latent_distribution,
        **{name: getattr(recipe, name) for name in settings},
    )
    gan.compile(
        **{
            **{
                f"{player}_optimizer": optimizer(
                    recipe, getattr(recipe, f"{player}_learning_rate"), steps[player]
                )
                for player in steps
            },
            "loss": recipe.loss,
            "auxiliary_losses": recipe.auxiliary_losses,
            "penalties": recipe.penalties,
            "dynamics": recipe.dynamics,
            "updates": recipe.updates,
            "discriminator_steps": recipe.discriminator_steps,
            **options,
        }
    )
    return gan


def adam(recipe, learning_rate, steps):
    """Returns Adam, as the recipe says."""
    return kgan.optimizers.Adam(
        schedule(recipe, learning_rate, steps), recipe.beta_1, recipe.beta_2, recipe.epsilon
    )


def rms_prop(recipe, learning_rate, steps):
    """Returns RMSprop, as the recipe says; it forgets faster (0.9) than PyTorch's (0.99)."""
    return keras.optimizers.RMSprop(schedule(recipe, learning_rate, steps))


def momentum_sgd(recipe, learning_rate, steps):
    """Returns gradient descent with growing momentum and a falling rate, as the recipe says."""
    # By the thousand: a single step's factor is so near to 1 that float32 rounds it off.
    decay = keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=1000, decay_rate=recipe.learning_rate_decay**-1000
    )
    growth = kgan.optimizers.growth(
        recipe.momentum, recipe.final_momentum, recipe.momentum_growth_steps
    )
    return kgan.optimizers.ScheduledSGD(decay, momentum=growth)


# What a recipe's `optimizer` names: functions of a recipe, a learning rate, and its steps.
OPTIMIZERS = {"adam": adam, "rms_prop": rms_prop, "momentum_sgd": momentum_sgd}


def schedule(recipe, learning_rate, steps):
    """Returns the learning rate, or its decay to 0 over that many steps of its optimizer."""
    if recipe.cosine_decay:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return learning_rate
