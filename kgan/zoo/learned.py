"""What a run's GAN learned from, for programs that look at runs later."""

import functools
import importlib.util

from kgan.data import ImageSource
from kgan.zoo.runner import prepared


def find_for_run(gan, config):
    """Returns `ImageSource.find` for images as a run's GAN sees them, of the shape that it draws.

    Args:
        gan: `kgan.GAN` of images.
        config: dict, what the run's `config.json` holds; empty if there is none.
    """
    name = f"kgan.zoo.{config.get('module')}"
    module = importlib.import_module(name) if importlib.util.find_spec(name) else None
    if not hasattr(module, "prepare"):
        *size, channels = gan.image_shape
        return functools.partial(ImageSource.find, image_size=size, channels=channels)
    # Its images are made of others, which may have another shape.
    flags, recipes = config["flags"], module.RECIPES
    recipe = recipes.get(flags["dataset"], recipes["default"]).but(**config["recipe"])
    find = functools.partial(
        ImageSource.find, image_size=recipe.image_size, channels=flags.get("channels")
    )
    return prepared(module, recipe, find)
