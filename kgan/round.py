"""One round of the game: what losses, penalties and dynamics may look at."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of the game has made.

    A view is a dict of what there is to know of a batch: `"images"`, `"score"`, what else the
    discriminator returns, `"features"` (a dict by layer, where a loss asks for some), `"labels"`
    in a conditional game, of fakes `"latents"`, and in training `"seed"`, as below.

    Args:
        real: dict, the view of the reals.
        fake: dict, the view of the fakes that were just made.
        shown: dict, the view of the fakes that the discriminator learns from. Defaults to `fake`.
        score: function of images to the discriminator's scores of them in training, float32, never
            computed in float16, and with the labels of this batch. Defaults to None.
        synthesize: function of latents to images, likewise. Defaults to None.
        seed: `keras.random.SeedGenerator` that all draws of this round come from. Defaults to
            None.
        generator: `keras.Model`. Defaults to None.
        discriminator: `keras.Model`. Defaults to None.
        regularization: dict of scalars, what the layers of a player's network add to its loss
            (weight decay and the like). Defaults to nothing.
        notes: dict by component's name, what components leave for their own `after_update`.
            Defaults to an empty one.

    Example:
    >>> images = np.ones((4, 2), "float32")
    >>> def score(images):  # its gradient is (3, 4) everywhere, of norm 5
    ...     return 3 * images[:, 0] + 4 * images[:, 1]
    >>> round = kgan.Round(real={"images": images}, fake={"images": -images}, score=score)
    >>> float(kgan.penalties.R1(10.0)(round))  # 10 / 2 * 25
    125.0
    """

    real: dict
    fake: dict
    shown: dict | None = None
    score: Callable | None = None
    synthesize: Callable | None = None
    seed: Any = None
    generator: Any = None
    discriminator: Any = None
    regularization: dict = dataclasses.field(default_factory=dict)
    notes: dict = dataclasses.field(default_factory=dict)

    # The fields that hold tensors.
    TENSORS: ClassVar = ("real", "fake", "shown", "regularization", "notes")

    def but(self, **changes):
        """Returns this round with some fields replaced."""
        return dataclasses.replace(self, **changes)

    def __post_init__(self):
        if self.shown is None:
            object.__setattr__(self, "shown", self.fake)
