"""How losses look at a discriminator's class logits."""

from keras import ops


def check_class_logits(name, view):
    """Raises ValueError unless the view's labels are classes and its logits tell them apart.

    Args:
        name: str, the loss that asks, for the error.
        view: dict with `"labels"` and `"class_logits"`.
    """
    labels, logits = ops.shape(view["labels"]), ops.shape(view["class_logits"])
    if len(labels) != 1 or len(logits) != 2 or logits[-1] < 2:
        raise ValueError(
            f"{name} needs class labels (batch,) and class_logits (batch, 2 or more). "
            f"Received: labels {tuple(labels)}, class_logits {tuple(logits)}"
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
