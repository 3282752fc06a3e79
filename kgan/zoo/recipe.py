"""What a zoo module is made of: its paper, its recipes, and the task that they are put to."""

import ast
import dataclasses
import re
from typing import ClassVar

from kgan.layers.checks import check_positive_int, check_positive_number, check_rate
from kgan.registry import suggest

# As a zoo module's docstring cites its paper, at the beginning of a line.
CITATION = re.compile(r'^(\S[^"\n]*) (\d{4}),\s"([^"]+)",\sarXiv\s(\d+\.\d+)', re.MULTILINE)


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

    @classmethod
    def cited_in(cls, text):
        """Returns the paper that a text cites, the first one if there are several.

        Args:
            text: str, with a line that begins `Authors 2015, "Title", arXiv 1511.06434`.

        Raises:
            ValueError: if there is none.
        """
        found = CITATION.search(text)
        if found is None:
            raise ValueError(
                'Expected a line that begins: Authors 2015, "Title", arXiv 1511.06434. '
                f"Received: {text!r}"
            )
        authors, year, title, number = found.groups()
        title = " ".join(title.split())
        return cls(title, authors, int(year), f"https://arxiv.org/abs/{number}")

    def __str__(self):
        return f"{self.authors} {self.year}, {self.title}, {self.url}"


