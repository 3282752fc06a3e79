"""What a batch must be: images as the generator makes them, labels as both players take them."""

import keras
import numpy as np
from keras import ops

from kgan import backend


def check_images(images, image_shape):
    """Raises ValueError unless images are float and of the shape that the generator makes.

    Args:
        images: tensor.
        image_shape: tuple of int, without the batch; None for a side that is not known.
    """
    dtype = keras.backend.standardize_dtype(images.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            "Images must be floats in [-1, 1]; kgan.data.load gives them, or scale 8-bit "
            f"images with `images / 127.5 - 1`. Received: dtype {dtype}"
        )
    if len(images.shape) != len(image_shape) + 1 or any(
        have is not None and want is not None and have != want
        for have, want in zip(images.shape[1:], image_shape, strict=True)
    ):
        raise ValueError(
            f"The generator makes samples of shape {image_shape}, so the data must have "
            f"shape {('batch', *image_shape)}. Received: {tuple(images.shape)}"
        )


def check_range(images, what):
    """Raises ValueError where images seem to be in [0, 255], or in another range without negatives.

    In a graph, where numbers are not known, nothing is checked.

    Args:
        images: tensor or array.
        what: str, what they are, for the message.
    """
    images = ops.convert_to_tensor(images)
    if not backend.is_eager(images) or not np.prod(images.shape):
        return
    low, high = float(ops.min(images)), float(ops.max(images))
    # A generator without tanh may go beyond [-1, 1], but on both sides of 0.
    if low >= 0 and high > 2:
        raise ValueError(
            "Images lie in [-1, 1]; scale 8-bit images with `images / 127.5 - 1`. "
            f"Received: {what} from {low:g} to {high:g}"
        )


def check_labels(labels, num_classes, condition_dim):
    """Returns the labels of a batch as both players take them.

    Args:
        labels: class numbers `(batch,)` or `(batch, 1)`, or vectors `(batch, condition_dim)`.
        num_classes: int, or None where labels are vectors.
        condition_dim: int, or None where labels are class numbers.

    Returns:
        int32 `(batch,)`, or float32 `(batch, condition_dim)`.

    Raises:
        ValueError: if there are none, or they are of another shape.
        tf.errors.InvalidArgumentError: if a class number is out of range; under JAX ValueError.
    """
    if labels is None:
        raise ValueError(
            "A conditional GAN needs a label for each image: a dataset of (images, labels), "
            "or fit(images, labels). Received: images only"
        )
    labels = ops.convert_to_tensor(labels)
    if condition_dim is not None:
        if len(labels.shape) != 2 or labels.shape[1] not in (None, condition_dim):
            raise ValueError(
                f"Labels must have shape (batch, condition_dim={condition_dim}). "
                f"Received: {tuple(labels.shape)}"
            )
        return ops.cast(labels, "float32")
    if len(labels.shape) == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if len(labels.shape) != 1:
        raise ValueError(
            "Labels must be class numbers of shape (batch,), not one-hot vectors. "
            f"Received: {tuple(labels.shape)}"
        )
    labels = ops.cast(labels, "int32")
    message = f"Labels must lie in [0, num_classes={num_classes})."
    in_range = ops.all((labels >= 0) & (labels < num_classes))
    return backend.assert_in_graph(in_range, message, labels, labels)


def labels_for(n, labels, seed, num_classes, condition_dim):
    """Returns one label for each of `n` samples, as an array, or None without condition.

    Args:
        n: int, how many.
        labels: one class number for all, or an array `(n,)`, or float `(n, condition_dim)`; None
            draws classes uniformly.
        seed: int, of the classes that are drawn.
        num_classes: int or None.
        condition_dim: int or None.

    Raises:
        ValueError: if a label is out of range, has another shape, or there is no condition.
    """
    if num_classes is None and condition_dim is None:
        if labels is not None:
            raise ValueError(
                "This GAN is unconditional (num_classes=None), so generate takes no labels. "
                f"Received: labels={labels!r}"
            )
        return None
    if condition_dim is not None:
        return _vectors_for(n, labels, condition_dim)
    if labels is None:
        labels = keras.random.randint((n,), 0, num_classes, seed=seed)
    labels = ops.convert_to_numpy(labels)
    if labels.shape not in ((), (n,)) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be one class number, or {n} of them. Received: {labels.dtype} "
            f"of shape {labels.shape}"
        )
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise ValueError(
            f"Labels must lie in [0, num_classes={num_classes}). Received: {outside[0]}"
        )
    return np.broadcast_to(labels, (n,)).astype("int32")


def _vectors_for(n, labels, condition_dim):
    if labels is None or np.shape(labels)[-1:] != (condition_dim,):
        raise ValueError(
            f"generate needs labels of shape ({n}, condition_dim={condition_dim}). "
            f"Received: {None if labels is None else np.shape(labels)}"
        )
    return np.broadcast_to(labels, (n, condition_dim)).astype("float32")
