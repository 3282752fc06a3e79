"""Checks that every class of a kind must pass: a new class gets them all by naming itself."""

import doctest
import inspect
import json
import re
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

import kgan

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def run_layer_test(
    cls, init_kwargs, input_data, expected_output_shape, weights_without_gradient=()
):
    """Checks a layer's shapes, config, saving, precisions, gradients and docstring.

    Args:
        cls: subclass of `keras.layers.Layer`.
        init_kwargs: dict. Arguments of its constructor.
        input_data: array, or list of arrays, of a batch of at least 2.
        expected_output_shape: tuple. Shape of the output for `input_data`; a dict of tuples for a
            layer whose output is a dict.
        weights_without_gradient: tuple of str. Names of trainable weights that the output's sum
            rightly does not depend on.
    """
    layer = cls(**_fresh(init_kwargs))
    outputs = _named(layer(input_data))
    expected_shapes = _named(expected_output_shape)
    assert {name: tuple(x.shape) for name, x in outputs.items()} == expected_shapes
    computed_shapes = _named(layer.compute_output_shape(_shape(input_data)))
    assert {name: tuple(shape) for name, shape in computed_shapes.items()} == expected_shapes
    check_config(cls, init_kwargs)
    inputs = tf.nest.map_structure(lambda x: keras.Input(x.shape[1:], dtype=x.dtype), input_data)
    model = keras.Model(inputs, layer(inputs))
    for name, x in _named(model.output).items():
        assert x.shape == (None, *expected_shapes[name][1:])
    check_saving(model, input_data)
    check_gradients(layer, input_data, weights_without_gradient)
    check_jit_compile(layer, input_data)
    for policy in POLICIES:
        layer = cls(**_fresh(init_kwargs), dtype=policy)
        own_dtype = init_kwargs.get("dtype", layer.compute_dtype)
        for output in _named(layer(input_data)).values():
            assert keras.backend.standardize_dtype(output.dtype) == own_dtype
            assert_finite(output)
    check_docstring(cls)


def run_backbone_test(
    cls, init_kwargs, input_data, expected_output_shape, weights_without_gradient=()
):
    """Checks a network's shapes, config, cloning, saving, precisions, gradients and docstring.

    Args:
        cls: subclass of `kgan.backbones.Backbone`.
        init_kwargs: dict. Arguments of its constructor, for a tiny network.
        input_data: array, or list `[latent or image, label]`, of a batch of at least 2.
        expected_output_shape: tuple. Shape of the output for `input_data`.
        weights_without_gradient: tuple of str. Names of trainable weights that the output's sum
            rightly does not depend on.
    """
    model = cls(**init_kwargs)
    assert isinstance(model, kgan.backbones.Backbone)
    assert tuple(model(input_data).shape) == expected_output_shape
    assert model.outputs[0].shape == (None, *expected_output_shape[1:])
    check_input_names(model)
    check_config(cls, init_kwargs)
    check_same_architecture(model, cls.from_config(model.get_config()))
    check_same_architecture(model, keras.models.clone_model(model))
    check_saving(model, input_data)
    check_gradients(model, input_data, weights_without_gradient)
    check_jit_compile(model, input_data)
    for policy in POLICIES:
        check_backbone_precision(cls, init_kwargs, input_data, policy)
    check_docstring(cls)


def check_input_names(model):
    """Inputs are named for what they are, labels last."""
    names = [x.name for x in model.inputs]
    assert names in (["latent"], ["image"], ["latent", "label"], ["image", "label"]), names


def check_config(cls, init_kwargs):
    """Every argument is an attribute, comes back from `get_config`, and survives JSON."""
    instance = cls(**_fresh(init_kwargs))
    config = instance.get_config()
    parameters = inspect.signature(cls.__init__).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    for name in names:
        assert name in config, f"{cls.__name__}.get_config() lacks {name!r}"
        assert hasattr(instance, name), f"{cls.__name__} has no attribute {name!r}"
        if name != "dtype" and name in init_kwargs:
            assert _plain(getattr(instance, name)) == _plain(init_kwargs[name]), name
    assert {"name", "trainable", "dtype"} <= set(config)

    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(instance)))
    revived = keras.saving.deserialize_keras_object(stored)
    assert type(revived) is cls
    assert _plain(revived.get_config()) == _plain(config)

    renamed = cls.from_config({**config, "name": "another", "trainable": False})
    assert renamed.name == "another"
    assert not renamed.trainable


