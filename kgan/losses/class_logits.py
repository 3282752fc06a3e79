"""How losses look at a discriminator's class logits."""

from keras import ops


def check_class_logits(loss, gan, num_logits):
    """Raises ValueError unless a game has class labels, and this many logits to tell them apart.

    Args:
        loss: the loss that asks, for the error.
        gan: `kgan.GAN`.
        num_logits: function of the number of classes to that of logits.
    """
    width = gan.output_shapes["class_logits"][-1]
    if gan.num_classes is None or width != num_logits(gan.num_classes):
        wanted = "" if gan.num_classes is None else f" of width {num_logits(gan.num_classes)}"
        raise ValueError(
            f"{type(loss).__name__} needs a GAN with num_classes and class_logits{wanted}. "
            f"Received: num_classes={gan.num_classes}, class_logits of width {width}"
        )


def right_and_wrong(class_logits, labels):
    """Returns the logits of the examples' own classes `(batch, 1)`, and of all others.

    Args:
        class_logits: float `(batch, K)`.
        labels: int `(batch,)` in `[0, K)`.

    Example:
    >>> right, wrong = right_and_wrong(np.array([[5.0, 6.0, 7.0]]), np.array([1]))
    >>> np.array(right).tolist(), np.array(wrong).tolist()
    ([[6.0]], [[7.0, 5.0]])
    """
    class_logits = ops.convert_to_tensor(class_logits)
    labels = ops.cast(labels, "int32")[:, None]
    num_classes = class_logits.shape[-1]
    others = (labels + ops.arange(1, num_classes, dtype="int32")) % num_classes
    right = ops.take_along_axis(class_logits, labels, axis=-1)
    return right, ops.take_along_axis(class_logits, others, axis=-1)
