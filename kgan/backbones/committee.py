"""Several discriminators that judge the same images."""

import keras

from kgan.backbones.backbone import Backbone


@keras.saving.register_keras_serializable(package="kgan")
class Committee(Backbone):
    """Several discriminators side by side, each with a score of its own.

    Durugkar et al. 2016, "Generative Multi-Adversarial Networks" (arXiv 1611.01673). Train it with
    `kgan.losses.Mixed`, which lets each member minimise its own loss and says how the generator
    weighs them.

    Args:
        members: list of two or more Functional Keras models with the same inputs and scores of
            shape `(batch, 1)`, each under a name of its own.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        What the members take: images, or a list `[image, label]`.

    Output:
        Scores of shape `(batch, members)`.

    Raises:
        ValueError: if there are fewer than two members, two of one name, or one whose inputs or
            scores have another shape.

    Example:
    >>> members = [
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8], name="wide"),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[4], name="narrow"),
    ... ]
    >>> tuple(kgan.backbones.Committee(members)(np.zeros((3, 2), "float32")).shape)
    (3, 2)
    """

    def __init__(self, members, **kwargs):
        members = list(members)
        _check_members(members)

        # === Functional Model ===
        first = members[0]
        inputs = [keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in first.inputs]
        inputs = inputs[0] if len(inputs) == 1 else inputs
        scores = [member(inputs) for member in members]
        super().__init__(
            inputs=inputs,
            outputs=keras.layers.Concatenate(name="scores", dtype="float32")(scores),
            **kwargs,
        )

        # === Config ===
        self.members = members

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "members": [keras.saving.serialize_keras_object(member) for member in self.members],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the committee that `get_config` described."""
        members = [
            keras.saving.deserialize_keras_object(member, custom_objects)
            for member in config["members"]
        ]
        return cls(**{**config, "members": members})


def _check_members(members):
    if len(members) < 2:
        raise ValueError(f"A committee needs two members or more. Received: members={members!r}")
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        raise ValueError(f"Each member needs a name of its own. Received: {names}")
    shapes = [tuple(x.shape) for x in members[0].inputs]
    for member in members:
        if [tuple(x.shape) for x in member.inputs] != shapes or tuple(member.output.shape) != (
            None,
            1,
        ):
            raise ValueError(
                f"Each member must take inputs of the shapes {shapes} and give scores of shape "
                f"(batch, 1). Received: {member.name!r}, from "
                f"{[tuple(x.shape) for x in member.inputs]} to {tuple(member.output.shape)}"
            )
