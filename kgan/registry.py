"""Objects found by name: one registry for each family (losses, penalties, …)."""

import difflib
import re


def snake_case(name):
    """Returns the field's file and flag spelling of a class name.

    Args:
        name: str, a class name such as `"NonSaturating"`.

    Example:
    >>> snake_case("NonSaturating")
    'non_saturating'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def suggest(name, known):
    """Returns the sentence that an error about an unknown name ends with.

    Args:
        name: str, what the user gave.
        known: Iterable of str, what would have been accepted.

    Example:
    >>> suggest("hing", ["hinge", "minimax"])
    "Did you mean 'hinge'? Known: 'hinge', 'minimax'."
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{hint}Known: {', '.join(map(repr, known))}."


class Registry:
    """A family of classes that users name by a string.

    Args:
        family: str, what the members are, singular, for error messages.

    Example:
    >>> losses = Registry("loss")
    >>> @losses.register
    ... class LeastSquares: ...
    >>> losses.names()
    ['least_squares']
    """

    def __init__(self, family):
        self.family = family
        self._classes = {}

    def register(self, cls):
        """Adds a class under the snake case of its name; used as a decorator."""
        self._classes[snake_case(cls.__name__)] = cls
        return cls

    def names(self):
        """Returns the registered names, sorted."""
        return sorted(self._classes)

    def create(self, name, *args, **kwargs):
        """Returns a new member of the family.

        Args:
            name: str, a registered name.
            *args: passed to the class.
            **kwargs: passed to the class.

        Raises:
            ValueError: if no class has this name.
        """
        if name not in self._classes:
            raise ValueError(
                f"Unknown {self.family}. {suggest(name, self._classes)} Received: {name!r}"
            )
        return self._classes[name](*args, **kwargs)
