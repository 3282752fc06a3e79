"""Objects found by name: one registry for each family (losses, penalties, …)."""

import ast
import difflib
import inspect
import re

import keras


def snake_case(name):
    """Returns the field's file and flag spelling of a class name.

    Args:
        name: str, a class name such as `"NonSaturating"`.

    Example:
    >>> snake_case("NonSaturating"), snake_case("R1"), snake_case("Inception2015")
    ('non_saturating', 'r1', 'inception_2015')
    """
    # A year is a word.
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d{4})", "_", name).lower()


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
    return f"{_near(name, known)}Known: {', '.join(map(repr, known))}."


def _near(name, known):
    """Returns the question whether one of the names that are spelled alike was meant, or ""."""
    near = difflib.get_close_matches(str(name), known, n=3)
    return f"Did you mean {' or '.join(map(repr, near))}? " if near else ""


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
            name: str, a registered name, with or without its underscores, or a class's `alias`.
            *args: passed to the class.
            **kwargs: passed to the class.

        Raises:
            ValueError: if no class has this name.
        """
        return self._find(name)(*args, **kwargs)

    def _find(self, name):
        spellings = {known.replace("_", ""): cls for known, cls in self._classes.items()}
        aliases = {alias: cls for cls in self._classes.values() if (alias := _alias(cls))}
        spellings |= aliases
        cls = spellings.get(name.strip().lower().replace("_", ""))
        if cls is None:
            known = [*self._classes, *aliases]
            raise ValueError(f"Unknown {self.family}. {suggest(name, known)} Received: {name!r}")
        return cls

    def parse(self, text):
        """Returns the member that a flag's value describes.

        Args:
            text: str, a name, and after a colon its arguments: `"hinge"`, `"r1:10"`,
                `"r1:10,every=16"`, `"mutual_information:categorical=(3,4),continuous=2"`.

        Raises:
            ValueError: if no class has this name, or it does not take these arguments.
        """
        name, _, rest = text.partition(":")
        cls = self._find(name)
        words = [word.partition("=") for word in _split(rest) if word.strip()]
        args = [_literal(word) for word, equals, _ in words if not equals]
        kwargs = {word.strip(): _literal(value) for word, equals, value in words if equals}
        _check_arguments(cls, args, kwargs, text)
        return cls(*args, **kwargs)

    def get(self, identifier, *bases):
        """Returns a member of the family by name, by config, or as it is.

        Args:
            identifier: an object of one of the `bases`, a str that `parse` reads, or a dict made by
                `keras.saving.serialize_keras_object`.
            *bases: classes of the family's members.

        Raises:
            ValueError: if no class has this name, or it does not take the arguments.
            TypeError: if `identifier` is of another type, or the config of another family's member.
        """
        member = identifier
        if isinstance(identifier, str):
            member = self.parse(identifier)
        elif isinstance(identifier, dict):
            member = keras.saving.deserialize_keras_object(identifier)
        if not isinstance(member, bases):
            raise TypeError(
                f"Each {self.family} must be a name, the config of one, or an object of "
                f"{' or '.join(base.__name__ for base in bases)}. Received: {identifier!r}"
            )
        return member


def _check_arguments(cls, args, kwargs, text):
    """Raises a `ValueError` that lists what the class takes, unless it takes these arguments."""
    signature = inspect.signature(cls)
    unknown = [name for name in kwargs if name not in signature.parameters]
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        takes = ", ".join(map(str, signature.parameters.values())) or "no arguments"
        hint = "".join(_near(name, signature.parameters) for name in unknown)
        raise ValueError(
            f"{cls.__name__} takes {takes}: {error}. {hint}Received: {text!r}"
        ) from None


def _alias(cls):
    """Returns the short name that a class has beside its registered one, or None."""
    return getattr(cls, "alias", None)


def _split(text):
    """Returns the words between the commas that stand outside of brackets."""
    words, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            words.append("")
        else:
            words[-1] += letter
    return words


def _literal(word):
    """Returns the Python value that a word spells, else the word."""
    word = word.strip()
    # They are no literals, but a number's check has more to say about them than about a str.
    if word.lstrip("+-").lower() in ("nan", "inf"):
        return float(word)
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, TypeError):
        return word
