"""Networks of Keras, of keras-cv and of one's own as features."""

import contextlib
import json
import math
import os

import keras
import numpy as np
from keras import ops

from kgan.files import keras_home
from kgan.layers.checks import check_positive_int
from kgan.metrics.features.base import FEATURES, OFFLINE, FeatureNetwork, rgb
from kgan.registry import suggest


class _KerasNetwork(FeatureNetwork):
    """Base of features from a functional model.

    A subclass sets `network`, from a batch of images to a dict of tensors.
    """

    def call(self, images):
        """Returns the outputs for float32 images in [-1, 1]."""
        tensors = self.network(self.prepare(images), training=False)
        return {name: _vectors(tensor) for name, tensor in tensors.items()}

    def prepare(self, images):
        """Returns float32 images in [-1, 1] as `network` takes them."""
        raise NotImplementedError(f"{type(self).__name__} must implement prepare().")

    def weights(self):
        """Returns all that the network has learned or counted."""
        return [ops.convert_to_numpy(weight) for weight in self.network.weights]


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class InceptionV3(_KerasNetwork):
    """Inception v3 of `keras.applications`, trained on ImageNet.

    "features" is its average pool, `(batch, 2048)`; "logits" is `(batch, 1000)`. Images of any
    size are resized to 299x299, bilinearly and with antialiasing (Parmar et al. 2021, arXiv
    2104.11222); grey ones are repeated in three channels. The architecture is that of Szegedy et
    al. 2015 (arXiv 1512.00567), but the weights are not those which published FIDs and Inception
    Scores are computed with: its numbers compare among themselves only.

    Args:
        checkpoint: `"imagenet"`, which Keras fetches once (92 MiB); the path of a file of weights
            of this network; or None, random weights, for tests. Defaults to `"imagenet"`.
        name: str. Defaults to `"inception_v3"`.

    Raises:
        FileNotFoundError: if the weights are neither in Keras's cache nor to be fetched.
        ValueError: when called, if the images have neither one nor three channels.

    Example:
    >>> kgan.metrics.features.InceptionV3.outputs
    ('features', 'logits')
    """

    outputs = ("features", "logits")
    image_size = 299
    url = (
        "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
        "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
    )
    md5 = "9a0d58056eeedaa3f26cb7ebd46da564"

    def __init__(self, checkpoint="imagenet", name=None):
        super().__init__(name=name)
        path = self._fetch() if checkpoint == "imagenet" else checkpoint
        with _float32():
            model = keras.applications.InceptionV3(weights=None, classifier_activation=None)
            if path is not None:
                model.load_weights(path)
        self.network = _part_of("network", model, {"features": "avg_pool", "logits": None})

        # === Config ===
        self.checkpoint = checkpoint

    def _fetch(self):
        name = self.url.rsplit("/", 1)[-1]
        try:
            return keras.utils.get_file(name, self.url, cache_subdir="models", file_hash=self.md5)
        except Exception as error:  # Keras raises this very class where a host is not reached.
            path = keras_home() / "models" / name
            raise FileNotFoundError(
                f"The weights of Inception cannot be fetched ({error}). Put the file {self.url} "
                f"at {path}. {OFFLINE} Received: checkpoint='imagenet'"
            ) from error

    def prepare(self, images):
        """Returns the images in RGB and 299x299; the network's own range is [-1, 1]."""
        return resize(rgb(self, images), (self.image_size, self.image_size))

    def get_config(self):
        """Returns the arguments that make an equal network."""
        return {**super().get_config(), "checkpoint": self.checkpoint}


