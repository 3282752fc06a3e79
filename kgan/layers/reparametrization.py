"""Layers that compute with a function of their stored kernel, and learn through it."""

import contextlib
import math
import threading

import keras
from keras import ops

# Keras offers no public way to read a variable as it is stored inside a layer that autocasts.
from keras.src.backend import AutocastScope

from kgan.layers.checks import check_positive_int, is_number

TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


# What `shared_weights` has for the calls of this thread: replicas are traced in one each.
_shared = threading.local()


@contextlib.contextmanager
def shared_weights():
    """Within it a layer computes its effective weights once, for all of its calls.

    Those of a round: reals, fakes and penalties meet the same discriminator, so spectral norm takes
    one step of its power iteration. A scope knows what was computed in those around it, and forgets
    its own at its end: whoever calls layers in a branch (`ops.cond`, `ops.switch`) opens one there,
    since a branch's values mean nothing outside of it.
    """
    outside = getattr(_shared, "values", None)
    _shared.values = dict(outside or {})
    try:
        yield
    finally:
        _shared.values = outside


@contextlib.contextmanager
def given_weights(weights, training):
    """Within it layers have these effective weights, and those that are not named compute theirs.

    Args:
        weights: list of `(layer, pairs)`, as `layer.effective_values(training)` returns the pairs.
        training: bool.
    """
    outside = getattr(_shared, "values", None)
    _shared.values = {(id(layer), training): pairs for layer, pairs in weights}
    try:
        yield
    finally:
        _shared.values = outside


class Reparametrization(keras.layers.Wrapper):
    """Base of wrappers that put a differentiable function of a layer's weights in their place.

    `outputs = layer(inputs; f(w))` for the stored weights `w`; gradients reach `w` through `f`,
    which is computed in the precision that `w` is stored in. A subclass writes
    `effective_value`.

    Args:
        layer: `keras.layers.Layer` without layers inside it and with a kernel: a dense layer, a
            convolution, an embedding, or a head of `kgan.layers`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`. A `dtype`
            is also given to the layer, whose own it otherwise is.

    Raises:
        ValueError: if the layer has layers inside it, or no weight of two or more axes.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        if kwargs.get("dtype") is None:
            self.dtype_policy = layer.dtype_policy
        else:
            layer.dtype_policy = self.dtype_policy
        if len(list(layer._flatten_layers())) > 1:
            raise ValueError(
                "`layer` must have no layers inside it: wrap each of those instead. "
                f"Received: layer={layer!r}"
            )

    def build(self, input_shape):
        """Builds the layer, and checks that it has a kernel."""
        super().build(input_shape)
        if not self.kernels:
            raise ValueError(
                f"`layer` must have a weight of two or more axes. Received: layer={self.layer!r}"
            )

    @property
    def kernels(self):
        """The layer's weights of two or more axes, as they are stored."""
        return [v for v in self.layer.weights if len(v.shape) > 1]

    def effective_value(self, weight, training):
        """Returns the tensor that stands for one of the layer's weights in this call."""
        raise NotImplementedError(f"{type(self).__name__} must implement effective_value().")

    def call(self, inputs, training=False):
        """Returns the layer's output with its effective weights."""
        values = self.effective_values(training)
        with keras.StatelessScope(values, collect_losses=True, initialize_variables=False) as scope:
            outputs = self.layer(inputs)
        for loss in scope.losses:
            self.add_loss(loss)
        return outputs

    def effective_values(self, training):
        """Returns the layer's weights, each with what stands for it, as a list of pairs."""
        known = getattr(_shared, "values", None)
        if known is not None and (id(self), training) in known:
            return known[id(self), training]
        with AutocastScope(None):
            values = [(v, self.effective_value(v, training)) for v in self.layer.weights]
        if known is not None:
            known[id(self), training] = values
        return values

    def compute_output_shape(self, input_shape):
        """Returns the layer's."""
        return self.layer.compute_output_shape(input_shape)


def _normalized(vector, epsilon):
    return vector / (ops.norm(vector) + epsilon)


