"""Objects found by name: one registry for each family (losses, penalties, …)."""

import ast
import difflib
import re

import keras


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

    def create(self, name, /, *args, **kwargs):
        """Returns a new member of the family.

        Args:
            name: str, a registered name, with or without its underscores.
            *args: passed to the class.
            **kwargs: passed to the class.

        Raises:
            ValueError: if no class has this name.
        """
        spellings = {known.replace("_", ""): cls for known, cls in self._classes.items()}
        cls = spellings.get(name.strip().lower().replace("_", ""))
        if cls is None:
            raise ValueError(
                f"Unknown {self.family}. {suggest(name, self._classes)} Received: {name!r}"
            )
        return cls(*args, **kwargs)

    def parse(self, text):
        """Returns the member that a flag's value describes.

        Args:
            text: str, a name, and after a colon its arguments: `"hinge"`, `"r1:10"`,
                `"r1:10,every=16"`.

        Raises:
            ValueError: if no class has this name, or it does not take these arguments.
        """
        name, _, rest = text.partition(":")
        words = [word.partition("=") for word in rest.split(",") if word.strip()]
        args = [_literal(word) for word, equals, _ in words if not equals]
        kwargs = {word.strip(): _literal(value) for word, equals, value in words if equals}
        try:
            return self.create(name, *args, **kwargs)
        except TypeError as error:
            raise ValueError(f"{error}. Received: {text!r}") from error

    def get(self, identifier, *bases):
        """Returns a member of the family by name, by config, or as it is.

        Args:
            identifier: an object of one of the `bases`, a str that `parse` reads, or a dict made by
                `keras.saving.serialize_keras_object`.
            *bases: classes of the family's members.

        Raises:
            ValueError: if no class has this name, or it does not take the arguments.
            TypeError: if `identifier` is of another type.
        """
        if isinstance(identifier, bases):
            return identifier
        if isinstance(identifier, str):
            return self.parse(identifier)
        if isinstance(identifier, dict):
            return keras.saving.deserialize_keras_object(identifier)
        raise TypeError(
            f"Each {self.family} must be a name, the config of one, or an object of "
            f"{' or '.join(base.__name__ for base in bases)}. Received: {identifier!r}"
        )


def _literal(word):
    """Returns the Python value that a word spells, else the word."""
    try:
        return ast.literal_eval(word.strip())
    except (ValueError, SyntaxError):
        return word.strip()
