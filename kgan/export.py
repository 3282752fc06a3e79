r"""A trained GAN -> TensorFlow Serving, ONNX, LiteRT.

Exports a run's GAN again:

    python -m kgan.export runs/dcgan_mnist
    python -m kgan.export runs/dcgan_mnist --format onnx --out generator.onnx
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import warnings

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from kgan import batches
from kgan.files import atomic_path
from kgan.grid import CHANNELS
from kgan.quiet import quiet_absl
from kgan.registry import suggest

# Largest difference between the exported generator's samples, in [-1, 1], and the model's: 1/80 of
# an 8-bit grey level, while float32 rounding makes about 1e-6.
TOLERANCE = 1e-4
# float16 and bfloat16 keep 8 to 11 bits, and a graph may round at other places than the model.
HALF_PRECISION_TOLERANCE = 5e-2
FLAGS = flags.FLAGS
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
# What a process of its own does where this one has another backend: its arguments are a `.keras`
# file, where to export to, and `export_gan`'s other arguments as JSON.
OTHER_PROCESS = """
import json, sys
import kgan
from kgan.export import export_gan
file, path, arguments = sys.argv[1:]
try:
    print(export_gan(kgan.load_gan(file), path, **json.loads(arguments)))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class ExportError(RuntimeError):
    """TensorFlow could not export, in a process of its own, what another backend has trained."""


class ExportMismatchError(RuntimeError):
    """An exported generator does not compute what the model computes."""


def export_gan(gan, path, format="tf_saved_model", tolerance=None, **kwargs):
    """Writes the averaged generator, in inference mode, for use without kgan and Keras.

    `"tf_saved_model"` is for TensorFlow Serving, or `tf.saved_model.load`. `path` is the model's
    base folder; the SavedModel goes to a numbered version in it, `path/1` first and one above the
    highest afterwards, since a server that watches the folder serves the highest. It has these
    signatures, where `label` is there for conditional GANs only: int32 `(batch,)` for
    `num_classes`, float32 `(batch, condition_dim)` for `condition_dim`.

    * `serving_default`: `latent` float32 `(batch, latent_dim)`, `label` -> `image` float32.
    * `generate`: `seed` int64 scalar, `count` int32 scalar, `label` of `count` or of one for all
      -> `image` float32, the same samples as `gan.generate(count, labels, seed)`.
    * `generate_png`: likewise -> `image_bytes`, strings of PNG files: grey, grey and alpha, RGB or
      RGBA for 1, 2, 3 or 4 channels. Samples that are no such images have no `generate_png`.

    Here `image` is in [0, 1]. Samples that are not images are mapped alike, and not clipped. With
    the extra `kgan[serving]` installed, the version holds requests that warm a server up (one for
    each signature, in `assets.extra/tf_serving_warmup_requests`); without it, it does not.

    `"onnx"` (extra `kgan[onnx]`) and `"litert"` (Keras 3.13 or later) write one file, with inputs
    `latent` and `label`, and samples in [-1, 1] as the only output. A generator of a mixed
    precision is computed in float32 there.

    What was written is loaded, run on random latents and labels, and compared with the model.
    It gets its name only then, so a reader finds a whole and checked export or none.

    All formats are TensorFlow's. Under another backend the GAN is saved, and a process of its own
    with `KERAS_BACKEND=tensorflow` loads and exports it; `generate` then draws from its own seeds.

    Args:
        gan: `kgan.GAN`.
        path: str or path: a folder for `"tf_saved_model"`, a file that ends in `.onnx` for
            `"onnx"` or in `.tflite` for `"litert"`; an old file is replaced.
        format: `"tf_saved_model"`, `"onnx"` or `"litert"`. Defaults to `"tf_saved_model"`.
        tolerance: float > 0, largest difference from the model's samples in [-1, 1] (relative
            to the largest value, where that is above 1). Defaults to 1e-4, and 5e-2 for a
            SavedModel that computes in float16 or bfloat16. A quantised LiteRT file needs more.
        **kwargs: for `"tf_saved_model"`, `version` (int >= 1; defaults to the next number); for
            the others, what Keras's exporter of the format takes, such as `opset_version`.

    Returns:
        Path of the version's folder, or of the file.

    Raises:
        ValueError: if the format is unknown, the path has the wrong suffix, or the GAN makes
            samples that are not finite.
        OSError: if the path cannot be written, or the version exists.
        ImportError: if the format needs a package that is missing.
        ExportMismatchError: if the export computes something else; nothing is left of it.
        ExportError: if the process of TensorFlow fails; the message holds what it said.

    Example:
    >>> gan.export("export").as_posix()
    'export/1'
    >>> serve = tf.saved_model.load("export/1").signatures["generate"]
    >>> images = serve(seed=tf.constant(1, tf.int64), count=tf.constant(4))["image"]
    """
    if format not in FORMATS:
        raise ValueError(f"Unknown format. {suggest(format, FORMATS)} Received: {format!r}")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance must be above 0. Received: {tolerance!r}")
    path = pathlib.Path(path)
    if keras.backend.backend() != "tensorflow":
        return _export_elsewhere(gan, path, format=format, tolerance=tolerance, **kwargs)
    return FORMATS[format](gan, path, tolerance, **kwargs)