def check_same_architecture(model, other):
    """Both have layers of the same classes and names, and weights of the same shapes."""
    assert [type(x) for x in other.layers] == [type(x) for x in model.layers]
    assert [_plain(x.get_config()) for x in other.layers] == [
        _plain(x.get_config()) for x in model.layers
    ]
    assert [w.shape for w in other.weights] == [w.shape for w in model.weights]


def check_saving(model, input_data):
    """A `.keras` file loads without custom objects and computes the same numbers."""
    _randomize(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        loaded = keras.models.load_model(f"{folder}/model.keras")
    assert type(loaded) is type(model)
    expected = _named(model(input_data))
    for name, output in _named(loaded(input_data)).items():
        np.testing.assert_array_equal(output, expected[name])


def check_gradients(layer, input_data, weights_without_gradient=()):
    """The loss depends on every trainable variable, apart from those named.

    A layer without any is differentiated with respect to its inputs.
    """
    inputs = tf.nest.map_structure(tf.convert_to_tensor, input_data)
    with tf.GradientTape() as tape:
        tape.watch(_floats(inputs))
        loss = sum(map(_random_projection, _named(layer(inputs, training=True)).values()))
    variables = layer.trainable_variables
    if not variables:
        check_input_gradients(tape, loss, inputs)
        return
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        reached = gradient is not None and np.any(tf.convert_to_tensor(gradient))
        assert reached != (variable.name in weights_without_gradient), variable.path
        if gradient is not None:
            assert_finite(tf.convert_to_tensor(gradient))


def check_input_gradients(tape, loss, inputs):
    """The loss depends on every input of floats."""
    for gradient in tape.gradient(loss, _floats(inputs)):
        assert gradient is not None and np.any(gradient)
        assert_finite(gradient)


def check_jit_compile(layer, input_data):
    """XLA computes the same numbers as eager execution."""
    compiled = tf.function(lambda x: layer(x, training=False), jit_compile=True)
    expected = _named(layer(input_data, training=False))
    for name, output in _named(compiled(tf.nest.map_structure(tf.constant, input_data))).items():
        np.testing.assert_allclose(output, expected[name], rtol=1e-4, atol=1e-5)


def check_backbone_precision(cls, init_kwargs, input_data, policy):
    """Under each policy, layers compute in its dtype, and outputs are finite and float32."""
    model = cls(**init_kwargs, dtype=policy)
    computes = {layer.compute_dtype for layer in model.layers}
    assert keras.DTypePolicy(policy).compute_dtype in computes
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    for training in (False, True):
        outputs = model(input_data, training=training)
        assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
        assert_finite(outputs)
    # The last computation is float32 as well, not a cast of a rounded result.
    assert model.layers[-1].compute_dtype == "float32"
    revived = cls.from_config(model.get_config())
    assert [x.compute_dtype for x in revived.layers] == [x.compute_dtype for x in model.layers]


def check_docstring(cls):
    """The docstring describes every argument, and its example gives what it says."""
    documentation = inspect.getdoc(cls)
    # A class without a constructor of its own takes what its documented base takes.
    constructor = cls.__dict__.get("__init__", lambda self: None)
    for name in list(inspect.signature(constructor).parameters)[1:]:
        line = rf"^ +(\*\*)?{name}: "
        assert re.search(line, documentation, re.M), f"{cls.__name__}'s docstring lacks {name!r}"
    assert "Example:" in documentation, f"{cls.__name__}'s docstring lacks an example"
    has_paper = "https://" in documentation or "arXiv" in documentation
    assert has_paper or "et al." in documentation, f"{cls.__name__}'s docstring lacks the paper"
    names = {"kgan": kgan, "keras": keras, "np": np, "tf": tf}
    example = doctest.DocTestParser().get_doctest(documentation, names, cls.__name__, None, None)
    assert example.examples
    failures = doctest.DocTestRunner().run(example, out=sys.stderr.write).failed
    assert failures == 0


def assert_finite(x):
    """No number is infinite or no number at all."""
    assert np.all(np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))))


def _fresh(init_kwargs):
    """The same arguments with copies of layers, which a wrapper would otherwise share."""
    return {
        name: value.from_config(value.get_config())
        if isinstance(value, keras.layers.Layer)
        else value
        for name, value in init_kwargs.items()
    }


