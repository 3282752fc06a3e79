"""What a discriminator says besides its score: layers that end it and return a dict."""

import keras
from keras import ops

from kgan.layers.checks import check_positive_int, check_sizes


def _is_list_of_shapes(shape):
    return isinstance(shape[0], (list, tuple))


class LinearHead(keras.layers.Layer):
    """Base of the heads: linear maps of the same features, each under a key of its own.

    `outputs[key] = features @ kernel[key] + bias[key]`. A subclass lists the maps in `widths`.

    Args:
        kernel_initializer: Keras initializer or its name. Initial linear maps. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        raise NotImplementedError(f"{type(self).__name__} must implement widths.")

    def build(self, input_shape):
        """Creates the linear maps."""
        features = input_shape[0] if _is_list_of_shapes(input_shape) else input_shape
        self.maps = {key: self._linear(key, features[-1]) for key in self.widths}

    def _linear(self, key, num_features):
        kernel = self.add_weight(
            name=f"{key}_kernel",
            shape=(num_features, self.widths[key]),
            # A clone, since an initializer that is used twice may give the same numbers twice.
            initializer=self.kernel_initializer.clone(),
        )
        bias = self.add_weight(name=f"{key}_bias", shape=(self.widths[key],), initializer="zeros")
        return kernel, bias

    def call(self, inputs):
        """Returns a dict of what each map says."""
        features = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        return {
            key: ops.matmul(features, kernel) + bias for key, (kernel, bias) in self.maps.items()
        }

    def compute_output_shape(self, input_shape):
        """Returns a dict of `(batch, width)`."""
        features = input_shape[0] if _is_list_of_shapes(input_shape) else input_shape
        return {key: (features[0], width) for key, width in self.widths.items()}

    def get_config(self):
        """Returns the constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "kernel_initializer": initializer}