def _export_elsewhere(gan, path, **arguments):
    """Exports in a process with TensorFlow as the backend."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/model.keras"
        gan.save(file)
        answer = subprocess.run(
            [sys.executable, "-c", OTHER_PROCESS, file, str(path), json.dumps(arguments)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode:
        raise ExportError(
            "Exports are made by TensorFlow, in a process of its own, which failed. Save the GAN, "
            "load the .keras file under KERAS_BACKEND=tensorflow with its custom classes imported, "
            f"and export it there. Received: {answer.stderr.strip().splitlines()[-1:]}"
        )
    return pathlib.Path(answer.stdout.strip().splitlines()[-1])


# --- SavedModel -----------------------------------------------------------------------------------


def _export_saved_model(gan, path, tolerance, version=None):
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"A SavedModel needs a folder for its numbered versions. Received a file: {path}"
        )
    if version is None:
        version = _next_version(path)
    elif not (isinstance(version, int) and version >= 1):
        raise ValueError(f"version must be an int of 1 or more. Received: {version!r}")
    target = path / str(version)
    if target.exists():
        raise FileExistsError(
            f"Version {version} exists, and a server may be reading it: give another version, or "
            f"None for the next. Received: version={version} in {path}"
        )
    if tolerance is None:
        exact = _computes_in_float32(gan.averaged_generator)
        tolerance = TOLERANCE if exact else HALF_PRECISION_TOLERANCE
    with _atomic_folder(target) as temporary:
        # Holds variables only: whatever Keras object hung on it would be looked for at loading.
        module = tf.Module()
        module.weights = [variable.value for variable in gan.averaged_generator.variables]
        tf.saved_model.save(module, str(temporary), signatures=_signatures(gan))
        _write_warm_up(gan, temporary)
        serve = tf.saved_model.load(str(temporary)).signatures
        _check(
            lambda **inputs: serve["serving_default"](**inputs)["image"],
            lambda **inputs: _to_unit_range(gan, gan(_model_inputs(gan, inputs))),
            [_example_inputs(gan, n) for n in (1, 3)],
            tolerance / 2,  # [0, 1] is half as long as [-1, 1].
            target,
        )
        _check(
            lambda seed, count, **label: serve["generate"](
                seed=tf.constant(seed, tf.int64), count=tf.constant(count), **label
            )["image"],
            lambda seed, count, label=None: _to_unit_range(
                gan, gan.generate(count, label, seed=seed)
            ),
            [{"seed": 7, "count": 3, **_example_label(gan, 3)}],
            tolerance / 2,
            target,
        )
    return target


@contextlib.contextmanager
def _atomic_folder(path):
    """Yields a temporary folder beside `path`, and renames it to `path` if nothing raises."""
    # Its name is no number, so that a server does not take it for a version.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _next_version(path):
    versions = [int(p.name) for p in path.glob("*") if p.name.isdecimal()]
    return max(versions, default=0) + 1


def _signatures(gan):
    """Returns what the SavedModel serves: concrete functions by name."""

    def image(latent, label):
        inputs = {"latent": latent}
        if label is not None:
            inputs["label"] = batches.check_labels(label, gan.num_classes, gan.condition_dim)
        return _to_unit_range(gan, gan(_model_inputs(gan, inputs)))

    def draw(seed, count, label):
        tf.debugging.Assert(count >= 1, ["count must be 1 or more. Received:", count])
        if label is not None:
            label = tf.broadcast_to(label, [count, *label.shape[1:]])
        return image(gan.draw_latents(count, _SeedTensor(seed)), label)

    @tf.function
    def serving_default(latent, label=None):
        return {"image": image(latent, label)}

    @tf.function
    def generate(seed, count, label=None):
        return {"image": draw(seed, count, label)}

    @tf.function
    def generate_png(seed, count, label=None):
        pixels = tf.cast(tf.round(draw(seed, count, label) * 255), tf.uint8)
        return {"image_bytes": tf.io.encode_png(pixels)}

    label = _label_spec(gan)
    latent = {"latent": tf.TensorSpec((None, gan.latent_dim), tf.float32)}
    order = {"seed": tf.TensorSpec((), tf.int64), "count": tf.TensorSpec((), tf.int32)}
    signatures = {
        "serving_default": serving_default.get_concrete_function(**latent, **label),
        "generate": generate.get_concrete_function(**order, **label),
    }
    if _makes_pictures(gan):
        signatures["generate_png"] = generate_png.get_concrete_function(**order, **label)
    return signatures


class _SeedTensor(keras.random.SeedGenerator):
    """Gives `keras.random` a seed that is known only when the graph runs, as if it were an int."""

    def __init__(self, seed):
        self._pair = tf.stack([seed, tf.zeros_like(seed)])

    def next(self, ordered=True):
        return self._pair


def _to_unit_range(gan, samples):
    samples = (tf.convert_to_tensor(samples) + 1) / 2
    return tf.clip_by_value(samples, 0.0, 1.0) if len(gan.image_shape) == 3 else samples


def _makes_pictures(gan):
    return len(gan.image_shape) == 3 and gan.image_shape[-1] in CHANNELS


def _write_warm_up(gan, folder):
    """Writes a request for each signature, if tensorflow-serving-api is there to spell them."""
    try:
        from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
    except ImportError:
        return
    order = {"seed": np.int64(0), "count": np.int32(1), **_example_label(gan, 1)}
    requests = {"serving_default": _example_inputs(gan, 1), "generate": order}
    if _makes_pictures(gan):
        requests["generate_png"] = order
    (folder / WARM_UP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(signature_name=signature),
                inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


# --- ONNX and LiteRT, through Keras's exporters ---------------------------------------------------


def _export_onnx(gan, path, tolerance, **kwargs):
    _check_file(path, "onnx")
    _require("onnx", "tf2onnx", "onnx", "onnxruntime")
    import onnxruntime

    def load(file):
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return lambda **inputs: session.run(None, inputs)[0]

    return _export_file(gan, path, tolerance, load, format="onnx", **kwargs)


def _export_litert(gan, path, tolerance, **kwargs):
    _check_file(path, "litert")
    if tuple(int(part) for part in keras.__version__.split(".")[:2]) < (3, 13):
        raise ImportError(
            "format='litert' needs Keras 3.13 or later: pip install -U keras. "
            f"Received: keras {keras.__version__}"
        )
    interpreter_class = _litert_interpreter()

    def load(file):
        with warnings.catch_warnings():
            # TensorFlow announces that its own interpreter will leave it.
            warnings.simplefilter("ignore")
            interpreter = interpreter_class(file)
        run = interpreter.get_signature_runner()
        return lambda **inputs: next(iter(run(**inputs).values()))

    return _export_file(gan, path, tolerance, load, format="litert", **kwargs)


def _litert_interpreter():
    """Returns the interpreter of the package that replaces TensorFlow's, or TensorFlow's."""
    if importlib.util.find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    if not hasattr(tf.lite, "Interpreter"):
        _require("litert", "ai_edge_litert")
    return tf.lite.Interpreter


def _export_file(gan, path, tolerance, load, **kwargs):
    generator = _in_float32(gan.averaged_generator)
    model = _inference_model(gan, generator)
    with atomic_path(path) as temporary:
        with warnings.catch_warnings():
            # Keras's patch of tf2onnx looks for np.object.
            warnings.simplefilter("ignore", FutureWarning)
            model.export(str(temporary), verbose=False, **kwargs)
        _check(
            load(str(temporary)),
            lambda **inputs: generator(_model_inputs(gan, inputs), training=False),
            [_example_inputs(gan, n) for n in (1, 3)],
            TOLERANCE if tolerance is None else tolerance,
            path,
        )
    return path


def _check_file(path, format):
    if path.suffix != SUFFIXES[format]:
        raise ValueError(
            f"format={format!r} writes a file whose name ends in {SUFFIXES[format]}. "
            f"Received: {path}"
        )
    if path.is_dir():
        raise IsADirectoryError(f"format={format!r} writes a file. Received a folder: {path}")


def _require(format, *packages):
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ImportError(
            f"format={format!r} needs {', '.join(packages)}: pip install 'kgan[{format}]'. "
            f"Received an environment without {', '.join(missing)}"
        )


def _inference_model(gan, generator):
    """Returns the generator in inference mode, with named inputs and output."""
    inputs = {"latent": keras.Input((gan.latent_dim,), name="latent")}
    for name, spec in _label_spec(gan).items():
        inputs[name] = keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=name)
    inputs = _model_inputs(gan, inputs)
    images = generator(inputs, training=False)
    images = keras.layers.Identity(dtype="float32", name="image")(images)
    model = keras.Model(inputs, {"image": images})
    # Keras exports only models that have run.
    model(_model_inputs(gan, _example_inputs(gan, 1)))
    return model


def _computes_in_float32(network):
    return all(layer.compute_dtype == "float32" for layer in network._flatten_layers())


def _in_float32(network):
    """Returns the network, or a copy that computes in float32, with the same weights."""
    if _computes_in_float32(network):
        return network
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        config = keras.saving.serialize_keras_object(network)
        copy = keras.saving.deserialize_keras_object(_float32_config(config))
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(network.get_weights())
    return copy


def _float32_config(config):
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32"
        return {
            key: "float32"
            if key == "dtype" and isinstance(value, str) and "float" in value
            else _float32_config(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return [_float32_config(value) for value in config]
    return config


# --- What every format needs ----------------------------------------------------------------------


FORMATS = {
    "tf_saved_model": _export_saved_model,
    "onnx": _export_onnx,
    "litert": _export_litert,
}


def _check(exported, model, examples, tolerance, path):
    """Compares what was exported with the model on each of the examples."""
    with _without_tensor_float_32():
        for inputs in examples:
            want = np.asarray(model(**inputs))
            if not np.all(np.isfinite(want)):
                raise ValueError(
                    "The averaged generator makes samples that are not finite, so there is "
                    f"nothing to export. Received: {np.sum(~np.isfinite(want))} of {want.size} "
                    "values are NaN or infinite"
                )
            got = np.asarray(exported(**inputs))
            if got.shape != want.shape:
                raise ExportMismatchError(
                    f"{path} was not written, since the export makes samples of another shape: "
                    f"expected {want.shape}. Received: {got.shape}"
                )
            difference = np.max(np.abs(got - want)) / max(1, np.max(np.abs(want)))
            if not difference <= tolerance:
                raise ExportMismatchError(
                    f"{path} was not written, since the export does not compute what the model "
                    f"computes: samples may differ by {tolerance:g}. Received: a largest "
                    f"difference of {difference:g} on {len(want)} random samples"
                )


@contextlib.contextmanager
def _without_tensor_float_32():
    """Lets a GPU multiply in full float32: its usual 10 bits would hide what the check is for."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled)


