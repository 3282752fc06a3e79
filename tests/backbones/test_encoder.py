import keras
import numpy as np
import pytest

from kgan.backbones import CodeDiscriminator, MLPEncoder
from tests.conformance import run_backbone_test

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(-1, 1, size=(4, 3, 2, 1)).astype("float32")
VECTOR = RNG.normal(size=(4, 2)).astype("float32")


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("condition_dim", [None, 2])
def test_conforms(batch_norm, condition_dim):
    run_backbone_test(
        cls=MLPEncoder,
        init_kwargs={
            "image_shape": (3, 2, 1),
            "code_dim": 5,
            "units": (6, 4),
            "batch_norm": batch_norm,
            "condition_dim": condition_dim,
        },
        input_data=IMAGE if condition_dim is None else [IMAGE, VECTOR],
        expected_output_shape=(4, 5),
    )


def test_is_that_of_the_mnist_experiment():
    layers = MLPEncoder().layers
    dense = [x for x in layers if isinstance(x, keras.layers.Dense)]
    assert [(x.units, x.use_bias) for x in dense] == [(1024, True), (1024, False), (50, True)]
    names = [type(x).__name__ for x in layers]
    assert names.count("BatchNormalization") == 1
    assert names.index("BatchNormalization") > names.index("LeakyReLU")
    leaks = [x.negative_slope for x in layers if isinstance(x, keras.layers.LeakyReLU)]
    assert leaks == [0.2, 0.2]


def test_equals_numpy():
    model = MLPEncoder((3, 2, 1), code_dim=1, units=(4, 3), batch_norm=False, condition_dim=2)
    x = np.concatenate([IMAGE.reshape(4, 6), VECTOR], axis=1).astype("float64")
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    for i, layer in enumerate(dense):
        x = x @ np.array(layer.kernel) + np.array(layer.bias)
        x = x if i == 2 else np.where(x > 0, x, 0.2 * x)
    np.testing.assert_allclose(model([IMAGE, VECTOR]), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "arguments", [{"units": ()}, {"code_dim": 0}, {"condition_dim": 0}, {"image_shape": (0,)}]
)
def test_bad_sizes(arguments):
    with pytest.raises(ValueError, match="Received"):
        MLPEncoder(**arguments)


@pytest.mark.parametrize("clusters", [0, 2])
def test_judge_of_codes_conforms(clusters):
    run_backbone_test(
        cls=CodeDiscriminator,
        init_kwargs={"style_dim": 3, "clusters": clusters, "units": (6, 4)},
        input_data=RNG.normal(size=(4, 3 + clusters)).astype("float32"),
        expected_output_shape=(4, 2 if clusters else 1),
    )


def test_style_and_clusters_are_judged_apart():
    codes = RNG.normal(size=(4, 5)).astype("float32")
    judge = CodeDiscriminator(3, clusters=2, units=(6,))
    networks = [judge.get_layer(name) for name in ("style", "clusters")]
    expected = [one(part) for one, part in zip(networks, (codes[:, :3], codes[:, 3:]), strict=True)]
    np.testing.assert_allclose(judge(codes), np.concatenate(expected, axis=1), rtol=1e-5)


@pytest.mark.parametrize("arguments", [{"style_dim": 0}, {"clusters": -1}, {"units": ()}])
def test_bad_sizes_of_codes(arguments):
    with pytest.raises(ValueError, match="Received"):
        CodeDiscriminator(**arguments)
