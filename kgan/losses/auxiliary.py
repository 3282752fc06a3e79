"""What auxiliary losses have in common: terms that a game may add to its players' losses."""

from keras import ops

from kgan import replicas
from kgan.component import Component
from kgan.layers.checks import check_positive_number
from kgan.registry import Registry

AUXILIARY_LOSSES = Registry("auxiliary loss")


class AuxiliaryLoss(Component):
    """Base of a term that is added to one player's loss or both.

    A subclass writes `discriminator`, `generator` or both. What they return is multiplied by
    `weight`, added to that player's loss and logged as `"discriminator_NAME"` or
    `"generator_NAME"`.

    Conditioning by projection (Miyato and Koyama 2018, arXiv 1802.05637) adds no term: it is a
    part of the score, so it is a layer, `kgan.layers.ProjectionHead`.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not a number above 0.
    """

    # Names of the discriminator's layers whose outputs the views must hold under "features".
    layers = ()

    def __init__(self, weight=1.0, name=None):
        super().__init__(name)
        check_positive_number(f"The weight of {type(self).__name__}", weight)
        self.weight = weight

    @property
    def players(self):
        """Tuple of str, the players whose losses have this term."""
        return tuple(
            player
            for player in ("discriminator", "generator")
            if getattr(type(self), player) is not getattr(AuxiliaryLoss, player)
        )

    def discriminator(self, real, fake):
        """Returns the discriminator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the discriminator.")

    def generator(self, real, fake):
        """Returns the generator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the generator.")

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "weight": self.weight}


def check_layers(layers):
    """Returns names of layers as a list, given as one name or several; raises where none is."""
    names = layers if isinstance(layers, (list, tuple)) else [layers] if layers else []
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            "layers must be the name of a layer of the discriminator, or a list of one or more. "
            f"Received: {layers!r}"
        )
    return list(names)


def check_class_numbers(asker, gan):
    """Raises a `ValueError` unless this game's labels are class numbers."""
    if gan.num_classes is None:
        raise ValueError(
            f"{type(asker).__name__} needs labels that are class numbers: GAN(num_classes=…). "
            f"Received: GAN(condition_dim={gan.condition_dim!r})"
        )


def check_widths(asker, gan, widths):
    """Raises a `ValueError` unless the discriminator's outputs have these widths.

    Args:
        asker: `AuxiliaryLoss`, whose need it is.
        gan: `kgan.GAN`, the game.
        widths: dict of str to int, the last axis of each output.
    """
    for name, width in widths.items():
        shape = gan.output_shapes[name]
        if shape != (None, width):
            raise ValueError(
                f"{type(asker).__name__} needs a discriminator whose {name!r} has the shape "
                f"{('batch', width)}. Received: {('batch', *shape[1:])}"
            )


def batch_mean(x):
    """Returns the mean over the examples of all replicas, with a batch axis of 1."""
    return replicas.mean(ops.mean(ops.cast(x, "float32"), axis=0, keepdims=True))


def whole_batch(x):
    """Returns the examples of all replicas, in float32."""
    return replicas.gather(ops.cast(x, "float32"))


def flat(x):
    """Returns one row an example."""
    return ops.reshape(x, (ops.shape(x)[0], -1))


def unit_rows(x):
    """Returns rows of length 1; a row of zeros stays as it is, with a finite gradient."""
    return x * ops.rsqrt(ops.maximum(ops.sum(x * x, axis=-1, keepdims=True), 1e-12))