@keras.saving.register_keras_serializable(package="kgan")
class SpectralNormalization(Reparametrization):
    r"""Divides a layer's kernel by its largest singular value, estimated by power iteration.

    `W_SN = W / sigma(W)`, `sigma = u^T W v`, with `v = normalize(W^T u)` and `u = normalize(W v)`
    once a call. Gradients go through `sigma` with `u` and `v` constant:
    `keras.layers.SpectralNormalization` overwrites the kernel with `W_SN` instead, so that its
    gradient lacks the term of `sigma` and its kernel forgets its scale.

    `W` has one row for each output channel of the layer (or unit, or dimension of an embedding)
    and one column for each place and input that it is summed over. Only calls
    with `training=True` store `u`; others start from it and are accurate to one more iteration,
    also where `u` is an average over steps. A kernel of zeros stays as it is.

    Args:
        layer: `keras.layers.Layer`. What to normalise: every weight of two or more axes.
        power_iterations: int, at least 1. Iterations a call. Defaults to `1`.
        epsilon: float above 0. Added to norms, and the largest singular value of a kernel that
            counts as zero. Defaults to `1e-12`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`. A `dtype`
            is also given to the layer, whose own it otherwise is.

    Raises:
        ValueError: if the layer has layers inside it or no kernel, `power_iterations` is not a
            positive integer, or `epsilon` is not above 0.

    Example:
    >>> layer = kgan.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=50)
    >>> _ = layer.build((None, 5))
    >>> kernel = layer.effective_value(layer.layer.kernel, training=False)
    >>> float(np.linalg.norm(kernel, ord=2).round(3))
    1.0

    Reference:
        [Miyato et al., 2018, Spectral Normalization for Generative Adversarial
        Networks](https://arxiv.org/abs/1802.05957)
    """

    def __init__(self, layer, power_iterations=1, epsilon=1e-12, **kwargs):
        check_positive_int("power_iterations", power_iterations)
        if not (is_number(epsilon) and epsilon > 0):
            raise ValueError(f"`epsilon` must be above 0. Received: epsilon={epsilon!r}")
        super().__init__(layer, **kwargs)

        # === Config ===
        self.power_iterations = power_iterations
        self.epsilon = epsilon

    def build(self, input_shape):
        """Creates one `u` for each kernel, in float32."""
        super().build(input_shape)
        self.vectors = {
            kernel.path: self.add_weight(
                name=f"{kernel.name}_u",
                shape=(self._num_outputs(kernel.shape),),
                initializer=keras.initializers.RandomNormal(mean=0.0, stddev=1.0),
                dtype="float32",
                trainable=False,
            )
            for kernel in self.kernels
        }

    def _num_outputs(self, shape):
        if isinstance(self.layer, DEPTHWISE):
            return shape[-2] * shape[-1]
        return shape[-2] if isinstance(self.layer, TRANSPOSED) else shape[-1]

    def effective_value(self, weight, training):
        """Returns a kernel over its largest singular value, and other weights as they are."""
        if len(weight.shape) < 2:
            return weight.value
        kernel = ops.cast(weight.value, "float32")
        matrix = self._matrix(kernel)
        stored = self.vectors[weight.path]
        u, v = self._singular_vectors(ops.stop_gradient(matrix), stored.value)
        sigma = ops.dot(v, ops.matmul(matrix, u))
        is_zero = sigma <= self.epsilon
        if training:
            # A zero would remain zero when the kernel no longer is.
            stored.assign(ops.where(is_zero, stored.value, u))
        return ops.cast(kernel / ops.where(is_zero, 1.0, sigma), weight.dtype)

    def _matrix(self, kernel):
        """The paper's W^T: one column for each output."""
        outputs = self._num_outputs(kernel.shape)
        if isinstance(self.layer, TRANSPOSED):
            places = ops.reshape(kernel, (-1, *kernel.shape[-2:]))
            kernel = ops.transpose(places, (0, 2, 1))
        return ops.reshape(kernel, (-1, outputs))

    def _singular_vectors(self, matrix, u):
        for _ in range(self.power_iterations):
            v = _normalized(ops.matmul(matrix, u), self.epsilon)
            u = _normalized(ops.matmul(v, matrix), self.epsilon)
        return u, v

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "power_iterations": self.power_iterations,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="kgan")
class EqualizedLearningRate(Reparametrization):
    r"""Scales a layer's kernel by its fan-in in each call, rather than once when it is drawn.

    `kernel_used = kernel * learning_rate_multiplier * gain / sqrt(fan_in)`, with a stored kernel
    from `N(0, 1 / learning_rate_multiplier^2)`; `bias_used = bias * learning_rate_multiplier`.
    Optimizers such as Adam step by the same amount whatever the scale of a weight, so all layers
    then learn at the same relative speed. It is `c` of section 4.1 of the paper; the multiplier
    is that of StyleGAN's mapping network (0.01).

    Args:
        layer: `keras.layers.Layer`, not yet built. A dense layer, a convolution (transposed or
            depthwise as well) or an embedding, whose fan-in is 1. Its own initializer of the
            kernel is replaced.
        gain: float above 0. `sqrt(2)` (He et al. 2015) before a rectifier, 1 where none follows.
            Defaults to `sqrt(2)`.
        learning_rate_multiplier: float above 0. How much faster than others the layer learns.
            Defaults to `1.0`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`. A `dtype`
            is also given to the layer, whose own it otherwise is.

    Raises:
        ValueError: if the layer is built, has layers inside it, or has not exactly one kernel; or
            if `gain` or `learning_rate_multiplier` is not above 0.

    Example:
    >>> layer = kgan.layers.EqualizedLearningRate(keras.layers.Dense(1000), gain=1.0)
    >>> float(np.std(layer(np.ones((1, 400), "float32"))).round())
    1.0

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196)
    """

    INITIALIZERS = ("kernel_initializer", "depthwise_initializer", "embeddings_initializer")

    def __init__(self, layer, gain=2**0.5, learning_rate_multiplier=1.0, **kwargs):
        for name, value in (("gain", gain), ("learning_rate_multiplier", learning_rate_multiplier)):
            if not (is_number(value) and value > 0):
                raise ValueError(f"`{name}` must be above 0. Received: {name}={value!r}")
        super().__init__(layer, **kwargs)
        self._set_initializer(layer, 1 / learning_rate_multiplier)

        # === Config ===
        self.gain = gain
        self.learning_rate_multiplier = learning_rate_multiplier

    def _set_initializer(self, layer, stddev):
        names = [name for name in self.INITIALIZERS if hasattr(layer, name)]
        present = getattr(layer, names[0]) if len(names) == 1 else None
        # A layer from a file is built by now, with the initializer that it was given before.
        if isinstance(present, keras.initializers.RandomNormal) and present.stddev == stddev:
            return
        if layer.built or len(names) != 1:
            raise ValueError(
                "`layer` must be a dense layer, a convolution or an embedding that is not built "
                f"yet. Received: layer={layer!r}, built={layer.built}"
            )
        setattr(layer, names[0], keras.initializers.RandomNormal(0.0, stddev))

    def build(self, input_shape):
        """Builds the layer, and checks that there is one kernel to scale."""
        super().build(input_shape)
        if len(self.kernels) != 1:
            raise ValueError(
                f"`layer` must have one kernel. Received: {[v.path for v in self.kernels]}"
            )

    def effective_value(self, weight, training):
        """Returns the scaled kernel or bias."""
        scale = self.learning_rate_multiplier
        if len(weight.shape) > 1:
            scale *= self.gain / math.sqrt(self._fan_in(weight.shape))
        return weight.value * scale

    def _fan_in(self, shape):
        """How many products each output is a sum of."""
        if isinstance(self.layer, keras.layers.Embedding):
            return 1
        if isinstance(self.layer, TRANSPOSED):
            return math.prod(shape) // shape[-2]
        if isinstance(self.layer, DEPTHWISE):
            return math.prod(shape[:-2])
        return math.prod(shape[:-1])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "gain": self.gain,
            "learning_rate_multiplier": self.learning_rate_multiplier,
        }