@dataclasses.dataclass(frozen=True)
class Published:
    """A number of the paper's, for what a run's `metrics.json` calls by the same name.

    Args:
        value: float, in the unit of the metric.
        where: str, the table or section, and under which protocol.
        spread: float or None, its "±". Defaults to None.
        best: `"highest"` or `"lowest"`. Defaults to `"highest"`.
    """

    value: float
    where: str
    spread: float | None = None
    best: str = "highest"

    def __str__(self):
        spread = "" if self.spread is None else f" ± {self.spread:g}"
        return f"{self.value:g}{spread} ({self.where})"

    def shortfall(self, measured):
        """Returns by how much a number misses this one; 0 or less if it does not."""
        return self.value - measured if self.best == "highest" else measured - self.value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A paper's hyperparameters for one data set: plain numbers and names.

    Flags can replace each of them. A zoo module whose paper has more subclasses this.

    Args:
        epochs: int >= 1, passes over the data.
        batch_size: int >= 1, images a discriminator update.
        generator_learning_rate: float > 0.
        discriminator_learning_rate: float > 0.
        discriminator_steps: int >= 1, discriminator updates a generator update. Defaults to 1.
        image_size: str or None, "HEIGHTxWIDTH" or one number, in pixels. Defaults to the data's
            own.
        loss: str, a name of `kgan.losses`. Defaults to "non_saturating".
        auxiliary_losses: tuple of str, names of auxiliary losses. Defaults to none.
        penalties: tuple of str, names of `kgan.penalties`. Defaults to none.
        dynamics: tuple of str, names of `kgan.dynamics`. Defaults to none.
        updates: "simultaneous" or "alternating". Defaults to "simultaneous".
        optimizer: one of `OPTIMIZERS`. Defaults to "adam".
        beta_1: float in [0, 1), of Adam. Defaults to 0.9, as Adam's paper.
        beta_2: float in [0, 1), of Adam. Defaults to 0.999.
        epsilon: float > 0, of Adam: gradients below it move weights less. Defaults to 1e-7.
        cosine_decay: bool, of both learning rates, to 0 at the end. Defaults to False.
        latent_dim: int >= 1. Defaults to 100.
        latent_distribution: "normal" or "uniform". Defaults to "normal".
    """

    epochs: int
    batch_size: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    discriminator_steps: int = 1
    image_size: str | None = None
    loss: str = "non_saturating"
    auxiliary_losses: tuple = ()
    penalties: tuple = ()
    dynamics: tuple = ()
    updates: str = "simultaneous"
    optimizer: str = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    cosine_decay: bool = False
    latent_dim: int = 100
    latent_distribution: str = "normal"

    OPTIMIZERS: ClassVar = ("adam", "rms_prop")

    def __post_init__(self):
        if self.optimizer not in self.OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {self.OPTIMIZERS}. Received: {self.optimizer!r}"
            )
        for name in ("epochs", "batch_size", "discriminator_steps", "latent_dim"):
            check_positive_int(name, getattr(self, name))
        for name in ("generator_learning_rate", "discriminator_learning_rate", "epsilon"):
            check_positive_number(name, getattr(self, name))
        for name in ("beta_1", "beta_2"):
            check_rate(name, getattr(self, name))

    def but(self, **changes):
        """Returns this recipe with some settings replaced."""
        return dataclasses.replace(self, **changes)

    def but_as_given(self, settings):
        """Returns this recipe with settings replaced as a command line gives them.

        Args:
            settings: list of str, each "NAME=VALUE".

        Raises:
            ValueError: if a name is none of this recipe's, or a value is not of its kind.
        """
        return self.but(**dict(self._read(setting) for setting in settings))

    def _read(self, setting):
        name, equals, text = setting.partition("=")
        fields = {field.name: field for field in dataclasses.fields(self)}
        if not equals:
            raise ValueError(f"Expected NAME=VALUE. Received: {setting!r}")
        if name not in fields:
            raise ValueError(f"Unknown setting. {suggest(name, fields)} Received: {setting!r}")
        kind = fields[name].type
        if kind is str:
            return name, text
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is tuple and isinstance(value, str):
            value = (value,)  # such as one penalty
        if not isinstance(value, kind) and isinstance(text, kind):
            value = text  # such as an image size, which looks like a number
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            words = getattr(kind, "__name__", str(kind))
            raise ValueError(f"{name} must be of type {words}. Received: {setting!r}")
        return name, value


def learning_rates(generator, discriminator=None):
    """Returns the settings of both learning rates, which are alike unless there are two.

    Args:
        generator: float > 0.
        discriminator: float > 0. Defaults to the generator's.
    """
    return {
        "generator_learning_rate": generator,
        "discriminator_learning_rate": generator if discriminator is None else discriminator,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionalRecipe(Recipe):
    """A recipe for DCGAN's networks, as `kgan.zoo.networks.convolutional` makes them.

    Args:
        generator_width: int >= 1, channels before the image, doubled inwards. Defaults to 64.
        discriminator_width: int >= 1, channels after the image, doubled inwards. Defaults to 64.
        kernel_size: int >= 1. Defaults to 5.
        batch_norm: bool, in the discriminator; the generator always has it. Defaults to True.
        discriminator_stages: int or None, how often the discriminator halves the image. Defaults
            to as often as the generator doubles it.
        pack: int >= 1, how many images the discriminator judges together. Defaults to 1.
        generator_initializer: str or None. Defaults to N(0, 0.02), as DCGAN's section 4.
        discriminator_initializer: str or None. Defaults to N(0, 0.02).
    """

    generator_width: int = 64
    discriminator_width: int = 64
    kernel_size: int = 5
    batch_norm: bool = True
    discriminator_stages: int | None = None
    pack: int = 1
    generator_initializer: str | None = None
    discriminator_initializer: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MomentumRecipe(Recipe):
    """A recipe for gradient descent with momentum, as `kgan.zoo.networks.momentum_sgd` makes it.

    Args:
        optimizer: "momentum_sgd", or one of `Recipe.OPTIMIZERS`, which leave the settings below
            unused. Defaults to "momentum_sgd".
        learning_rate_decay: float >= 1, what the learning rates are divided by in each step.
            Defaults to 1.
        momentum: float in [0, 1), in the first step. Defaults to 0.5.
        final_momentum: float in [0, 1). Defaults to 0.7.
        momentum_growth_steps: int >= 1, in which momentum grows to that. Defaults to 125,000.
    """

    optimizer: str = "momentum_sgd"
    learning_rate_decay: float = 1.0
    momentum: float = 0.5
    final_momentum: float = 0.7
    momentum_growth_steps: int = 125_000

    OPTIMIZERS: ClassVar = ("momentum_sgd", *Recipe.OPTIMIZERS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResidualRecipe(Recipe):
    """A recipe for SNGAN's residual networks, as `kgan.zoo.networks.residual` makes them.

    Args:
        generator_width: int >= 1, channels of the last block, doubled inwards. Defaults to 256.
        discriminator_width: int >= 1, channels of the first block, doubled inwards. Defaults to
            128.
        max_width: int or None, the most channels of a block. Defaults to each network's width.
        discriminator_stages: int or None, how many blocks halve the image. Defaults to as many as
            leave 8 pixels a side or less.
        flat_blocks: int >= 0, how many of the discriminator's blocks follow those. Defaults to 2.
    """

    generator_width: int = 256
    discriminator_width: int = 128
    max_width: int | None = None
    discriminator_stages: int | None = None
    flat_blocks: int = 2


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