def _model_inputs(gan, inputs):
    return gan._inputs(inputs["latent"], inputs.get("label"))


def _label_spec(gan):
    if gan.num_classes is not None:
        return {"label": tf.TensorSpec((None,), tf.int32)}
    if gan.condition_dim is not None:
        return {"label": tf.TensorSpec((None, gan.condition_dim), tf.float32)}
    return {}


def _example_inputs(gan, n):
    latents = keras.ops.convert_to_numpy(gan.draw_latents(n, n))
    return {"latent": latents, **_example_label(gan, n)}


def _example_label(gan, n):
    random = np.random.default_rng(n)
    if gan.num_classes is not None:
        return {"label": random.integers(gan.num_classes, size=n, dtype="int32")}
    if gan.condition_dim is not None:
        return {"label": random.uniform(size=(n, gan.condition_dim)).astype("float32")}
    return {}


# --- Program --------------------------------------------------------------------------------------


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.export`."""
    flags.DEFINE_enum(
        "format", "tf_saved_model", list(FORMATS), "What to write.", flag_values=flag_values
    )
    flags.DEFINE_string(
        "out",
        None,
        "Folder of the SavedModel's numbered versions, or file of the others. Defaults to export, "
        "model.onnx or model.tflite in the run's folder, or here for a preset.",
        flag_values=flag_values,
    )


def main(argv):
    """Exports the GAN of a run, and prints where it is.

    Args:
        argv: list of str, the program's name and the run's folder, `.keras` file or preset.

    Returns:
        Exit code: 0, or 2 after a line that says what is wrong.
    """
    from kgan import loading

    if len(argv) != 2:
        print(f"Usage: python -m kgan.export RUN [flags]. Received: {argv[1:]}", file=sys.stderr)
        return 2
    format = FLAGS.format
    default = "export" if format == "tf_saved_model" else f"model{SUFFIXES[format]}"
    try:
        run = loading.find(argv[1])
        folder = loading.output_folder(run) or pathlib.Path()
        with quiet_absl():
            path = export_gan(loading.load_gan(run), FLAGS.out or folder / default, format=format)
    except (ValueError, OSError, ImportError, ExportError, ExportMismatchError) as error:
        print(f"kgan.export: {error}", file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    define_flags()
    app.run(main)
