"""Optimizers that Keras does not have."""

import keras
from keras import ops

from kgan import backend


@keras.saving.register_keras_serializable(package="kgan")
class Adam(keras.optimizers.Adam):
    """Keras's Adam, which reads and writes each weight once a step.

    It computes what `keras.optimizers.Adam` does, from the same arguments and state. Keras's form
    makes an intermediate result of each of its dozen operations, which costs twice the time on CPU.
    Gradients of some rows only (of embeddings), and `amsgrad`, are left to that form.

    Args:
        *args: as of `keras.optimizers.Adam`.
        **kwargs: likewise.

    Example:
    >>> optimizer = kgan.optimizers.Adam(2e-4, beta_1=0.5)
    >>> weight = keras.Variable([1.0])
    >>> optimizer.apply([np.array([3.0], "float32")], [weight])  # the first step has one length
    >>> round(float(weight[0]), 5)
    0.9998

    Reference:
        [Kingma & Ba, 2015, Adam: A Method for Stochastic
        Optimization](https://arxiv.org/abs/1412.6980)
    """

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        index, dtype = self._get_variable_index(variable), variable.dtype
        numbers = (learning_rate, self.beta_1, self.beta_2)
        is_done = not self.amsgrad and backend.adam_step(
            variable,
            self._momentums[index],
            self._velocities[index],
            ops.cast(gradient, dtype),
            *(ops.cast(x, dtype) for x in numbers),
            epsilon=self.epsilon,
            step=ops.cast(self.iterations + 1, dtype),
        )
        if not is_done:
            super().update_step(gradient, variable, learning_rate)


@keras.saving.register_keras_serializable(package="kgan")
class ScheduledSGD(keras.optimizers.SGD):
    """Gradient descent whose momentum follows a schedule, as the learning rate may.

    v ← μ(k) v − η(k) ∇ and w ← w + v in step k. Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning" (section 3): momentum that is best late in
    training is too much for its beginning. Both schedules read `iterations`, which is saved, so
    that a resumed training goes on in them.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`. Defaults to 0.1.
        momentum: `keras.optimizers.schedules.LearningRateSchedule`, of the momentum; None is a
            growth from 0.5 to 0.7 in 125,000 steps. Defaults to None.
        name: str. Defaults to `"scheduled_sgd"`.
        **kwargs: as of every `keras.optimizers.Optimizer`.

    Raises:
        TypeError: if `momentum` is no schedule.
        ValueError: of `nesterov=True`.

    Example:
    >>> growth = kgan.optimizers.growth(0.5, 0.9, steps=1000)
    >>> optimizer = kgan.optimizers.ScheduledSGD(0.1, momentum=growth)
    >>> _ = optimizer.iterations.assign(500)
    >>> round(float(optimizer.current_momentum), 3)
    0.7
    """

    def __init__(self, learning_rate=0.1, momentum=None, name="scheduled_sgd", **kwargs):
        if momentum is None:
            momentum = growth(0.5, 0.7, 125_000)
        if isinstance(momentum, dict):
            momentum = keras.optimizers.schedules.deserialize(momentum)
        if not isinstance(momentum, keras.optimizers.schedules.LearningRateSchedule):
            raise TypeError(
                "momentum must be a schedule of keras.optimizers.schedules; a constant one is "
                f"keras.optimizers.SGD's. Received: {momentum!r}"
            )
        if kwargs.pop("nesterov", False):
            raise ValueError("ScheduledSGD has no Nesterov momentum. Received: nesterov=True")
        super().__init__(learning_rate, momentum=0.5, name=name, **kwargs)
        self.momentum = momentum

    @property
    def current_momentum(self):
        """The momentum of the next step, a scalar."""
        return self.momentum(self.iterations)

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum, learning_rate, gradient = (
            ops.cast(x, variable.dtype) for x in (self.current_momentum, learning_rate, gradient)
        )
        self.assign(velocity, momentum * velocity - learning_rate * gradient)
        self.assign_add(variable, velocity)

    def get_config(self):
        """Returns the arguments that make an equal optimizer."""
        config = super().get_config()
        del config["nesterov"]
        return {**config, "momentum": keras.optimizers.schedules.serialize(self.momentum)}


def growth(first, last, steps):
    """Returns a schedule that goes from one number to another in a straight line, and stays there.

    Args:
        first: float, at step 0.
        last: float, from step `steps` on.
        steps: int >= 1.

    Example:
    >>> round(float(kgan.optimizers.growth(0.5, 0.7, steps=100)(25)), 3)
    0.55
    """
    return keras.optimizers.schedules.PolynomialDecay(first, steps, end_learning_rate=last)
