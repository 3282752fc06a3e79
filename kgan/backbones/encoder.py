"""Networks that read codes, or judge them."""

import keras

from kgan.backbones.backbone import Backbone, label_input
from kgan.layers.checks import check_positive_int, check_sizes

LEAK = 0.2


@keras.saving.register_keras_serializable(package="kgan")
class MLPEncoder(Backbone):
    """Dense layers with LeakyReLU, then a linear code: an encoder, or a judge of codes.

    A vector beside the image, such as its code, is concatenated to it: with `code_dim=1` this is a
    discriminator of pairs. Donahue et al. 2016 (arXiv 1605.09782, appendix C.1) have two hidden
    layers of 1024 units, with batch norm on the second; the slope of LeakyReLU is 0.2.

    Args:
        image_shape: tuple of int, of any rank. Shape of what is read, `(features,)` for vectors.
            Defaults to `(28, 28, 1)`.
        code_dim: int, at least 1. Width of the code. Defaults to `50`.
        units: tuple of int. Widths of the hidden layers. Defaults to `(1024, 1024)`.
        batch_norm: bool. Whether hidden layers after the first have batch norm. Penalties on each
            image's gradient need `False`. Defaults to `True`.
        condition_dim: int or `None`. Width of a vector `(batch, condition_dim)` beside the image.
            Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the code is
            float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Samples of shape `(batch, *image_shape)`, or a list `[image, vector]`.

    Output:
        Codes of shape `(batch, code_dim)`, float32, unbounded.

    Raises:
        ValueError: if a size is not a positive integer.

    Example:
    >>> encoder = kgan.backbones.MLPEncoder((28, 28, 1), code_dim=8, units=(64, 64))
    >>> tuple(encoder(np.zeros((2, 28, 28, 1), "float32")).shape)
    (2, 8)

    Reference:
        [Donahue et al., 2016, Adversarial Feature Learning](https://arxiv.org/abs/1605.09782)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        code_dim=50,
        units=(1024, 1024),
        batch_norm=True,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        check_positive_int("code_dim", code_dim)
        units = check_sizes("units", units)
        if condition_dim is not None:
            check_positive_int("condition_dim", condition_dim)

        # === Layers ===
        # Batch norm shifts what precedes it, so that only the others need a bias.
        norms = [
            keras.layers.BatchNormalization(momentum=0.9, dtype=dtype, name=f"norm_{i}")
            if batch_norm and i > 0
            else None
            for i in range(len(units))
        ]
        hidden = [
            keras.layers.Dense(
                width,
                use_bias=norm is None,
                kernel_initializer="he_normal",
                dtype=dtype,
                name=f"dense_{i}",
            )
            for i, (width, norm) in enumerate(zip(units, norms, strict=True))
        ]

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        beside = label_input(None, condition_dim)
        x = keras.layers.Flatten(dtype=dtype, name="flatten")(image)
        if beside is not None:
            x = keras.layers.Concatenate(dtype=dtype, name="condition")([x, beside])
        for i, (dense, norm) in enumerate(zip(hidden, norms, strict=True)):
            x = dense(x)
            x = x if norm is None else norm(x)
            x = keras.layers.LeakyReLU(LEAK, dtype=dtype, name=f"leaky_relu_{i}")(x)
        super().__init__(
            inputs=image if beside is None else [image, beside],
            outputs=keras.layers.Dense(code_dim, dtype="float32", name="code")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.code_dim = code_dim
        self.units = units
        self.batch_norm = batch_norm
        self.condition_dim = condition_dim

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "code_dim": self.code_dim,
            "units": self.units,
            "batch_norm": self.batch_norm,
            "condition_dim": self.condition_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class CodeDiscriminator(Backbone):
    """A judge of codes, with a network for the style and, if there are clusters, one for them.

    Makhzani et al. 2015 (arXiv 1511.05644, section 6) have two adversaries where a code ends with a
    cluster: each holds its part of the code to that part of the prior.

    Args:
        style_dim: int, at least 1. Width of the style, with which a code begins. Defaults to `8`.
        clusters: int, at least 0. How many columns follow it, which are judged by themselves.
            Defaults to `0`.
        units: tuple of int. Widths of the hidden layers of each network. Defaults to
            `(1000, 1000)`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; scores are float32
            under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Codes of shape `(batch, style_dim + clusters)`.

    Output:
        Scores of shape `(batch, 1)`; with clusters `(batch, 2)`, that of the style first.

    Raises:
        ValueError: if a size is not a positive integer.

    Example:
    >>> judge = kgan.backbones.CodeDiscriminator(style_dim=4, clusters=3, units=(8,))
    >>> tuple(judge(np.zeros((2, 7), "float32")).shape)
    (2, 2)

    Reference:
        [Makhzani et al., 2015, Adversarial Autoencoders](https://arxiv.org/abs/1511.05644)
    """

    def __init__(self, style_dim=8, clusters=0, units=(1000, 1000), dtype=None, **kwargs):
        check_positive_int("style_dim", style_dim)
        if clusters != 0:
            check_positive_int("clusters", clusters)

        # === Layers ===
        sizes = {"style": style_dim, "clusters": clusters}
        judges = {
            name: MLPEncoder((size,), 1, units, batch_norm=False, dtype=dtype, name=name)
            for name, size in sizes.items()
            if size
        }

        # === Functional Model ===
        code = keras.Input((style_dim + clusters,), name="image")  # as of all discriminators
        parts = {"style": code[:, :style_dim], "clusters": code[:, style_dim:]}
        scores = [judge(parts[name]) for name, judge in judges.items()]
        join = keras.layers.Concatenate(dtype="float32", name="scores")
        super().__init__(inputs=code, outputs=join(scores), dtype=dtype, **kwargs)

        # === Config ===
        self.style_dim = style_dim
        self.clusters = clusters
        self.units = judges["style"].units

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "style_dim": self.style_dim,
            "clusters": self.clusters,
            "units": self.units,
        }
