"""The architecture of the Inception graph of 2015-12-05."""

import keras

IMAGE_SIZE = 299
FEATURE_DIM = 2048
NUM_LOGITS = 1008


def build_inception():
    """Returns the network that published FIDs and Inception Scores are computed with.

    It is Inception v3 (Szegedy et al. 2015, arXiv 1512.00567) as the graph of 2015-12-05 has it:
    average pooling counts no padding, the pool of the last block takes the maximum, and there are
    1,008 logits, of which 1,000 are used. They are without bias, since the published Inception
    Scores are (Salimans et al. 2016, arXiv 1606.03498, in their program). It is for inference:
    batch normalisation is part of the convolutions (see `load_weights`). Layers have the names
    that PyTorch's port of the graph gives them.

    Returns:
        `keras.Model` from `(batch, 299, 299, 3)` in [-1, 1] to features `(batch, 2048)` and
        logits `(batch, 1008)`, with random weights, in float32 whatever the policy.

    Example:
    >>> [tuple(output.shape) for output in build_inception().outputs]
    [(None, 2048), (None, 1008)]
    """
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image", dtype="float32")
    x = _conv(image, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = _conv(x, "Conv2d_2a_3x3", 32, 3, padding="valid")
    x = _conv(x, "Conv2d_2b_3x3", 64, 3)
    x = _conv(_halve(x), "Conv2d_3b_1x1", 80)
    x = _halve(_conv(x, "Conv2d_4a_3x3", 192, 3, padding="valid"))
    for name, pool_filters in (("5b", 32), ("5c", 64), ("5d", 64)):
        x = _mixed_35(x, f"Mixed_{name}", pool_filters)
    x = _mixed_35_to_17(x, "Mixed_6a")
    for name, filters in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        x = _mixed_17(x, f"Mixed_{name}", filters)
    x = _mixed_17_to_8(x, "Mixed_7a")
    x = _mixed_8(x, "Mixed_7b", _average)
    x = _mixed_8(x, "Mixed_7c", _maximum)
    pool = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype="float32", name="pool"
    )
    features = pool(x)
    logits = keras.layers.Dense(NUM_LOGITS, use_bias=False, dtype="float32", name="fc")(features)
    model = keras.Model(image, [features, logits], name="inception_2015")
    model.trainable = False
    return model


# --- Blocks, by the side of their maps ----------------------------------------------------------


def _mixed_35(x, name, pool_filters):
    return _join(
        name,
        _conv(x, f"{name}.branch1x1", 64),
        _convs(x, f"{name}.branch5x5", (48, 1), (64, 5)),
        _convs(x, f"{name}.branch3x3dbl", (64, 1), (96, 3), (96, 3)),
        _conv(_average(x), f"{name}.branch_pool", pool_filters),
    )


def _mixed_35_to_17(x, name):
    return _join(
        name,
        _conv(x, f"{name}.branch3x3", 384, 3, stride=2),
        _convs(x, f"{name}.branch3x3dbl", (64, 1), (96, 3), (96, 3, 2)),
        _halve(x),
    )


def _mixed_17(x, name, n):
    row, column = (1, 7), (7, 1)
    dbl = (n, 1), (n, column), (n, row), (n, column), (192, row)
    return _join(
        name,
        _conv(x, f"{name}.branch1x1", 192),
        _convs(x, f"{name}.branch7x7", (n, 1), (n, row), (192, column)),
        _convs(x, f"{name}.branch7x7dbl", *dbl),
        _conv(_average(x), f"{name}.branch_pool", 192),
    )


def _mixed_17_to_8(x, name):
    return _join(
        name,
        _convs(x, f"{name}.branch3x3", (192, 1), (320, 3, 2)),
        _convs(x, f"{name}.branch7x7x3", (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
        _halve(x),
    )


def _mixed_8(x, name, pool):
    single = _conv(x, f"{name}.branch3x3_1", 384)
    double = _convs(x, f"{name}.branch3x3dbl", (448, 1), (384, 3))
    return _join(
        name,
        _conv(x, f"{name}.branch1x1", 320),
        _conv(single, f"{name}.branch3x3_2a", 384, (1, 3)),
        _conv(single, f"{name}.branch3x3_2b", 384, (3, 1)),
        _conv(double, f"{name}.branch3x3dbl_3a", 384, (1, 3)),
        _conv(double, f"{name}.branch3x3dbl_3b", 384, (3, 1)),
        _conv(pool(x), f"{name}.branch_pool", 192),
    )


# --- Layers -------------------------------------------------------------------------------------


def _conv(x, name, filters, kernel_size=1, stride=1, padding="same"):
    """Returns max(0, convolution); one that halves its map has no padding."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding if stride == 1 else "valid",
        activation="relu",
        kernel_initializer="he_normal",
        data_format="channels_last",
        dtype="float32",
        name=name,
    )(x)


def _convs(x, name, *arguments):
    for i, (filters, kernel_size, *stride) in enumerate(arguments, start=1):
        x = _conv(x, f"{name}_{i}", filters, kernel_size, *stride)
    return x


def _average(x):
    # Padding "same" of Keras is not counted, as in TensorFlow 1.
    return keras.layers.AveragePooling2D(
        3, 1, "same", data_format="channels_last", dtype="float32"
    )(x)


def _maximum(x):
    return keras.layers.MaxPooling2D(3, 1, "same", data_format="channels_last", dtype="float32")(x)


def _halve(x):
    return keras.layers.MaxPooling2D(3, 2, data_format="channels_last", dtype="float32")(x)


def _join(name, *branches):
    return keras.layers.Concatenate(axis=-1, dtype="float32", name=name)(list(branches))
