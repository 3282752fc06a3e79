import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from kgan.metrics.features import InceptionV3, KerasCV, KerasModel
from kgan.metrics.features.keras_networks import resize
from tests.metrics.features.harness import run_features_test


def random_images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


# --- Resizing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(7, 5), (16, 16), (40, 33), (9, 30), (1, 1)])
def test_resize_is_the_antialiased_one_of_keras(size):
    images = random_images(2, 16, 20, 3)
    expected = ops.image.resize(images, size, interpolation="bilinear", antialias=True)
    np.testing.assert_allclose(resize(images, size), expected, atol=1e-5)


def test_resize_by_hand():
    row = np.float32([0, 4]).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(resize(row, (1, 4))[0, 0, :, 0], [0, 1, 3, 4])
    np.testing.assert_allclose(resize(row, (2, 1))[0, :, 0, 0], [2, 2])


# --- A model of one's own -----------------------------------------------------------------------


def small_model(size=8, name="small"):
    inputs = keras.Input((size, size, 2))
    x = keras.layers.Conv2D(6, 3, activation="tanh", name="map")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Reshape((-1, 6), name="tokens")(x)
    x = keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(x))
    return keras.Model(inputs, x, name=name)


@pytest.mark.parametrize(
    ("options", "dims"),
    [
        ({}, {"features": 3}),
        ({"layer": "map", "logits_layer": "logits"}, {"features": 6, "logits": 3}),
        ({"layer": "tokens"}, {"features": 216}),
    ],
)
def test_conformance_of_a_model(options, dims):
    wrong = [random_images(2, 8, 9, 2), random_images(2, 8, 8, 1)]
    options = {"model": small_model(), **options}
    run_features_test(KerasModel, options, random_images(5, 8, 8, 2), dims, wrong)


def test_maps_are_averaged_and_the_rest_is_flattened():
    model, images = small_model(), random_images(3, 8, 8, 2)
    hidden = np.tanh(
        ops.conv(images, model.get_layer("map").kernel, 1, "valid") + model.get_layer("map").bias
    )
    averaged = KerasModel(model, layer="map")(images)["features"]
    np.testing.assert_allclose(averaged, hidden.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    flat = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.Reshape((32, 4))])
    np.testing.assert_array_equal(KerasModel(flat)(images)["features"], images.reshape(3, 128))


def test_a_network_does_not_train_what_it_looks_with():
    model, images = small_model(), 10 * random_images(3, 8, 8, 2)
    before = model.get_weights()
    KerasModel(model)(images)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_of_any_size_and_a_sequential_one_that_data_has_built():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs))
    for size in (5, 8):
        assert KerasModel(model)(random_images(2, size, size, 1))["features"].shape == (2, 4)
    model = keras.Sequential([keras.layers.Conv2D(4, 3)])
    model(random_images(2, 5, 5, 1))
    assert KerasModel(model)(random_images(7, 5, 5, 1))["features"].shape == (7, 4)


def test_a_model_comes_from_a_file_by_its_specification(tmp_path):
    model, images = small_model(), random_images(2, 8, 8, 2)
    model.save(tmp_path / "model.keras")
    features = kgan.metrics.features.get(f"keras_model:{tmp_path}/model.keras,layer=map")
    expected = KerasModel(model, layer="map")(images)["features"]
    np.testing.assert_array_equal(features(images)["features"], expected)
    config = keras.saving.serialize_keras_object(features)
    revived = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(revived(images)["features"], expected)
    assert revived.key() == features.key()
    assert KerasModel(tmp_path / "model.keras", layer="map").key() == features.key()


def test_a_model_is_a_feature_network_by_itself():
    model, images = small_model(), random_images(2, 8, 8, 2)
    metric = kgan.metrics.FrechetDistance(features=model)
    assert isinstance(metric.features, KerasModel)
    np.testing.assert_array_equal(metric.extract(images), model(images))


