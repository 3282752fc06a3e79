"""What augmentations have in common."""

from kgan.component import Component
from kgan.registry import Registry

AUGMENTATIONS = Registry("augmentation")


class Augmentation(Component):
    """Base of what changes the images that the discriminator sees, reals and fakes alike.

    A subclass writes `call`, which must be differentiable: the generator learns through it.

    Args:
        name: str, the prefix of its logs. Defaults to the class name in snake case.
    """

    def __call__(self, images, seed):
        """Returns the images changed, each in its own way.

        Args:
            images: float32 `(batch, …)` in [-1, 1].
            seed: `keras.random.SeedGenerator`, what it draws from.
        """
        return self.call(images, seed)

    def call(self, images, seed):
        """Returns the images changed; by default as they are."""
        return images

    def replace_reals(self, real_images, fake_images, seed):
        """Returns what the discriminator is told is real; by default the reals.

        Args:
            real_images: float32 `(batch, …)`.
            fake_images: float32 `(batch, …)`.
            seed: `keras.random.SeedGenerator`, what it draws from.
        """
        return real_images


def check_images(augmentation, gan):
    """Raises a `ValueError` unless this game's samples are images whose size is known.

    Args:
        augmentation: `Augmentation`, whose name the error says.
        gan: `kgan.GAN`.
    """
    shape = gan.image_shape
    if len(shape) != 3 or any(size is None for size in shape) or min(shape[:2]) < 2:
        raise ValueError(
            f"{type(augmentation).__name__} needs images of shape (height, width, channels), all "
            f"known, height and width of 2 or more. Received: a GAN of samples of shape {shape}"
        )