class _ModelFeatures(_KerasNetwork):
    """Base of features from a model that a user may give as an object.

    A config of such features holds no weights. So features that come from a config are whole only
    where the config names a file or a preset, and else say so when they are called.
    """

    # The argument that is a model, or the name of one.
    argument = None
    _lacks_weights = False

    def call(self, images):
        """Returns the outputs for float32 images in [-1, 1]."""
        if self._lacks_weights:
            raise ValueError(
                "A config holds no weights: these features would be those of a random network. "
                f"Make a {type(self).__name__} of the trained model itself, or of its file. "
                f"Received: images for {self.name!r}, which was made from a config"
            )
        return super().call(images)

    def weights(self):
        """Returns the weights, and what the model does with them."""
        architecture = json.dumps(_serialized(self._model), sort_keys=True)
        return [*super().weights(), np.frombuffer(architecture.encode(), "uint8")]

    def get_config(self):
        """Returns the arguments that make an equal network, apart from a given model's weights."""
        model = getattr(self, self.argument)
        model = _serialized(model) if isinstance(model, keras.Model) else model
        return {**super().get_config(), self.argument: model}

    @classmethod
    def from_config(cls, config):
        """Makes the network that `get_config` described."""
        model = config[cls.argument]
        if not isinstance(model, dict):
            return cls(**config)
        model = keras.saving.deserialize_keras_object(model)
        network = cls(**{**config, cls.argument: model})
        network._lacks_weights = bool(model.weights)
        return network


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class KerasCV(_ModelFeatures):
    """A backbone of keras-cv: "features" is its last map, averaged over positions.

    The backbone is given pixels in [0, 255] if it rescales them itself (its `include_rescaling`),
    and else in [0, 1]. Grey images are repeated in three channels. For the presets see
    https://github.com/keras-team/keras-cv.

    Args:
        backbone: str, a preset such as `"efficientnetv2_b0_imagenet"`, which keras-cv fetches
            once from Kaggle, or the path of a folder that holds a preset; or a
            `keras_cv.models.Backbone`.
        image_size: int, pixels of a side that images are resized to, bilinearly and with
            antialiasing. Defaults to None: the backbone's own, if it has one, or as they are.
        name: str. Defaults to `"keras_cv"`.

    Raises:
        FileNotFoundError: if the preset is neither in Kaggle's cache nor to be fetched.
        ValueError: if there is no such preset, or if the backbone does not take images; when
            called, if the images have neither one nor three channels.

    Example:
    >>> import keras_cv
    >>> backbone = keras_cv.models.CSPDarkNetBackbone(
    ...     stackwise_channels=[8, 16], stackwise_depth=[1, 1], include_rescaling=True
    ... )
    >>> network = kgan.metrics.features.KerasCV(backbone)
    >>> network(np.zeros((2, 28, 28, 1), "float32"))["features"].shape
    TensorShape([2, 16])
    """

    argument = "backbone"

    def __init__(self, backbone, image_size=None, name=None):
        super().__init__(name=name)
        if image_size is not None:
            check_positive_int("image_size", image_size)
        self._model = _preset(backbone) if isinstance(backbone, str) else backbone
        self.network = _part_of("backbone", self._model, {"features": None})

        # === Config ===
        self.backbone = backbone
        self.image_size = image_size

    def prepare(self, images):
        """Returns the images in RGB, of the size and in the range that the backbone takes."""
        images = rgb(self, images)
        own = (self.image_size,) * 2 if self.image_size else self._model.inputs[0].shape[1:3]
        size = tuple(a or b for a, b in zip(own, images.shape[1:3], strict=True))
        top = 255 if getattr(self._model, "include_rescaling", False) else 1
        return (resize(images, size) + 1) * (top / 2)

    def get_config(self):
        """Returns the arguments that make an equal network."""
        return {**super().get_config(), "image_size": self.image_size}


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class KerasModel(_ModelFeatures):
    """Any Keras model of images in [-1, 1], of the size and channels that it takes.

    An output of four dimensions, a map, is averaged over its positions; any other is flattened.
    A model that expects another range begins with a `keras.layers.Rescaling`. Features of one's
    own field see what those of ImageNet do not (Kynkäänniemi et al. 2022, arXiv 2203.06026).

    Args:
        model: `keras.Model` of one image and, unless `layer` is given, of one output, functional
            or sequential and built; or str, the path of one in a `.keras` file.
        layer: str, the layer whose output is "features". Defaults to None: the model's own.
        logits_layer: str, the layer whose output is "logits". Defaults to None: there are none.
        name: str. Defaults to `"keras_model"`.

    Raises:
        ValueError: if the model does not take one image, or has no such layer; when called, if
            the images are not what it takes.

    Example:
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.ReLU(name="map")]
    ... )
    >>> network = kgan.metrics.features.KerasModel(model, layer="map")
    >>> network(np.zeros((2, 8, 8, 1), "float32"))["features"].shape
    TensorShape([2, 4])
    """

    argument = "model"

    def __init__(self, model, layer=None, logits_layer=None, name=None):
        super().__init__(name=name)
        self._model = _loaded(model) if isinstance(model, (str, os.PathLike)) else model
        layers = {"features": layer}
        if logits_layer is not None:
            layers["logits"] = logits_layer
        self.network = _part_of("model", self._model, layers)
        self.outputs = tuple(layers)

        # === Config ===
        self.model = os.fspath(model) if isinstance(model, os.PathLike) else model
        self.layer = layer
        self.logits_layer = logits_layer

    def prepare(self, images):
        """Returns the images, if they have the model's size and channels."""
        takes = self._model.inputs[0].shape[1:]
        if any(a not in (None, b) for a, b in zip(takes, images.shape[1:], strict=True)):
            raise ValueError(
                f"The model of these features takes images of shape {('batch', *takes)}. "
                f"Received: images of shape {tuple(images.shape)}"
            )
        return images

    def get_config(self):
        """Returns the arguments that make an equal network."""
        layers = {"layer": self.layer, "logits_layer": self.logits_layer}
        return {**super().get_config(), **layers}