def test_keys_differ_with_weights_architecture_and_layers(tmp_path):
    model, path = small_model(), tmp_path / "model.keras"
    keys = {KerasModel(model).key(), KerasModel(model, layer="map").key()}
    model.get_layer("norm").moving_mean.assign_add([0, 0, 0, 0, 0, 1])
    keys.add(KerasModel(model).key())
    assert len(keys) == 3
    for activation in ("relu", "tanh"):  # The file is another, though its weights are the same.
        inputs = keras.Input((4, 4, 1))
        x = keras.layers.Dense(2, activation, kernel_initializer="ones", name="dense")(inputs)
        keras.Model(inputs, x, name="model").save(path)
        keys.add(KerasModel(path).key())
    assert len(keys) == 5


def test_a_config_holds_no_weights_and_says_so():
    network = KerasModel(small_model())
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    with pytest.raises(ValueError, match="A config holds no weights.* Received: "):
        revived(random_images(2, 8, 8, 2))
    flat = KerasModel(keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()]))
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(flat))
    assert revived(random_images(1, 2, 2, 1))["features"].shape == (1, 4)


def test_what_a_model_was_trained_with_is_left_out():
    model = small_model()
    key = KerasModel(model).key()
    model.compile(loss=lambda y_true, y_pred: y_pred)
    assert KerasModel(model).key() == key


def two_inputs():
    inputs = [keras.Input((4, 4, 1)), keras.Input((2,))]
    return keras.Model(inputs, keras.layers.Flatten()(inputs[0]))


def two_outputs():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, [keras.layers.Flatten()(inputs), inputs])


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Subclassed(), {}, "must be a functional keras.Model"),
        (keras.Sequential([keras.layers.Flatten()]), {}, "sequential one that is built"),
        (keras.layers.Flatten(), {}, "must be a functional keras.Model"),
        (two_inputs(), {}, "one batch of images"),
        (two_outputs(), {}, "with 2 outputs, layer=None"),
        (keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), {}, "one batch of images"),
        (small_model(), {"layer": "mapp"}, "Did you mean 'map'"),
        (small_model(), {"logits_layer": "logit"}, "Did you mean 'logits'"),
    ],
)
def test_bad_models_are_named(model, options, message):
    with pytest.raises(ValueError, match=message) as error:
        KerasModel(model, **options)
    assert "Received: " in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="path of a .keras file. Received: .*none.keras"):
        KerasModel(f"{tmp_path}/none.keras")


# --- keras-cv -----------------------------------------------------------------------------------


def backbone(include_rescaling=True, **options):
    import keras_cv

    keras.utils.set_random_seed(1)
    return keras_cv.models.CSPDarkNetBackbone(
        stackwise_channels=[8, 16],
        stackwise_depth=[1, 1],
        include_rescaling=include_rescaling,
        name="tiny",
        **options,
    )


@pytest.fixture
def folder(tmp_path):
    """Returns a folder as keras-cv keeps its presets."""
    from keras_cv.src.utils.preset_utils import save_to_preset

    save_to_preset(backbone(), str(tmp_path / "preset"))
    return str(tmp_path / "preset")


def test_conformance_of_a_backbone():
    wrong = [random_images(2, 16, 16, 2), random_images(2, 16, 16, 4)]
    images = random_images(5, 16, 16, 3)
    run_features_test(KerasCV, {"backbone": backbone()}, images, {"features": 16}, wrong)


