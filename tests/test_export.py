"""Exports: what is written computes what the model computes, anywhere, or is not written."""

import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from PIL import Image

import kgan
from kgan import export

LATENT_DIM = 5
SEED = 11
LABELS = {"num_classes": [2, 0, 1, 2, 2, 0, 1], "condition_dim": np.linspace(-1, 1, 21)}


def spread(network, seed=0):
    """Gives every weight, moving statistics included, a value that a mistake would show."""
    random = np.random.default_rng(seed)
    for weight in network.weights:
        value = random.normal(size=weight.shape) * 0.5
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)


def make_gan(channels=1, latent_distribution="normal", dtype=None, **condition):
    """A tiny DCGAN, whose averaged generator differs from the generator."""
    shared = {"image_shape": (8, 8, channels), "width": 4, "dtype": dtype, **condition}
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator(latent_dim=LATENT_DIM, **shared),
        kgan.backbones.DCGANDiscriminator(**shared),
        latent_distribution=latent_distribution,
        **condition,
    )
    spread(gan.generator, seed=1)
    spread(gan.averaged_generator, seed=2)
    return gan


def make_points_gan():
    """A GAN of points in the plane, which no picture shows."""
    generator = keras.Sequential([keras.Input((LATENT_DIM,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    return kgan.GAN(generator, discriminator)


GANS = {
    "grey": lambda: make_gan(),
    "grey_alpha": lambda: make_gan(channels=2, latent_distribution="uniform"),
    "classes": lambda: make_gan(channels=3, num_classes=3),
    "vectors": lambda: make_gan(channels=4, condition_dim=3),
    "points": make_points_gan,
}


def labels_of(gan, n):
    """Labels for `n` samples as GAN.generate takes them, or None."""
    if gan.num_classes is not None:
        return np.array(LABELS["num_classes"][:n], "int32")
    if gan.condition_dim is not None:
        return LABELS["condition_dim"].reshape(7, 3)[:n].astype("float32")
    return None


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Every GAN's folder with its SavedModel, by name."""
    folder = tmp_path_factory.mktemp("exports")
    gans = {name: make() for name, make in GANS.items()}
    return {name: (gan, gan.export(folder / name)) for name, gan in gans.items()}


# --- SavedModel -----------------------------------------------------------------------------------

CLIENT = """
    import importlib.machinery, json, sys

    class Finder(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            hidden = name.split(".")[0] in ("kgan", "keras")
            return None if hidden else super().find_spec(name, path, target)

    sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
    import numpy as np, tensorflow as tf

    results = {}
    for name, (folder, labels) in json.loads(sys.argv[1]).items():
        serve = tf.saved_model.load(folder).signatures
        for n in (1, 7):
            label = {}
            if labels is not None:
                dtype = tf.int32 if isinstance(labels[0], int) else tf.float32
                label = {"label": tf.constant(labels[:n], dtype)}
            order = {"seed": tf.constant(%d, tf.int64), "count": tf.constant(n)}
            latent = tf.constant(np.random.default_rng(n).normal(size=(n, %d)), tf.float32)
            calls = {"serving_default": {"latent": latent}, "generate": order}
            calls["generate_png"] = order
            for signature in serve:
                (output, value), = serve[signature](**calls[signature], **label).items()
                results[f"{name} {signature} {n} {output}"] = value.numpy().astype(
                    "S" if value.dtype == tf.string else "float32")
    for package in ("keras", "kgan"):
        assert package not in sys.modules
        try:
            __import__(package)
        except ImportError:
            continue
        raise AssertionError(f"{package} was there")
    np.savez(sys.argv[2], **results)
"""


@pytest.fixture(scope="module")
def served(exported, tmp_path_factory):
    """What a process without kgan and Keras gets from every signature: (signature, n) -> value."""
    order = {
        name: (str(path), None if (labels := labels_of(gan, 7)) is None else labels.tolist())
        for name, (gan, path) in exported.items()
    }
    out = tmp_path_factory.mktemp("served") / "results.npz"
    code = textwrap.dedent(CLIENT % (SEED, LATENT_DIM))
    client = subprocess.run(
        [sys.executable, "-c", code, json.dumps(order), str(out)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert client.returncode == 0, client.stderr[-3000:]
    results = {}
    with np.load(out) as values:
        for key in values:
            name, signature, n, output = key.split()
            results.setdefault(name, {})[signature, int(n)] = (output, values[key])
    return results


def in_unit_range(gan, samples):
    samples = (np.asarray(samples) + 1) / 2
    return np.clip(samples, 0, 1) if len(gan.image_shape) == 3 else samples


@pytest.mark.parametrize("name", GANS)
def test_serving_default_maps_latents_to_the_averaged_generators_images(name, exported, served):
    gan, _ = exported[name]
    for n in (1, 7):
        latents = np.random.default_rng(n).normal(size=(n, LATENT_DIM)).astype("float32")
        labels = labels_of(gan, n)
        inputs = latents if labels is None else [latents, labels]
        want = in_unit_range(gan, gan.averaged_generator(inputs, training=False))
        output, images = served[name]["serving_default", n]
        assert output == "image" and images.shape == (n, *gan.image_shape)
        assert want.std() > 0.05
        np.testing.assert_allclose(images, want, atol=1e-6)


@pytest.mark.parametrize("name", GANS)
def test_generate_draws_what_gan_generate_draws(name, exported, served):
    gan, _ = exported[name]
    for n in (1, 7):
        want = in_unit_range(gan, gan.generate(n, labels_of(gan, n), seed=SEED))
        output, images = served[name]["generate", n]
        assert output == "image"
        np.testing.assert_allclose(images, want, atol=1e-6)


@pytest.mark.parametrize(
    "name, mode", [("grey", "L"), ("grey_alpha", "LA"), ("classes", "RGB"), ("vectors", "RGBA")]
)
def test_generate_png_holds_the_same_images(name, mode, served):
    for n in (1, 7):
        output, files = served[name]["generate_png", n]
        assert output == "image_bytes" and files.shape == (n,)
        _, images = served[name]["generate", n]
        for file, image in zip(files, images, strict=True):
            # NumPy's byte strings lose the zeros at their end.
            with Image.open(io.BytesIO(file + b"\0" * 4)) as picture:
                assert picture.mode == mode
                pixels = np.asarray(picture).reshape(image.shape)
            np.testing.assert_allclose(pixels / 255, image, atol=0.5 / 255 + 1e-6)


def test_samples_that_are_not_images_have_no_png(served):
    assert {signature for signature, _ in served["points"]} == {"serving_default", "generate"}
    values = served["points"]["generate", 7][1]
    assert values.min() < 0 or values.max() > 1, "points are not clipped"


def signatures(path):
    return tf.saved_model.load(str(path)).signatures


def test_signatures_say_what_they_take(exported):
    takes = {
        name: {
            spec.name: (spec.dtype, spec.shape.as_list())
            for spec in signatures(path)["generate"].structured_input_signature[1].values()
        }
        for name, (_, path) in exported.items()
        if name in ("grey", "classes", "vectors")
    }
    scalars = {"seed": (tf.int64, []), "count": (tf.int32, [])}
    assert takes["grey"] == scalars
    assert takes["classes"] == {**scalars, "label": (tf.int32, [None])}
    assert takes["vectors"] == {**scalars, "label": (tf.float32, [None, 3])}


def test_one_label_serves_all_and_wrong_orders_are_refused(exported):
    gan, path = exported["classes"]
    serve = signatures(path)
    seed = tf.constant(3, tf.int64)
    images = serve["generate"](seed=seed, count=tf.constant(4), label=tf.constant([2]))["image"]
    np.testing.assert_allclose(images, (gan.generate(4, 2, seed=3) + 1) / 2, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"num_classes=3"):
        serve["serving_default"](latent=tf.zeros((1, LATENT_DIM)), label=tf.constant([3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="count must be 1 or more"):
        serve["generate"](seed=seed, count=tf.constant(0), label=tf.constant([2]))


@pytest.mark.parametrize("seed", [0, -1, 2**31 - 1, 2**40 + 5])
def test_any_int64_is_a_seed(seed, exported):
    gan, path = exported["grey"]
    order = {"seed": tf.constant(seed, tf.int64), "count": tf.constant(2)}
    images = signatures(path)["generate"](**order)["image"]
    np.testing.assert_allclose(images, (gan.generate(2, seed=seed) + 1) / 2, atol=1e-6)


def test_only_the_averaged_generator_is_exported(exported):
    gan, path = exported["grey"]
    stored = tf.train.list_variables(str(path / "variables" / "variables"))
    shapes = sorted(tuple(shape) for name, shape in stored if "VARIABLE_VALUE" in name)
    assert shapes == sorted(tuple(weight.shape) for weight in gan.averaged_generator.weights)


def test_versions_count_up(tmp_path):
    gan = make_points_gan()
    assert gan.export(tmp_path) == tmp_path / "1"
    assert gan.export(tmp_path, version=9) == tmp_path / "9"
    assert gan.export(tmp_path) == tmp_path / "10"
    with pytest.raises(FileExistsError, match="Received: version=9"):
        gan.export(tmp_path, version=9)
    with pytest.raises(ValueError, match="version must be .* Received: 0"):
        gan.export(tmp_path, version=0)
    assert sorted(os.listdir(tmp_path)) == ["1", "10", "9"], "no temporary folder stays"


@pytest.mark.skipif(
    not importlib.util.find_spec("tensorflow_serving"), reason="needs the extra serving"
)
def test_warm_up_requests_fit_the_signatures(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    for name, (_, path) in exported.items():
        serve, seen = signatures(path), set()
        for record in tf.data.TFRecordDataset(str(path / export.WARM_UP_FILE)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            seen.add(request.model_spec.signature_name)
            inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
            output = serve[request.model_spec.signature_name](
                **{key: tf.constant(value) for key, value in inputs.items()}
            )
            assert next(iter(output.values())).shape[0] == 1
        assert seen == set(serve), name


def test_without_the_extra_serving_there_is_no_warm_up(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    path = make_points_gan().export(tmp_path)
    assert not (path / "assets.extra").exists()


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_served_as_it_computes(dtype, tmp_path):
    gan = make_gan(channels=3, dtype=dtype, num_classes=3)
    serve = signatures(gan.export(tmp_path))["generate"]
    order = {"seed": tf.constant(1, tf.int64), "count": tf.constant(4)}
    images = serve(**order, label=tf.constant([0, 1, 2, 0]))["image"]
    assert images.dtype == tf.float32
    want = (gan.generate(4, np.array([0, 1, 2, 0]), seed=1) + 1) / 2
    np.testing.assert_allclose(images, want, atol=2e-2)


# --- ONNX and LiteRT ------------------------------------------------------------------------------


def run_onnx(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["image"], inputs)[0]


def run_litert(path, inputs):
    return export._litert_interpreter()(str(path)).get_signature_runner()(**inputs)["image"]


NEEDS_ONNX = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime")),
    reason="needs the extra onnx",
)
NEEDS_LITERT = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 13), reason="needs Keras 3.13"
)
FILES = [
    pytest.param("onnx", "model.onnx", run_onnx, marks=NEEDS_ONNX),
    pytest.param("litert", "model.tflite", run_litert, marks=NEEDS_LITERT),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["grey", "classes", "vectors"])
@pytest.mark.parametrize("format, file, run", FILES)
def test_a_file_computes_what_the_model_computes(name, format, file, run, exported, tmp_path):
    gan, _ = exported[name]
    path = gan.export(tmp_path / file, format=format)
    assert path == tmp_path / file and os.listdir(tmp_path) == [file]
    for n in (1, 7):
        latents = np.random.default_rng(n).normal(size=(n, LATENT_DIM)).astype("float32")
        labels = labels_of(gan, n)
        inputs = {"latent": latents} if labels is None else {"latent": latents, "label": labels}
        want = gan.predict(latents if labels is None else [latents, labels], verbose=0)
        np.testing.assert_allclose(run(path, inputs), want, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format, file, run", FILES)
def test_mixed_precision_is_written_in_float32(format, file, run, tmp_path):
    gan = make_gan(channels=3, dtype="mixed_bfloat16", num_classes=3)
    exact = make_gan(channels=3, num_classes=3)
    exact.averaged_generator.set_weights(gan.averaged_generator.get_weights())
    path = gan.export(tmp_path / file, format=format)
    latents = np.random.default_rng(0).normal(size=(3, LATENT_DIM)).astype("float32")
    labels = np.arange(3, dtype="int32")
    got = run(path, {"latent": latents, "label": labels})
    np.testing.assert_allclose(got, exact.predict([latents, labels], verbose=0), atol=1e-5)


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "onnx" in name else find_spec(name)
    )
    with pytest.raises(ImportError, match=r"kgan\[onnx\].*without tf2onnx, onnx, onnxruntime"):
        make_points_gan().export(tmp_path / "model.onnx", format="onnx")


def test_an_old_keras_is_told_what_litert_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.12.1")
    with pytest.raises(ImportError, match=r"Keras 3\.13 .* Received: keras 3\.12\.1"):
        make_points_gan().export(tmp_path / "model.tflite", format="litert")


# --- Exports that are not written -----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "format, file",
    [
        ("tf_saved_model", "1"),
        pytest.param("onnx", "model.onnx", marks=NEEDS_ONNX),
        pytest.param("litert", "model.tflite", marks=NEEDS_LITERT),
    ],
)
def test_an_export_that_computes_something_else_is_removed(format, file, tmp_path, monkeypatch):
    """The exporter writes batch norm in training mode, the mistake that people report."""
    gan = make_gan()
    gan.averaged_generator.trainable = True
    call = keras.layers.BatchNormalization.call
    owner, name = (export, "_signatures") if file == "1" else (keras.Model, "export")
    exporter = getattr(owner, name)

    def export_in_training_mode(*args, **kwargs):
        def call_in_training_mode(self, inputs, training=None, mask=None):
            return call(self, inputs, training=True, mask=mask)

        with monkeypatch.context() as patch:
            patch.setattr(keras.layers.BatchNormalization, "call", call_in_training_mode)
            return exporter(*args, **kwargs)

    monkeypatch.setattr(owner, name, export_in_training_mode)
    target = tmp_path if file == "1" else tmp_path / file
    with pytest.raises(kgan.export.ExportMismatchError, match="largest difference of") as error:
        gan.export(target, format=format)
    assert str(tmp_path / file) in str(error.value)
    assert os.listdir(tmp_path) == []


def test_another_draw_than_gan_generates_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(export._SeedTensor, "next", lambda self, ordered=True: self._pair + 1)
    with pytest.raises(export.ExportMismatchError, match="largest difference of"):
        make_gan().export(tmp_path)
    assert os.listdir(tmp_path) == []


def test_tolerance_decides(tmp_path):
    gan = make_gan(dtype="mixed_bfloat16")
    gan.export(tmp_path, tolerance=1.0)
    with pytest.raises(ValueError, match="tolerance must be above 0. Received: 0"):
        gan.export(tmp_path, tolerance=0)


def test_a_diverged_generator_is_not_exported(tmp_path):
    gan = make_points_gan()
    gan.averaged_generator.set_weights([w * np.nan for w in gan.averaged_generator.get_weights()])
    with pytest.raises(ValueError, match="not finite.* Received: 2 of 2"):
        gan.export(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def crash(module, path, **_):
        (pathlib.Path(path) / "saved_model.pb").write_text("half of it")
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", crash)
    with pytest.raises(OSError, match="disk full"):
        make_points_gan().export(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "file, format, error, message",
    [
        ("x", "tf_savedmodel", ValueError, "'litert', 'onnx', 'tf_saved_model'.*'tf_savedmodel'"),
        ("file", "tf_saved_model", NotADirectoryError, "needs a folder .* Received a file: .*file"),
        ("file/x", "tf_saved_model", OSError, "file"),
        ("model.pb", "onnx", ValueError, r"ends in \.onnx\. Received: .*model\.pb"),
        ("model.onnx", "litert", ValueError, r"ends in \.tflite\. Received: .*model\.onnx"),
        ("folder.onnx", "onnx", IsADirectoryError, "Received a folder"),
    ],
)
def test_a_wrong_place_or_format_is_named(file, format, error, message, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(error, match=message):
        make_points_gan().export(tmp_path / file, format=format)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.onnx"]


# --- Program --------------------------------------------------------------------------------------


def run_main(monkeypatch, *argv):
    values = flags.FlagValues()
    export.define_flags(values)
    monkeypatch.setattr(export, "FLAGS", values)
    return export.main(values(["export", *argv]))


def test_program_exports_a_run_again(tmp_path, monkeypatch, capsys):
    gan = make_points_gan()
    gan.save(tmp_path / "model.keras")
    capsys.readouterr()
    assert run_main(monkeypatch, str(tmp_path)) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'export' / '1'}\n"
    assert run_main(monkeypatch, str(tmp_path), "--out", str(tmp_path / "other")) == 0
    order = {"seed": tf.constant(5, tf.int64), "count": tf.constant(2)}
    points = signatures(tmp_path / "other" / "1")["generate"](**order)["image"]
    np.testing.assert_allclose(points, (gan.generate(2, seed=5) + 1) / 2, atol=1e-6)


def test_program_says_in_a_line_what_is_wrong(tmp_path, monkeypatch, capsys):
    assert run_main(monkeypatch, str(tmp_path / "nowhere")) == 2
    assert run_main(monkeypatch) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("kgan.export: Expected a run's folder") and "nowhere" in lines[0]
    assert lines[1].startswith("Usage: python -m kgan.export RUN")
