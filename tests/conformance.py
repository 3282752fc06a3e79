"""Checks that every class of a kind must pass: a new class gets them all by naming itself."""

import doctest
import inspect
import json
import re
import sys
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.frameworks import BACKEND, gradients, variable_gradients, xla

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
    inputs = keras.tree.map_structure(lambda x: keras.Input(x.shape[1:], dtype=x.dtype), input_data)
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

    def loss(inputs):
        return sum(map(_random_projection, _named(layer(inputs, training=True)).values()))

    variables = layer.trainable_variables
    if not variables:
        check_input_gradients(loss, input_data)
        return
    found = variable_gradients(lambda: loss(input_data), variables)
    for variable, gradient in zip(variables, found, strict=True):
        assert np.any(gradient) != (variable.name in weights_without_gradient), variable.path
        assert_finite(gradient)


def check_input_gradients(loss, input_data):
    """The loss depends on every input of floats."""
    leaves = keras.tree.flatten(input_data)
    places = [i for i, x in enumerate(leaves) if np.asarray(x).dtype.kind == "f"]

    def of_floats(*floats):
        given = dict(zip(places, floats, strict=True))
        merged = [given.get(i, x) for i, x in enumerate(leaves)]
        return loss(keras.tree.pack_sequence_as(input_data, merged))

    for gradient in gradients(of_floats, [leaves[i] for i in places]):
        assert np.any(gradient)
        assert_finite(gradient)


def check_jit_compile(layer, input_data):
    """XLA computes the same numbers as eager execution."""
    compiled = xla(lambda x: layer(x, training=False))
    expected = _named(layer(input_data, training=False))
    for name, output in _named(compiled(input_data)).items():
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
    if BACKEND != "tensorflow":  # whose tensors the examples show
        return
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
    scores = [np.asarray(side, "float32") for side in (real, fake)]
    for which, gradient in enumerate(gradients(loss, scores)):
        assert_finite(gradient)
        for i in np.ndindex(gradient.shape):
            moved = []
            for direction in (step, -step):
                shifted = [np.array(real, "float64"), np.array(fake, "float64")]
                shifted[which][i] += direction
                moved.append(np.mean(formula(*shifted)))
            central = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(gradient[i], central, rtol=1e-5, atol=1e-7)


def run_metric_test(
    cls,
    init_kwargs,
    real,
    fake,
    two_replicas,
    labels=None,
    least=2,
    rtol=1e-6,
    order_matters=False,
    prepare=None,
):
    """Checks that a measure says the same however it is fed, and its errors, config and docstring.

    Args:
        cls: subclass of `kgan.metrics.GANMetric` that is called as `update_state(real, fake)`.
        init_kwargs: dict. Arguments of its constructor.
        real: float32 array of at least 6 examples, whose shape the metric takes; None where it
            does not look at reals.
        fake: float32 array likewise.
        two_replicas: the fixture.
        labels: int array, the classes of both sides, or None. Defaults to None.
        least: int. How many examples of a side a result needs at least. Defaults to 2.
        rtol: float. How far results may differ from one way of feeding to another, relative to
            their largest. Defaults to 1e-6.
        order_matters: bool. Whether the result depends on the order of the examples, so that
            replicas and merged metrics give another one. Defaults to False.
        prepare: function of each new metric, such as one that calls `adapt`, or None. Defaults to
            None.
    """
    check_metric_config(cls, init_kwargs)
    fed = _Fed(cls, init_kwargs, real, fake, labels, prepare)
    metric = fed.metric()
    fed.update(metric)
    expected = metric.results()
    assert tuple(expected) == tuple(metric.result_names)
    assert type(metric.best) is str or len(metric.best) == len(expected)
    result = metric.result()
    assert all(type(x) is float for x in (result.values() if type(result) is dict else [result]))
    assert np.all(np.isfinite(list(expected.values())))
    check_metric_feeding(fed, expected, rtol)
    check_metric_resets(fed, expected, rtol)
    check_metric_merging(fed, expected, rtol, order_matters)
    check_metric_replicas(fed, expected, rtol, order_matters, two_replicas)
    check_metric_refusals(fed, least)
    check_docstring(cls)


class _Fed:
    """What a metric is tested with, and how it is made."""

    def __init__(self, cls, init_kwargs, real, fake, labels, prepare):
        self.cls, self.init_kwargs, self.prepare = cls, init_kwargs, prepare
        self.sides = {"real": real, "fake": fake}
        self.sides = {side: values for side, values in self.sides.items() if values is not None}
        self.labels = labels

    def metric(self, built=False):
        """A new metric, ready for its first batch."""
        metric = self.cls(**_fresh(self.init_kwargs))
        if self.prepare:
            self.prepare(metric)
        if built:
            metric.build_for(next(iter(self.sides.values())).shape[1:])
        return metric

    def update(self, metric, part=slice(None), sides=("real", "fake"), update=None):
        """Gives the metric a part of some sides, with their labels."""
        batch = {side: values[part] for side, values in self.sides.items() if side in sides}
        if self.labels is not None:
            batch["labels"] = self.labels[part]
        (update or metric.update_state)(**{k: tf.constant(v) for k, v in batch.items()})