def test_a_backbone_gets_the_range_it_takes():
    images = random_images(2, 16, 16, 3)
    features = KerasCV(backbone(include_rescaling=True))(images)["features"]
    expected = ops.mean(backbone(include_rescaling=True)((images + 1) * 127.5), axis=(1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    others = KerasCV(backbone(include_rescaling=False))(images)["features"]
    np.testing.assert_allclose(others, features, rtol=1e-4)


def test_a_backbone_sees_grey_as_rgb_and_the_size_that_is_asked_for():
    grey = random_images(2, 20, 20, 1)
    rgb = np.repeat(grey, 3, axis=-1)
    plain = KerasCV(backbone())
    np.testing.assert_array_equal(plain(grey)["features"], plain(rgb)["features"])
    expected = plain(resize(rgb, (16, 16)))["features"]
    for resized in (KerasCV(backbone(), 16), KerasCV(backbone(input_shape=(16, 16, 3)))):
        np.testing.assert_allclose(resized(rgb)["features"], expected, rtol=1e-5)


def test_a_preset_comes_from_a_folder(folder):
    images = random_images(2, 16, 16, 3)
    features = kgan.metrics.features.get(f"keras_cv:{folder},image_size=16")
    expected = KerasCV(backbone())(images)["features"]
    np.testing.assert_allclose(features(images)["features"], expected, rtol=1e-5)
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(features))
    np.testing.assert_array_equal(revived(images)["features"], features(images)["features"])


def test_a_preset_computes_in_float32_whatever_is_trained_in(folder):
    keras.config.set_dtype_policy("mixed_float16")
    features = KerasCV(folder)
    assert {layer.compute_dtype for layer in features.network.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "mixed_float16"


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="Did you mean 'efficientnetv2_b0_imagenet'.* Received: "):
        kgan.metrics.features.get("keras_cv:efficientnetv2_b0_imagenett")
    # Random weights make random numbers.
    with pytest.raises(ValueError, match="with weights.* Received: backbone='efficientnetv2_b0'"):
        KerasCV("efficientnetv2_b0")


def test_a_preset_that_cannot_be_fetched_says_what_to_do(monkeypatch):
    import keras_cv

    def offline(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(keras_cv.models.Backbone, "from_preset", offline)
    message = "kaggle://keras/efficientnetv2/.*no route to host.*'pixels', 'mnist'.* Received: "
    with pytest.raises(FileNotFoundError, match=message):
        KerasCV("efficientnetv2_b0_imagenet")


@pytest.mark.parametrize("size", [0, 2.5, "16"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="`image_size` must be a positive integer. Received: "):
        KerasCV(backbone(), image_size=size)


# --- Inception ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_conformance_of_inception():
    images = random_images(5, 32, 32, 3)
    dims = {"features": 2048, "logits": 1000}
    wrong = [random_images(2, 32, 32, 2)]
    run_features_test(InceptionV3, {"checkpoint": None}, images, dims, wrong)


@pytest.mark.slow
def test_inception_is_that_of_keras(tmp_path):
    model = keras.applications.InceptionV3(weights=None)
    model.save_weights(tmp_path / "inception.weights.h5")
    network = InceptionV3(tmp_path / "inception.weights.h5")
    images = random_images(2, 64, 48, 1)
    outputs = network(images)
    resized = ops.image.resize(np.repeat(images, 3, -1), (299, 299), antialias=True)
    expected = model(keras.applications.inception_v3.preprocess_input((resized + 1) * 127.5))
    np.testing.assert_allclose(ops.softmax(outputs["logits"]), expected, rtol=1e-3)
    body = keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg")
    body.set_weights(model.get_weights()[:-2])
    np.testing.assert_allclose(outputs["features"], body(resized), rtol=1e-3, atol=1e-5)


def test_inception_that_cannot_be_fetched_says_what_to_do(monkeypatch):
    def offline(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", offline)
    monkeypatch.setenv("KERAS_HOME", "/somewhere")
    message = (
        "URL fetch failure.*Put the file https://.*kernels.h5 at /somewhere/models/inception_v3_"
        "weights_tf_dim_ordering_tf_kernels.h5.*'pixels', 'mnist'.* Received: "
    )
    with pytest.raises(FileNotFoundError, match=message):
        kgan.metrics.features.get("inception_v3")


def test_inception_asks_for_the_file_that_keras_would(monkeypatch):
    """With its own name and digest, so that what Keras has in its cache is found."""
    asked = []

    def get_file(*args, **kwargs):
        asked.append((args, kwargs))
        raise OSError("enough")

    monkeypatch.setattr(keras.src.applications.inception_v3.file_utils, "get_file", get_file)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(OSError, match="enough"):
        keras.applications.InceptionV3(weights="imagenet")
    with pytest.raises(FileNotFoundError):
        InceptionV3()
    assert asked[0] == asked[1]


def test_names_are_known():
    names = kgan.metrics.features.names()
    assert {"inception_v3", "keras_cv", "keras_model", "mnist", "pixels"} <= set(names)
    assert tf.is_tensor(kgan.metrics.features.get("pixels")(random_images(1, 2, 2, 1))["features"])