def resize(images, size):
    r"""Resizes images bilinearly, and with antialiasing where they become smaller.

    Each new pixel is the mean of the old ones, weighted with a triangle of two old or two new
    pixels' width, whichever is more. It is `keras.ops.image.resize(antialias=True)` as two matrix
    products, which XLA compiles, too.

    Args:
        images: float tensor `(batch, height, width, channels)`.
        size: tuple of int, the new height and width.

    Returns:
        Float tensor `(batch, *size, channels)`.

    Example:
    >>> resize(np.float32([0, 1, 2, 3]).reshape(1, 1, 4, 1), (1, 2))[0, 0, :, 0]
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.71428573, 2.2857144 ], dtype=float32)>
    """
    height, width = images.shape[1:3]
    if (height, width) == tuple(size):
        return images
    images = ops.einsum("oh,nhwc->nowc", _triangles(height, size[0]), images)
    return ops.einsum("ow,nhwc->nhoc", _triangles(width, size[1]), images)


def _triangles(old, new):
    """Returns the weights of old pixels in new ones, float32 `(new, old)`."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0)
    return np.float32(weights / weights.sum(axis=1, keepdims=True))


def _vectors(tensor):
    if len(tensor.shape) == 4:
        return ops.mean(ops.cast(tensor, "float32"), axis=(1, 2))
    # Their width is known in a graph, too, where that of the batch is not.
    return ops.reshape(tensor, (-1, math.prod(tensor.shape[1:])))


def _part_of(argument, model, layers):
    """Returns the model from the image to a dict of layers' outputs; None is its own output."""
    inputs = getattr(model, "inputs", None)
    if not isinstance(model, keras.Model) or not inputs:
        raise ValueError(
            f"`{argument}` must be a functional keras.Model, or a sequential one that is built; "
            "wrap another as keras.Model(inputs, model(inputs)), with inputs = keras.Input(shape)."
            f" Received: {argument}={model!r}"
        )
    shapes = [tuple(x.shape) for x in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            f"`{argument}` must take one batch of images, (batch, height, width, channels). "
            f"Received: {argument} with inputs of shape {shapes}"
        )
    with _float32():
        return keras.Model(
            inputs[0], {name: _output_of(argument, model, layer) for name, layer in layers.items()}
        )


def _output_of(argument, model, layer):
    if layer is None:
        outputs = model.outputs
    else:
        names = [x.name for x in model.layers]
        if layer not in names:
            raise ValueError(f"No such layer. {suggest(layer, names)} Received: {layer!r}")
        outputs = keras.tree.flatten(model.get_layer(layer).output)
    if len(outputs) != 1:
        raise ValueError(
            f"What is compared is one tensor: name a `layer` of the {argument} with one output. "
            f"Received: {argument} with {len(outputs)} outputs, layer={layer!r}"
        )
    return outputs[0]


def _serialized(model):
    """Returns a model's config without what it was trained with, which nobody needs here."""
    cls = type(model)
    return {
        "module": cls.__module__,
        "class_name": cls.__name__,
        "config": keras.saving.serialize_keras_object(model.get_config()),
        "registered_name": keras.saving.get_registered_name(cls),
    }


def _loaded(path):
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"`model` must be a keras.Model or the path of a .keras file. Received: {path!r}"
        )
    return keras.models.load_model(path, compile=False)


def _preset(name):
    """Returns a backbone of keras-cv by the name of a preset, or from a folder."""
    import keras_cv

    handles = _handles(keras_cv)
    if not os.path.isdir(name) and name not in handles:
        known = suggest(name, handles)
        raise ValueError(
            f"Unknown preset of keras-cv with weights. {known} Received: backbone={name!r}"
        )
    handle = name if os.path.isdir(name) else handles[name]
    try:
        with _float32():
            return keras_cv.models.Backbone.from_preset(handle, load_weights=True)
    except OSError as error:
        raise FileNotFoundError(
            f"The preset {handle} cannot be fetched ({error}). Give the path of a folder that "
            f"holds its files, config.json and the weights. {OFFLINE} Received: backbone={name!r}"
        ) from error


def _handles(keras_cv):
    """Returns where keras-cv's trained backbones come from, by the names of their presets."""
    backbones = [x for name, x in vars(keras_cv.models).items() if name.endswith("Backbone")]
    presets = {
        name: x for backbone in backbones for name, x in backbone.presets_with_weights.items()
    }
    return {name: x["kaggle_handle"] for name, x in presets.items() if "kaggle_handle" in x}


@contextlib.contextmanager
def _float32():
    """Lets layers compute in float32, whatever policy holds for the networks in training."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
