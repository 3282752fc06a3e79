"""What a zoo module is made of: its paper, its recipes, and the task that they are put to."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Paper:
    """Where a GAN was published.

    Args:
        title: str.
        authors: str, as cited: "Radford, Metz, Chintala".
        year: int, of the first version.
        url: str.
    """

    title: str
    authors: str
    year: int
    url: str

    def __str__(self):
        return f"{self.authors} {self.year}, {self.title}, {self.url}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A paper's hyperparameters for one data set: plain numbers, which the flags can replace.

    A zoo module whose paper has more of them subclasses this.

    Args:
        epochs: int >= 1, passes over the data.
        batch_size: int >= 1, images a discriminator update.
        generator_learning_rate: float > 0.
        discriminator_learning_rate: float > 0.
        discriminator_steps: int >= 1, discriminator updates a generator update. Defaults to 1.
        image_size: str or None, "HEIGHTxWIDTH" or one number, in pixels. Defaults to the data's
            own.
    """

    epochs: int
    batch_size: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    discriminator_steps: int = 1
    image_size: str | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """What a recipe is put to, known once the data has been found.

    Args:
        image_shape: tuple of int, (height, width, channels).
        num_classes: int or None, None for an unconditional GAN.
        steps: int, generator updates of the whole training.
    """

    image_shape: tuple
    num_classes: int | None
    steps: int
