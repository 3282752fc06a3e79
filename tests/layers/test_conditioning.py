import keras
import numpy as np
import pytest

from kgan.layers import ConditionEmbedding, ProjectionHead
from tests.conformance import run_layer_test

CLASSES = np.array([2, 0, 2], "int32")
VECTORS = np.array([[1, 0, 1, 0], [0.5, 0, 0, -2], [0, 1, 0, 0]], "float32")
FEATURES = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")


def test_embedding_of_classes_conforms():
    run_layer_test(
        cls=ConditionEmbedding,
        init_kwargs={"dim": 6, "num_classes": 3},
        input_data=CLASSES,
        expected_output_shape=(3, 6),
    )


def test_embedding_of_vectors_conforms():
    run_layer_test(
        cls=ConditionEmbedding,
        init_kwargs={"dim": 6, "condition_dim": 4},
        input_data=VECTORS,
        expected_output_shape=(3, 6),
    )


def test_embedding_of_a_class_is_that_of_its_one_hot_vector():
    by_class, by_vector = ConditionEmbedding(6, num_classes=4), ConditionEmbedding(6, None, 4)
    one_hot = np.eye(4, dtype="float32")[CLASSES]
    by_class(CLASSES), by_vector(one_hot)
    by_vector.set_weights(by_class.get_weights())
    np.testing.assert_allclose(by_vector(one_hot), by_class(CLASSES), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_embedding_takes_labels_of_any_dtype(dtype):
    layer = ConditionEmbedding(6, num_classes=3)
    np.testing.assert_array_equal(layer(CLASSES.astype(dtype)), layer(CLASSES))
    layer = ConditionEmbedding(6, condition_dim=3)
    one_hot = np.eye(3)[CLASSES]
    np.testing.assert_array_equal(layer(one_hot.astype(dtype)), layer(one_hot))


def test_embeddings_start_at_the_scale_of_a_normal_latent():
    layer = ConditionEmbedding(1000, num_classes=10)
    assert np.std(layer(np.arange(10))) == pytest.approx(1, abs=0.05)
    layer = ConditionEmbedding(1000, condition_dim=40)
    vectors = np.random.default_rng(0).normal(size=(50, 40))
    assert np.std(layer(vectors)) == pytest.approx(1, abs=0.05)


def test_large_class_numbers_survive_half_precision():
    layer = ConditionEmbedding(4, num_classes=3000, dtype="mixed_bfloat16")
    rows = np.array(layer(np.array([2998, 2999])), "float32")
    np.testing.assert_allclose(rows, layer.table.numpy()[2998:], rtol=0.01)


def test_embedding_needs_one_kind_of_label():
    with pytest.raises(ValueError, match="Received: num_classes=None, condition_dim=None"):
        ConditionEmbedding(6)


@pytest.mark.parametrize("cls, first", [(ConditionEmbedding, {"dim": 6}), (ProjectionHead, {})])
def test_bad_conditions(cls, first):
    with pytest.raises(ValueError, match="not both. Received: num_classes=3, condition_dim=4"):
        cls(**first, num_classes=3, condition_dim=4)
    with pytest.raises(ValueError, match="`num_classes` must be .* Received: num_classes=0"):
        cls(**first, num_classes=0)
    with pytest.raises(ValueError, match="`condition_dim` must be .* Received: condition_dim='4'"):
        cls(**first, condition_dim="4")


@pytest.mark.parametrize(
    "init_kwargs, input_data",
    [
        ({}, FEATURES),
        ({"num_classes": 3}, [FEATURES, CLASSES]),
        ({"condition_dim": 4}, [FEATURES, VECTORS]),
    ],
)
def test_projection_conforms(init_kwargs, input_data):
    run_layer_test(
        cls=ProjectionHead,
        init_kwargs={**init_kwargs, "kernel_initializer": keras.initializers.HeNormal(seed=1)},
        input_data=input_data,
        expected_output_shape=(3, 1),
    )


def test_unconditional_projection_matches_numpy():
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(5, 1)), rng.normal(size=1)
    head = ProjectionHead()
    head.build((None, 5))
    head.set_weights([kernel, bias])
    np.testing.assert_allclose(head(FEATURES), FEATURES @ kernel + bias, rtol=1e-5)


def test_projection_of_classes_matches_numpy():
    rng = np.random.default_rng(1)
    kernel, bias, vectors = rng.normal(size=(5, 1)), rng.normal(size=1), rng.normal(size=(3, 5))
    head = ProjectionHead(num_classes=3)
    head.build([(None, 5), (None,)])
    head.set_weights([kernel, bias, vectors])
    expected = [
        [feature @ kernel[:, 0] + bias[0] + vectors[label] @ feature]
        for feature, label in zip(FEATURES, CLASSES, strict=True)
    ]
    np.testing.assert_allclose(head([FEATURES, CLASSES]), expected, rtol=1e-5)


def test_projection_of_vectors_matches_numpy():
    rng = np.random.default_rng(1)
    kernel, bias, vectors = rng.normal(size=(5, 1)), rng.normal(size=1), rng.normal(size=(4, 5))
    head = ProjectionHead(condition_dim=4)
    head.build([(None, 5), (None, 4)])
    head.set_weights([kernel, bias, vectors])
    expected = [
        [feature @ kernel[:, 0] + bias[0] + (vectors.T @ label) @ feature]
        for feature, label in zip(FEATURES, VECTORS, strict=True)
    ]
    np.testing.assert_allclose(head([FEATURES, VECTORS]), expected, rtol=1e-5)


def test_score_and_projection_start_apart():
    head = ProjectionHead(num_classes=1, kernel_initializer="glorot_uniform")
    head.build([(None, 5), (None,)])
    assert not np.allclose(head.kernel[:, 0], head.projection[0])
