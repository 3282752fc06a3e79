"""What generators and discriminators have in common."""

import keras


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