def _floats(inputs):
    return [x for x in tf.nest.flatten(inputs) if x.dtype.is_floating]


def _named(outputs):
    """Outputs by their names: a dict as it is, and a single one under the empty name."""
    return outputs if isinstance(outputs, dict) else {"": outputs}


def _random_projection(outputs):
    """A sum whose weights differ, lest it cancel, as a plain one would after batch norm."""
    weights = np.random.default_rng(0).normal(size=outputs.shape)
    return keras.ops.sum(keras.ops.cast(outputs, "float32") * weights)


def _shape(input_data):
    if isinstance(input_data, (list, tuple)):
        return [x.shape for x in input_data]
    return input_data.shape


def _plain(value):
    """A form in which equal configs are equal: objects as their JSON, and tuples as lists."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(value)))


def _randomize(model):
    """Gives every weight a value of its own, so that one which is not restored shows."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(rng.uniform(0.1, 1.0, size=weight.shape))


def run_loss_test(cls, init_kwargs, formula, columns=None, context=None):
    """Checks one player's loss against its formula, its gradient, config, saving and docstring.

    Args:
        cls: subclass of `kgan.losses.AdversarialLoss`.
        init_kwargs: dict. Arguments of its constructor.
        formula: function of float64 `(real, fake)` scores of 16 examples to the loss of each.
        columns: int or `None`. How many scores an example has, for a loss that looks at each by
            itself; `None` is one. Defaults to `None`.
        context: dict or `None`. What else the loss is called with. Defaults to `None`.
    """
    loss, context = cls(**init_kwargs), context or {}
    each = cls(**init_kwargs, reduction=None)
    for real, fake in (random_scores(columns), extreme_scores(columns)):
        expected = formula(real, fake)
        np.testing.assert_allclose(
            loss(real, fake, **context), np.mean(expected), rtol=1e-6, atol=1e-7
        )
        np.testing.assert_allclose(each(real, fake, **context), expected, rtol=1e-6, atol=1e-7)
        check_loss_gradient(lambda *x: loss(*x, **context), formula, real, fake)
    config = keras.saving.serialize_keras_object(loss)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert isinstance(copy, cls)
    assert copy.get_config() == loss.get_config()
    # A class without a constructor of its own has no arguments but Keras's.
    constructor = cls.__dict__.get("__init__", lambda self, **kwargs: None)
    for name in list(inspect.signature(constructor).parameters)[1:-1]:
        assert name in loss.get_config(), f"{cls.__name__}.get_config() lacks {name!r}"
        assert getattr(loss, name) == init_kwargs.get(name, getattr(cls(), name))
    check_docstring(cls)


def random_scores(columns=None):
    """Two float64 batches of 16 examples' scores, which float32 holds exactly."""
    shape = (2, 16) if columns is None else (2, 16, columns)
    return np.random.default_rng(0).normal(size=shape).astype("float32").astype("float64")


def extreme_scores(columns=None):
    """The same at -50 and 50, all four pairs of them; near these where equals would be a kink."""
    signs = np.random.default_rng(0).permuted([-50.0, 50.0] * 16 * (columns or 1))
    if columns is None:
        return signs.reshape(2, 16)
    return np.float32(signs.reshape(2, 16, columns) + random_scores(columns)).astype("float64")


def check_loss_gradient(loss, formula, real, fake, step=1e-5):
    """Compares gradients of the mean loss with central differences of the float64 formula.

    Args:
        loss: function of two float32 tensors to a scalar.
        formula: function of the two as float64 arrays to losses.
        real: float64 array, the first.
        fake: float64 array, the second.
        step: float. How far each number is moved. Defaults to 1e-5.
    """
    scores = [tf.constant(real, tf.float32), tf.constant(fake, tf.float32)]
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(*scores)
    gradients = tape.gradient(value, scores, unconnected_gradients="zero")
    for which, gradient in enumerate(map(np.array, gradients)):
        assert_finite(gradient)
        for i in np.ndindex(gradient.shape):
            moved = []
            for direction in (step, -step):
                shifted = [np.array(real, "float64"), np.array(fake, "float64")]
                shifted[which][i] += direction
                moved.append(np.mean(formula(*shifted)))
            central = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(gradient[i], central, rtol=1e-5, atol=1e-7)
