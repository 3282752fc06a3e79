"""A scope that keeps apart what is assigned in it."""

import keras

# Keras offers no public way to read the scope that variables are read and assigned in.
from keras.src.backend.common.stateless_scope import get_stateless_scope


class Recording(keras.StatelessScope):
    """A `keras.StatelessScope` inside the present one, which knows what was assigned in it.

    Args:
        values: iterable of pairs of a `keras.Variable` and the tensor that it is here. Others are
            what they are outside. Defaults to none.

    Example:
    >>> one, other = keras.Variable(1.0), keras.Variable(2.0)
    >>> with kgan.recording.Recording([(one, 5.0)]) as recording:
    ...     _ = other.assign(one + 2.0)
    >>> [float(x) for x in recording.values(recording.assigned)], float(other)
    ([7.0], 2.0)
    """

    def __init__(self, values=()):
        super().__init__(values, collect_losses=True, initialize_variables=False)
        outer = get_stateless_scope()
        if outer is not None:
            self.state_mapping = outer.state_mapping | self.state_mapping
        self._assigned = {}

    def add_update(self, update):
        """Takes note of a variable that is assigned, and of its value."""
        variable, _ = update
        self._assigned[id(variable)] = variable
        super().add_update(update)

    @property
    def assigned(self):
        """List of the variables that were assigned."""
        return list(self._assigned.values())

    def values(self, variables):
        """Returns what variables are at the end of this scope.

        Args:
            variables: list of `keras.Variable`.
        """
        found = [self.get_current_value(variable) for variable in variables]
        pairs = zip(variables, found, strict=True)
        return [variable.value if value is None else value for variable, value in pairs]
