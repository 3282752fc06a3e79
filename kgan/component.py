"""What can be compiled into a game beside its loss: penalties, augmentation, dynamics."""

import keras

from kgan.registry import snake_case


class Component:
    """Base of what `GAN.compile` takes beside the loss.

    A component may keep state in variables, which the GAN saves with itself. It is built once by
    `compile`, under the GAN's distribution strategy.

    Args:
        name: str, the key in the logs and in the saved state. Defaults to the class name in snake
            case.
    """

    # What it needs of the view of the fakes, such as "latents"; see `kgan.Round`.
    needs = ()
    # Whose update `after_update` follows.
    player = "discriminator"
    # Whether it compares all examples of a batch while the round is played, so that micro-batches
    # would change what it is.
    whole_batch = False

    def __init__(self, name=None):
        self.name = name or snake_case(type(self).__name__)
        self.variables = []

    def build(self, gan):
        """Makes the variables that this game needs, and raises where it does not fit the game."""

    def add_variable(self, shape=(), initializer="zeros", dtype="float32", name=None):
        """Returns a new variable that is saved with the GAN; replicas must set the same value."""
        variable = keras.Variable(
            initializer,
            shape=shape,
            dtype=dtype,
            trainable=False,
            aggregation="only_first_replica",
            name=name or self.name,
        )
        self.variables.append(variable)
        return variable

    @property
    def state_names(self):
        """Tuple of str, the keys of `state_logs`."""
        return ()

    def state_logs(self):
        """Returns the state that is worth showing, a dict of scalars."""
        return {}

    def after_update(self, round):
        """Is called after each update of `player`.

        Args:
            round: `kgan.Round`, the round that the update came from.
        """

    def get_config(self):
        """Returns the arguments that make an equal component."""
        return {"name": self.name}

    def __repr__(self):
        config = self.get_config()
        config["name"] = config.pop("name")  # as in the constructors, it comes last
        arguments = ", ".join(f"{name}={value!r}" for name, value in config.items())
        return f"{type(self).__name__}({arguments})"

    @classmethod
    def from_config(cls, config):
        """Makes the component that `get_config` described."""
        return cls(**config)


class Observer(Component):
    """Base of what looks at the updates of a `fit` without changing them; see `GAN.observe`.

    Its variables are not saved with the GAN.
    """

    def observe(self, player, gradients, round):
        """Is called in the train step, after each update of either player.

        Args:
            player: `"generator"` or `"discriminator"`.
            gradients: list of tensors or None, one for each of the player's variables, of this
                replica's share of the loss and scaled for float16 if the optimizer does that.
            round: `kgan.Round`, the round that the update came from.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement observe().")