def check_metric_config(cls, init_kwargs):
    """The metric has a name of its own; every argument is an attribute and survives JSON."""
    assert getattr(kgan.metrics, cls.__name__) is cls
    assert kgan.metrics.base.METRICS._find(cls.alias) is cls
    metric = cls(**_fresh(init_kwargs))
    config = metric.get_config()
    for name in list(inspect.signature(cls.__init__).parameters)[1:]:
        assert name in config, f"{cls.__name__}.get_config() lacks {name!r}"
        assert hasattr(metric, name), f"{cls.__name__} has no attribute {name!r}"
        if name in init_kwargs:
            given = init_kwargs[name]
            given = kgan.metrics.features.get(given) if name == "features" and given else given
            assert _plain(getattr(metric, name)) == _plain(given), name
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    revived = keras.saving.deserialize_keras_object(stored)
    assert type(revived) is cls
    assert _plain(revived.get_config()) == _plain(config)
    assert cls.from_config({**config, "name": "another"}).result_names != metric.result_names


def check_metric_feeding(fed, expected, rtol):
    """Batches of whatever size, eager or compiled, of both sides or of one: the same result."""
    parts = (slice(0, 3), slice(3, 4), slice(4, None))
    metric = fed.metric()
    for part in parts:
        fed.update(metric, part)
    _assert_results(metric, expected, rtol)
    metric = fed.metric()
    for side in ("fake", "real"):
        for part in parts:
            fed.update(metric, part, sides=(side,))
    _assert_results(metric, expected, rtol)
    for jit_compile in (False, True):
        metric = fed.metric(built=True)
        compiled = tf.function(metric.update_state, jit_compile=jit_compile)
        for part in (slice(0, 4), slice(4, None)):
            fed.update(metric, part, update=compiled)
        _assert_results(metric, expected, rtol)
    metric = fed.metric()
    extracted = {side: metric.extract(values) for side, values in fed.sides.items()}
    metric.update_features(**extracted, labels=fed.labels)
    _assert_results(metric, expected, rtol)


def check_metric_resets(fed, expected, rtol):
    """A metric that has forgotten is a new one; forgotten fakes leave the reals."""
    metric = fed.metric()
    fed.update(metric, slice(0, 4))
    metric.reset_state()
    with pytest.raises(ValueError, match="Received"):
        metric.result()
    fed.update(metric)
    _assert_results(metric, expected, rtol)
    fed.update(metric, slice(0, 4), sides=("fake",))
    metric.reset_fakes()
    with pytest.raises(ValueError, match="Received"):
        metric.result()
    fed.update(metric, sides=("fake",))
    _assert_results(metric, expected, rtol)


def check_metric_merging(fed, expected, rtol, order_matters):
    """Two metrics that have seen a part each know together what one knows that has seen all."""
    first, second, third = fed.metric(), fed.metric(), fed.metric()
    fed.update(first, slice(0, 5))
    fed.update(second, slice(5, None))
    first.merge_state([third, second])
    _assert_results(first, expected, rtol, order_matters)
    third.merge_state([first])
    _assert_results(third, expected, rtol, order_matters)


def check_metric_replicas(fed, expected, rtol, order_matters, two_replicas):
    """Replicas that see a part each, and what is given outside of them, sum to the whole."""
    with two_replicas.scope():
        metric = fed.metric(built=True)
    update = tf.function(lambda batch: metric.update_state(**batch))

    def on_replicas(**batch):
        parts = {
            name: two_replicas.experimental_distribute_values_from_function(
                lambda context, x=x: x[context.replica_id_in_sync_group :: 2]
            )
            for name, x in batch.items()
        }
        two_replicas.run(update, args=(parts,))

    for part in (slice(0, 5), slice(5, None)):
        fed.update(metric, part, update=on_replicas)
    _assert_results(metric, expected, rtol, order_matters)
    metric.reset_state()
    fed.update(metric, slice(0, 3))
    fed.update(metric, slice(3, None), update=on_replicas)
    _assert_results(metric, expected, rtol, order_matters)
    other = fed.metric()
    fed.update(other, slice(3, None))
    metric.reset_state()
    fed.update(metric, slice(0, 3))
    metric.merge_state([other])
    _assert_results(metric, expected, rtol, order_matters)


def check_metric_refusals(fed, least):
    """What has no answer gets an error that says so, and never a number."""
    with pytest.raises(ValueError, match="Received"):
        fed.metric().result()
    for side, values in fed.sides.items():
        others = [name for name in fed.sides if name != side]
        metric = fed.metric()
        fed.update(metric, sides=others)
        if least > 1:
            fed.update(metric, slice(0, least - 1), sides=(side,))
        with pytest.raises(ValueError, match=f"(?s){side}.*Received"):
            metric.result()
        metric = fed.metric()
        fed.update(metric)
        spoilt = np.array(values[:3])
        spoilt[1] = np.nan
        labels = None if fed.labels is None else fed.labels[:3]
        metric.update_state(**{side: spoilt}, labels=labels)
        with pytest.raises(ValueError, match=f"(?s)NaN.*{side}"):
            metric.result()
        for wrong in (values[0], values.astype("int32"), np.repeat(values, 3, axis=-1)):
            metric = fed.metric()
            fed.update(metric)
            with pytest.raises(ValueError, match="Received"):
                metric.update_state(**{side: wrong}, labels=fed.labels)
        if fed.cls.needs_labels:
            with pytest.raises(ValueError, match="labels=None"):
                fed.metric().update_state(**{side: values})


def _assert_results(metric, expected, rtol, only_form=False):
    """The results are those expected, or at least finite numbers of the same names."""
    results = metric.results()
    assert tuple(results) == tuple(expected)
    largest = max(map(abs, expected.values()))
    for name, value in results.items():
        assert np.isfinite(value)
        assert only_form or abs(value - expected[name]) <= rtol * largest, name
