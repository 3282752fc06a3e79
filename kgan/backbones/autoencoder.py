"""A discriminator that is an auto-encoder: what it cannot reconstruct, it takes for a fake."""

import keras
from keras import ops

from kgan.backbones.backbone import Backbone

ERRORS = ("norm", "absolute", "squared")
# Below this squared norm the norm's gradient, which grows without bound, is 0.
TINY = 1e-12


@keras.saving.register_keras_serializable(package="kgan")
class ReconstructionScore(keras.layers.Layer):
    """Scores images by how well they were reconstructed: minus the error, 0 at best.

    The error of Zhao et al. 2017 (arXiv 1609.03126), section 2.3, is the Euclidean norm ‖r - x‖;
    that of Berthelot et al. 2017 (arXiv 1703.10717), equation 1, the mean of |r - x| or of its
    square over the d numbers of an image.

    Args:
        error: `"norm"`, `"absolute"` or `"squared"`. Defaults to `"norm"`.
        **kwargs: as for every Keras layer.

    Input:
        List of images and their reconstructions, both of shape `(batch, ...)`.

    Output:
        Scores of shape `(batch, 1)`, at most 0.

    Raises:
        ValueError: if `error` is none of these.

    Example:
    >>> images, reconstructions = np.zeros((2, 4)), np.full((2, 4), 3.0)
    >>> layer = kgan.backbones.autoencoder.ReconstructionScore("norm")
    >>> layer([images, reconstructions]).numpy().tolist()
    [[-6.0], [-6.0]]
    """

    def __init__(self, error="norm", **kwargs):
        super().__init__(**kwargs)
        if error not in ERRORS:
            raise ValueError(f"`error` must be one of {ERRORS}. Received: error={error!r}")
        self.error = error

    def call(self, inputs):
        """Returns minus the error of each image."""
        images, reconstructions = inputs
        difference = reconstructions - images
        axes = list(range(1, len(difference.shape)))
        if self.error == "absolute":
            errors = ops.mean(ops.abs(difference), axis=axes)
        elif self.error == "squared":
            errors = ops.mean(ops.square(difference), axis=axes)
        else:
            errors = ops.sqrt(ops.maximum(ops.sum(ops.square(difference), axis=axes), TINY))
        return -errors[:, None]

    def compute_output_shape(self, input_shape):
        """Returns the shape of the scores."""
        return (input_shape[0][0], 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "error": self.error}


@keras.saving.register_keras_serializable(package="kgan")
class AutoencodingDiscriminator(Backbone):
    """A discriminator whose score is minus the error with which it reconstructs an image.

    Zhao et al. 2017, "Energy-based Generative Adversarial Network" (arXiv 1609.03126), section
    2.3: the energy D(x) = ‖Dec(Enc(x)) - x‖ is low on the data and high elsewhere. The score is
    the energy's negative, so that reals score high, as everywhere in kgan. Its layer `"code"` has
    what the encoder returned, for losses that look at layers (`kgan.losses.PullAway`).

    Args:
        encoder: Functional Keras model, images to codes `(batch, code_dim)`. A discriminator of
            `kgan.backbones` is one if its `head` is a dense layer.
        decoder: Functional Keras model, codes to images of the encoder's input shape, in [-1, 1].
            Any unconditional generator is one.
        error: `"norm"`, the Euclidean norm of the difference, or the mean over pixels of its
            `"absolute"` value or `"squared"`. Defaults to `"norm"`.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Images of shape `(batch, height, width, channels)`, or of whatever shape the encoder takes.

    Output:
        Dict of float32: `"score"`, of shape `(batch, 1)` and at most 0; `"code"`, of shape
        `(batch, code_dim)`; and `"reconstruction"`, of the images' shape.

    Raises:
        ValueError: if the decoder does not take the encoder's codes or return images of the
            encoder's input shape, or if `error` is none of these.

    Example:
    >>> discriminator = kgan.backbones.AutoencodingDiscriminator(
    ...     kgan.backbones.DCGANDiscriminator((8, 8, 1), width=4, head=keras.layers.Dense(6)),
    ...     kgan.backbones.DCGANGenerator((8, 8, 1), latent_dim=6, width=4),
    ... )
    >>> said = discriminator(np.zeros((2, 8, 8, 1), "float32"))
    >>> {name: tuple(x.shape) for name, x in sorted(said.items())}
    {'code': (2, 6), 'reconstruction': (2, 8, 8, 1), 'score': (2, 1)}
    """

    def __init__(self, encoder, decoder, error="norm", **kwargs):
        _check_fit(encoder, decoder)

        # === Layers ===
        to_code = keras.layers.Identity(dtype="float32", name="code")
        to_reconstruction = keras.layers.Identity(dtype="float32", name="reconstruction")
        to_score = ReconstructionScore(error, dtype="float32", name="score")

        # === Functional Model ===
        image = keras.Input(encoder.inputs[0].shape[1:], name="image")
        code = to_code(encoder(image))
        reconstruction = to_reconstruction(decoder(code))
        super().__init__(
            inputs=image,
            outputs={
                "score": to_score([image, reconstruction]),
                "code": code,
                "reconstruction": reconstruction,
            },
            **kwargs,
        )

        # === Config ===
        self.encoder = encoder
        self.decoder = decoder
        self.error = error

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "error": self.error,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the discriminator that `get_config` described."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("encoder", "decoder")
        }
        return cls(**{**config, **parts})


def _check_fit(encoder, decoder):
    shapes = {
        "encoder": ([x.shape[1:] for x in encoder.inputs], _shapes_of(encoder.output)),
        "decoder": ([x.shape[1:] for x in decoder.inputs], _shapes_of(decoder.output)),
    }
    if shapes["encoder"] != shapes["decoder"][::-1] or len(shapes["encoder"][1][0]) != 1:
        words = ", ".join(f"{name} from {a} to {b}" for name, (a, b) in shapes.items())
        raise ValueError(
            "The encoder must turn images into codes of shape (batch, code_dim), and the decoder "
            f"these codes into images of the same shape. Received: {words}"
        )


def _shapes_of(output):
    """Returns the shapes of what a network returns, without the batch axis."""
    return [x.shape[1:] for x in keras.tree.flatten(output)]
