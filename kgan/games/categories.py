"""Categories, drawn from latents."""

from keras import ops


def one_hot_of_largest(numbers):
    """Returns which column is largest, one-hot: of independent draws each is equally often.

    Args:
        numbers: float `(batch, categories)`, independent draws of one continuous distribution.
    """
    largest = ops.argmax(numbers, axis=-1)
    return ops.one_hot(largest, numbers.shape[-1], dtype=numbers.dtype)
