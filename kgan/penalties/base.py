"""What penalties have in common, and the gradients that many of them need."""

from keras import ops

from kgan import backend
from kgan.component import Component
from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.layers.reparametrization import shared_weights
from kgan.registry import Registry

PENALTIES = Registry("penalty")


class Penalty(Component):
    """Base of the terms that are added to a player's loss, called as `penalty(round)`.

    A subclass writes `call`; what it returns is multiplied by `weight`, added to the loss of its
    `player` and logged under `name`.

    With `every=k` the penalty is lazy (Karras et al. 2020, arXiv 1912.04958, section 3.1): it is
    computed in every k-th step only, with k times the weight, so that its mean stays the same. In
    the steps between nothing of `call` is executed. TensorFlow has no exchange among replicas
    inside such a branch: what replicas must share goes into `prepare` and `finish`, and on several
    replicas a lazy penalty cannot run layers that synchronise, such as
    `keras.layers.BatchNormalization(synchronized=True)`.

    Args:
        weight: float > 0, the factor of the penalty in the player's loss.
        every: int >= 1, in which of the player's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not a number above 0 or `every` not an integer above 0.
    """

    # The shape of what `call` returns.
    value_shape = ()

    def __init__(self, weight, every=1, name=None):
        super().__init__(name)
        check_positive_number(f"The weight of {type(self).__name__}", weight)
        check_positive_int("every", every)
        self.weight = weight
        self.every = int(every)

    def __call__(self, round, step=0):
        """Returns the weighted penalty of this step of its player, a float32 scalar.

        Args:
            round: `kgan.Round`.
            step: int or int tensor, how often the player was updated before. Defaults to 0.
        """
        prepared = self.prepare(round)

        def value():
            with shared_weights():
                return ops.cast(self.call(round, *prepared), "float32")

        if self.every == 1:
            return self.weight * self.finish(round, value(), 1.0)
        is_due = step % self.every == 0
        values = backend.cond(is_due, value, lambda: ops.zeros(self.value_shape, "float32"))
        factor = ops.cast(is_due, "float32")
        return self.weight * self.every * factor * self.finish(round, values, factor)

    def prepare(self, round):
        """Returns the further arguments of `call`, a tuple; runs in every step, also of a lazy one.

        Here belong random draws and what replicas compute together.
        """
        return ()

    def call(self, round):
        """Returns the unweighted penalty, a scalar, or what `finish` makes it from."""
        raise NotImplementedError(f"{type(self).__name__} must implement call().")

    def finish(self, round, value, is_due):
        """Returns the unweighted penalty, a scalar; runs in every step, also of a lazy one.

        What `after_update` needs goes into `round.notes`.

        Args:
            round: `kgan.Round`.
            value: what `call` returned, or zeros in a step without it.
            is_due: float or float32 scalar, 1 if `call` ran in this step and 0 if not.
        """
        return value

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "weight": self.weight, "every": self.every}


class Constraint(Component):
    """Base of what changes a player's weights after each of its updates.

    A subclass writes `after_update`.
    """


def input_gradients(function, inputs):
    """Returns the gradient of each example's output with respect to that example, in float32.

    Of an example with several outputs, such as a map of patches, it is their sum's gradient.

    Args:
        function: callable from `inputs` to outputs of shape `(batch, …)`.
        inputs: float tensor `(batch, …)`.
    """

    def outputs(x):
        # What JAX computes to differentiate means nothing outside of it.
        with shared_weights():
            return ops.cast(function(x), "float32")

    # An example's output depends on that example alone, so the sum's gradient holds them all.
    return backend.input_gradients(outputs, ops.cast(inputs, "float32"))


def squared_norms(x):
    """Returns the squared Euclidean norm of each example, of shape `(batch,)`."""
    return ops.sum(ops.reshape(ops.square(x), (ops.shape(x)[0], -1)), axis=-1)


def safe_sqrt(x):
    """Returns the square root, whose gradient at 0 is taken as 0 and not as infinite."""
    is_positive = x > 0
    return ops.where(is_positive, ops.sqrt(ops.where(is_positive, x, 1.0)), 0.0)
