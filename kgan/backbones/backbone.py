"""What generators and discriminators have in common."""

import keras

from kgan.layers.checks import check_positive_int
from kgan.layers.conditioning import ConditionEmbedding
from kgan.layers.pack import Pack


class Backbone(keras.Model):
    """Base of the networks: a Functional model that is rebuilt from its own arguments.

    A subclass makes its layers and tensors, calls this constructor with them, and extends
    `get_config` with its arguments. Unconditional networks have one input; conditional ones take
    a list, `[latent, label]` or `[image, label]`.

    Args:
        inputs: Keras tensor, or a list of them.
        outputs: Keras tensor.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; `None` is the
            global policy. Outputs are float32 under every policy. Defaults to `None`.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Raises:
        ValueError: from Keras, if `inputs` or `outputs` are not Keras tensors, or `dtype` names
            no policy.

    Example:
    >>> class Tiny(kgan.backbones.Backbone):
    ...     def __init__(self, units=3, dtype=None, **kwargs):
    ...         # === Layers ===
    ...         dense = keras.layers.Dense(units, dtype=dtype)
    ...         # === Functional Model ===
    ...         latent = keras.Input((2,), name="latent")
    ...         super().__init__(inputs=latent, outputs=dense(latent), dtype=dtype, **kwargs)
    ...         # === Config ===
    ...         self.units = units
    ...
    ...     def get_config(self):
    ...         return {**super().get_config(), "units": self.units}
    >>> Tiny.from_config(Tiny(units=5).get_config()).units
    5
    """

    def __init__(self, inputs, outputs, dtype=None, **kwargs):
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.dtype_policy = keras.dtype_policies.get(dtype)

    def get_config(self):
        """Returns the arguments of this constructor that `from_config` can take."""
        # Not Functional's config, which lists layers and could not be given to a constructor.
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config):
        """Builds the network anew from what `get_config` returned."""
        return cls(**config)


def label_input(num_classes, condition_dim):
    """The Keras input for labels: class numbers, vectors, or `None` where there are none."""
    if num_classes is not None:
        return keras.Input((), dtype="int32", name="label")
    if condition_dim is not None:
        return keras.Input((condition_dim,), dtype="float32", name="label")
    return None


def latent_inputs(latent_dim, num_classes, condition_dim, dtype):
    """Returns a generator's inputs, and the tensor that its first layer reads.

    The latter is the latent alone, or concatenated to the label's embedding of the same width.
    """
    latent = keras.Input((latent_dim,), name="latent")
    label = label_input(num_classes, condition_dim)
    if label is None:
        return latent, latent
    embed = ConditionEmbedding(
        latent_dim, num_classes, condition_dim, dtype=dtype, name="embed_label"
    )
    concatenate = keras.layers.Concatenate(dtype=dtype, name="condition")
    return [latent, label], concatenate([latent, embed(label)])


def squashed(x, activation):
    """Returns the tensor squashed into [-1, 1], in float32.

    Args:
        x: Keras tensor.
        activation: `"tanh"`, or `"sigmoid"` for 2σ(x) - 1 = tanh(x / 2): papers whose images are
            in [0, 1] have σ(x), of half that slope.

    Raises:
        ValueError: if it is another.
    """
    if activation not in ("tanh", "sigmoid"):
        raise ValueError(
            f'`activation` must be "tanh" or "sigmoid". Received: activation={activation!r}'
        )
    x = keras.layers.Activation(activation, dtype="float32", name=activation)(x)
    if activation == "tanh":
        return x
    return keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="stretch")(x)


def head_config(head):
    """Returns the config of the layer that ends a discriminator, in float32, or None.

    Args:
        head: Keras layer, its config, or None.

    Raises:
        TypeError: if it is something else.
    """
    if head is None:
        return None
    if not isinstance(head, (keras.layers.Layer, dict)):
        raise TypeError(
            "`head` must be a Keras layer that takes features, or [features, label], such as "
            f"kgan.layers.ClassifierHead. Received: head={head!r}"
        )
    config = keras.saving.serialize_keras_object(head) if not isinstance(head, dict) else head
    return {**config, "config": {**config["config"], "dtype": "float32"}}


def packed(image, pack, label):
    """Returns the image, or several side by side, as the first layer of a discriminator sees it.

    Args:
        image: Keras tensor.
        pack: int, how many images are judged together.
        label: Keras tensor, or None in an unconditional network.

    Raises:
        ValueError: if `pack` is not a positive integer, or there are labels to be packed.
    """
    check_positive_int("pack", pack)
    if pack == 1:
        return image
    if label is not None:
        raise ValueError(
            "A discriminator that judges several images together takes no labels: give `pack` or "
            f"`num_classes`/`condition_dim`, not both. Received: pack={pack}"
        )
    return Pack(pack, name="pack")(image)
