"""What chance decides for each example."""

from keras import ops

from kgan import replicas


class Chance:
    """Draws of one pass over a batch, a number for each example each time it is asked.

    All are drawn at once: two calls of the random generator, however many decisions follow.

    Args:
        n: int or scalar tensor, the examples.
        seed: `keras.random.SeedGenerator`, what it draws from.
        uniforms: int, how many uniform draws an example needs.
        normals: int, how many normal draws an example needs. Defaults to 0.
    """

    def __init__(self, n, seed, uniforms, normals=0):
        self._uniforms = iter(ops.unstack(replicas.uniform((n, uniforms), seed), uniforms, axis=1))
        self._normals = iter(())
        if normals:
            draws = replicas.normal((n, normals), seed)
            self._normals = iter(ops.unstack(draws, normals, axis=1))

    def uniform(self, minval, maxval):
        """Returns draws from [minval, maxval), of shape `(batch,)`."""
        return minval + (maxval - minval) * next(self._uniforms)

    def normal(self, stddev):
        """Returns draws from N(0, stddev²), of shape `(batch,)`."""
        return stddev * next(self._normals)

    def integer(self, count):
        """Returns draws from 0, …, count - 1, as floats of shape `(batch,)`."""
        return ops.floor(count * next(self._uniforms))

    def sometimes(self, probability, *values, otherwise):
        """Returns the values where chance takes them together, and `otherwise` elsewhere."""
        taken = next(self._uniforms) < probability
        chosen = [ops.where(taken, value, otherwise) for value in values]
        return chosen if len(chosen) > 1 else chosen[0]