@keras.saving.register_keras_serializable(package="kgan")
class ClassifierHead(LinearHead):
    """Scores features, and says which class they show: the discriminator of AC-GAN.

    `score = psi(features)` and `class_logits = C features`, both linear. ADC-GAN tells the
    classes of reals from those of fakes, with twice as many logits.

    Args:
        num_classes: int, at least 1. Number of classes.
        num_logits: int, at least 1, or `None`. Width of the class logits; `2 * num_classes` for
            ADC-GAN. Defaults to `None`: `num_classes`.
        kernel_initializer: Keras initializer or its name. Initial linear maps. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, or a list `[features, labels]` whose labels are ignored.

    Output:
        Dict of `"score"`, `(batch, 1)`, and `"class_logits"`, `(batch, num_logits)`.

    Raises:
        ValueError: if `num_classes` or `num_logits` is not a positive integer.

    Example:
    >>> head = kgan.layers.ClassifierHead(num_classes=10)
    >>> outputs = head([np.ones((3, 128), "float32"), np.array([3, 1, 4])])
    >>> {key: tuple(x.shape) for key, x in outputs.items()}
    {'score': (3, 1), 'class_logits': (3, 10)}

    Reference:
        [Odena et al., 2017, Conditional Image Synthesis With Auxiliary Classifier
        GANs](https://arxiv.org/abs/1610.09585), [Hou et al., 2022, Conditional GANs with Auxiliary
        Discriminative Classifier](https://arxiv.org/abs/2107.10060)
    """

    def __init__(self, num_classes, num_logits=None, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("num_classes", num_classes)
        if num_logits is not None:
            check_positive_int("num_logits", num_logits)
        super().__init__(kernel_initializer, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.num_logits = num_logits

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        return {"score": 1, "class_logits": self.num_logits or self.num_classes}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_logits": self.num_logits,
        }


@keras.saving.register_keras_serializable(package="kgan")
class TwinClassifierHead(LinearHead):
    """Scores features, and classifies them twice: the discriminator of TAC-GAN.

    `score`, `class_logits` and `twin_logits` are linear in the features. One classifier learns
    from reals, its twin from fakes alone, and the generator plays against the twin, which undoes
    AC-GAN's preference for images that are easy to classify.

    Args:
        num_classes: int, at least 1. Number of classes.
        kernel_initializer: Keras initializer or its name. Initial linear maps. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, or a list `[features, labels]` whose labels are ignored.

    Output:
        Dict of `"score"`, `(batch, 1)`, `"class_logits"` and `"twin_logits"`, both
        `(batch, num_classes)`.

    Raises:
        ValueError: if `num_classes` is not a positive integer.

    Example:
    >>> head = kgan.layers.TwinClassifierHead(num_classes=10)
    >>> sorted(head(np.ones((3, 128), "float32")))
    ['class_logits', 'score', 'twin_logits']

    Reference:
        [Gong et al., 2019, Twin Auxiliary Classifiers GAN](https://arxiv.org/abs/1907.02690)
    """

    def __init__(self, num_classes, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("num_classes", num_classes)
        super().__init__(kernel_initializer, **kwargs)

        # === Config ===
        self.num_classes = num_classes

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        return {"score": 1, "class_logits": self.num_classes, "twin_logits": self.num_classes}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="kgan")
class MultiHingeHead(LinearHead):
    """Classifies features into the classes of reals and one class of fakes.

    `class_logits = C features` has K + 1 entries, fakes last, and
    `score = max_{k <= K} class_logits_k - class_logits_{K+1}`: how far the likeliest class of
    reals is above that of fakes. The multi-hinge loss of a fake, `max(0, 1 - class_logits_{K+1} +
    max_{k <= K} class_logits_k)`, is then the hinge loss `max(0, 1 + score)`.

    Args:
        num_classes: int, at least 1. Number K of classes of reals.
        kernel_initializer: Keras initializer or its name. Initial linear map. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, or a list `[features, labels]` whose labels are ignored.

    Output:
        Dict of `"score"`, `(batch, 1)`, and `"class_logits"`, `(batch, num_classes + 1)`.

    Raises:
        ValueError: if `num_classes` is not a positive integer.

    Example:
    >>> head = kgan.layers.MultiHingeHead(num_classes=10)
    >>> outputs = head(np.ones((3, 128), "float32"))
    >>> {key: tuple(x.shape) for key, x in outputs.items()}
    {'score': (3, 1), 'class_logits': (3, 11)}

    Reference:
        [Kavalerov et al., 2019, cGANs with Multi-Hinge Loss](https://arxiv.org/abs/1912.04216v1),
        version 1
    """

    def __init__(self, num_classes, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("num_classes", num_classes)
        super().__init__(kernel_initializer, **kwargs)

        # === Config ===
        self.num_classes = num_classes

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        return {"class_logits": self.num_classes + 1}

    def call(self, inputs):
        """Returns the logits, and the margin between reals and fakes."""
        logits = super().call(inputs)["class_logits"]
        real = ops.max(logits[:, :-1], axis=-1, keepdims=True)
        return {"score": real - logits[:, -1:], "class_logits": logits}

    def compute_output_shape(self, input_shape):
        """Returns a dict of `(batch, width)`."""
        shapes = super().compute_output_shape(input_shape)
        return {"score": (shapes["class_logits"][0], 1), **shapes}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


def _unit(vectors):
    """Vectors of norm 1, computed where squares of half-precision numbers fit."""
    full = ops.cast(vectors, "float32")
    squares = ops.sum(full**2, axis=-1, keepdims=True)
    return ops.cast(full * ops.rsqrt(ops.maximum(squares, 1e-12)), vectors.dtype)


@keras.saving.register_keras_serializable(package="kgan")
class ContrastiveHead(LinearHead):
    """Scores features, and embeds them beside a proxy of their class, both on the unit sphere.

    `score = psi(features)` and `embedding = l(features) / |l(features)|` with linear `psi` and
    `l`, and `proxy = e(label) / |e(label)|` with a table `e`. The labels touch the proxy only; the
    score is not a projection. The losses 2C of ContraGAN and D2D-CE of ReACGAN compare embeddings
    with each other and with proxies.

    Args:
        num_classes: int, at least 1. Number of classes.
        embedding_dim: int, at least 1. Width of embeddings and proxies; the authors' code,
            PyTorch-StudioGAN, has 512 for CIFAR-10.
        kernel_initializer: Keras initializer or its name. Initial linear maps and table. Defaults
            to `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        A list `[features, labels]`: `(batch, features)`, and `(batch,)`, integers in
        `[0, num_classes)`.

    Output:
        Dict of `"score"`, `(batch, 1)`, `"embedding"` and `"proxy"`, both
        `(batch, embedding_dim)`.

    Raises:
        ValueError: if `num_classes` or `embedding_dim` is not a positive integer, or the input is
            not a list `[features, labels]`.

    Example:
    >>> head = kgan.layers.ContrastiveHead(num_classes=10, embedding_dim=512)
    >>> outputs = head([np.ones((3, 128), "float32"), np.array([3, 1, 4])])
    >>> np.linalg.norm(outputs["proxy"], axis=-1).round(3).tolist()
    [1.0, 1.0, 1.0]

    Reference:
        [Kang & Park, 2020, ContraGAN](https://arxiv.org/abs/2006.12681), [Kang et al., 2021,
        Rebooting ACGAN](https://arxiv.org/abs/2111.01118)
    """

    def __init__(self, num_classes, embedding_dim, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("num_classes", num_classes)
        check_positive_int("embedding_dim", embedding_dim)
        super().__init__(kernel_initializer, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.embedding_dim = embedding_dim

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        return {"score": 1, "embedding": self.embedding_dim}

    def build(self, input_shape):
        """Creates the linear maps and the table of proxies."""
        if not _is_list_of_shapes(input_shape):
            raise ValueError(
                "The input must be a list [features, labels]. Received: one tensor of shape "
                f"{input_shape}"
            )
        super().build(input_shape)
        self.proxies = self.add_weight(
            name="proxies",
            shape=(self.num_classes, self.embedding_dim),
            initializer=self.kernel_initializer.clone(),
        )

    def call(self, inputs):
        """Returns the scores, and each example's embedding and proxy."""
        outputs = super().call(inputs)
        proxies = ops.take(self.proxies, ops.cast(inputs[1], "int32"), axis=0)
        return {**outputs, "embedding": _unit(outputs["embedding"]), "proxy": _unit(proxies)}

    def compute_output_shape(self, input_shape):
        """Returns a dict of `(batch, width)`."""
        shapes = super().compute_output_shape(input_shape)
        return {**shapes, "proxy": shapes["embedding"]}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class CodeHead(LinearHead):
    """Scores features, and guesses the code that the generator was given: InfoGAN's `Q`.

    `score`, `categorical_logits` and `continuous_mean` are linear in the features. `Q(c | x)` is
    a softmax for each categorical code and a normal distribution of variance 1 around the mean for
    each continuous one.

    Args:
        categorical: tuple of int, at least 1 each. Number of values of each categorical code.
            Defaults to `(10,)`, the paper's for MNIST; `()` is none.
        continuous: int, at least 0. Number of continuous codes. Defaults to `2`, the paper's.
        kernel_initializer: Keras initializer or its name. Initial linear maps. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, or a list `[features, labels]` whose labels are ignored.

    Output:
        Dict of `"score"`, `(batch, 1)`; `"categorical_logits"`, `(batch, sum(categorical))`, one
        code's after the other's, if there are any; and `"continuous_mean"`,
        `(batch, continuous)`, if there are any.

    Raises:
        ValueError: if `categorical` is not a tuple of positive integers or `continuous` is not an
            integer of at least 0, or there is no code at all.

    Example:
    >>> head = kgan.layers.CodeHead(categorical=(10, 3), continuous=2)
    >>> outputs = head(np.ones((4, 128), "float32"))
    >>> {key: tuple(x.shape) for key, x in outputs.items()}
    {'score': (4, 1), 'categorical_logits': (4, 13), 'continuous_mean': (4, 2)}

    Reference:
        [Chen et al., 2016, InfoGAN: Interpretable Representation Learning by Information
        Maximizing Generative Adversarial Nets](https://arxiv.org/abs/1606.03657)
    """

    def __init__(
        self,
        categorical=(10,),
        continuous=2,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        if categorical not in ((), []):
            categorical = check_sizes("categorical", categorical)
        if continuous != 0:
            check_positive_int("continuous", continuous)
        if not categorical and not continuous:
            raise ValueError(
                "Give `categorical` or `continuous` codes. "
                f"Received: categorical={categorical!r}, continuous={continuous!r}"
            )
        super().__init__(kernel_initializer, **kwargs)

        # === Config ===
        self.categorical = tuple(categorical)
        self.continuous = continuous

    @property
    def widths(self):
        """Dict of str to int. The width of each linear map."""
        widths = {
            "score": 1,
            "categorical_logits": sum(self.categorical),
            "continuous_mean": self.continuous,
        }
        return {key: width for key, width in widths.items() if width}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "categorical": self.categorical,
            "continuous": self.continuous,
        }
