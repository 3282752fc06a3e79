import keras
import numpy as np
import pytest

from kgan.layers import (
    ClassifierHead,
    CodeHead,
    ContrastiveHead,
    MultiHingeHead,
    SpectralNormalization,
    TwinClassifierHead,
)
from tests.conformance import run_layer_test

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(3, 5)).astype("float32")
LABELS = np.array([2, 0, 2], "int32")
CASES = [
    (ClassifierHead, {"num_classes": 4}, {"class_logits": 4}),
    (ClassifierHead, {"num_classes": 4, "num_logits": 8}, {"class_logits": 8}),
    (TwinClassifierHead, {"num_classes": 4}, {"class_logits": 4, "twin_logits": 4}),
    (MultiHingeHead, {"num_classes": 4}, {"class_logits": 5}),
    (ContrastiveHead, {"num_classes": 4, "embedding_dim": 6}, {"embedding": 6, "proxy": 6}),
    (
        CodeHead,
        {"categorical": (3, 2), "continuous": 2},
        {"categorical_logits": 5, "continuous_mean": 2},
    ),
    (CodeHead, {"categorical": (), "continuous": 2}, {"continuous_mean": 2}),
    (CodeHead, {"categorical": [3], "continuous": 0}, {"categorical_logits": 3}),
]
WITHOUT_LABELS = [case for case in CASES if case[0] is not ContrastiveHead]


def randomized(head, inputs):
    head(inputs)
    for weight in head.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return {w.name: w.numpy() for w in head.weights}


@pytest.mark.parametrize("cls, init_kwargs, widths", CASES)
def test_conforms(cls, init_kwargs, widths):
    run_layer_test(
        cls,
        {**init_kwargs, "kernel_initializer": keras.initializers.HeNormal(seed=1)},
        [FEATURES, LABELS],
        {"score": (3, 1), **{key: (3, width) for key, width in widths.items()}},
    )


@pytest.mark.parametrize("cls, init_kwargs, widths", WITHOUT_LABELS)
def test_labels_are_ignored(cls, init_kwargs, widths):
    head = cls(**init_kwargs)
    outputs = head([FEATURES, LABELS])
    assert outputs.keys() == {"score", *widths}
    for key, output in head(FEATURES).items():
        np.testing.assert_array_equal(output, outputs[key])
    assert {k: tuple(v) for k, v in head.compute_output_shape((3, 5)).items()} == {
        "score": (3, 1),
        **{key: (3, width) for key, width in widths.items()},
    }


@pytest.mark.parametrize("cls, init_kwargs, widths", CASES)
def test_maps_are_linear(cls, init_kwargs, widths):
    head = cls(**init_kwargs)
    weights = randomized(head, [FEATURES, LABELS])
    outputs = head([FEATURES, LABELS])
    for key in head.widths.keys() - {"embedding"}:
        expected = FEATURES @ weights[f"{key}_kernel"] + weights[f"{key}_bias"]
        np.testing.assert_allclose(outputs[key], expected, rtol=1e-5, atol=1e-5)


def test_margin_is_the_hinge_of_a_fake():
    head = MultiHingeHead(num_classes=4)
    randomized(head, FEATURES)
    outputs = head(FEATURES)
    for score, logits in zip(
        np.array(outputs["score"]), np.array(outputs["class_logits"]), strict=True
    ):
        crammer_singer = max(0, 1 - logits[4] + max(logits[:4]))
        assert max(0, 1 + score[0]) == pytest.approx(crammer_singer, rel=1e-5)


def test_embedding_and_proxy_are_unit_vectors():
    head = ContrastiveHead(num_classes=4, embedding_dim=6)
    weights = randomized(head, [FEATURES, LABELS])
    outputs = head([FEATURES, LABELS])
    embedding = FEATURES @ weights["embedding_kernel"] + weights["embedding_bias"]
    embedding /= np.linalg.norm(embedding, axis=-1, keepdims=True)
    np.testing.assert_allclose(outputs["embedding"], embedding, rtol=1e-5)
    proxy = weights["proxies"][LABELS]
    proxy /= np.linalg.norm(proxy, axis=-1, keepdims=True)
    np.testing.assert_allclose(outputs["proxy"], proxy, rtol=1e-5)


def test_only_the_proxy_depends_on_the_label():
    head = ContrastiveHead(num_classes=4, embedding_dim=6)
    outputs, others = head([FEATURES, LABELS]), head([FEATURES, LABELS[::-1] * 0 + 1])
    np.testing.assert_array_equal(outputs["score"], others["score"])
    np.testing.assert_array_equal(outputs["embedding"], others["embedding"])
    assert np.abs(outputs["proxy"] - others["proxy"]).min(axis=-1).max() > 0


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e4])
def test_embeddings_of_any_scale_are_finite(policy, scale):
    head = ContrastiveHead(num_classes=4, embedding_dim=6, dtype=policy)
    embedding = np.array(head([scale * FEATURES, LABELS])["embedding"], "float32")
    norms = np.linalg.norm(embedding, axis=-1)
    np.testing.assert_allclose(norms, 1 if scale else 0, atol=2e-3)


def test_spectral_normalization_takes_heads():
    head = SpectralNormalization(TwinClassifierHead(num_classes=4))
    assert head([FEATURES, LABELS]).keys() == {"score", "class_logits", "twin_logits"}
    assert len(head.vectors) == 3


def test_twins_start_apart():
    head = TwinClassifierHead(4, kernel_initializer="glorot_uniform")
    outputs = head(FEATURES)
    assert not np.allclose(outputs["class_logits"], outputs["twin_logits"])


def test_contrastive_head_needs_labels():
    with pytest.raises(ValueError, match=r"\[features, labels\]. Received: one tensor.*\(3, 5\)"):
        ContrastiveHead(4, 6)(FEATURES)


@pytest.mark.parametrize("cls", [ClassifierHead, TwinClassifierHead, MultiHingeHead])
def test_bad_number_of_classes(cls):
    with pytest.raises(ValueError, match="`num_classes` must be .* Received: num_classes=0"):
        cls(num_classes=0)


@pytest.mark.parametrize(
    "cls, init_kwargs, message",
    [
        (ClassifierHead, {"num_classes": 4, "num_logits": 0}, "`num_logits` .*: num_logits=0"),
        (ContrastiveHead, {"num_classes": 0, "embedding_dim": 6}, "Received: num_classes=0"),
        (ContrastiveHead, {"num_classes": 4, "embedding_dim": 0}, "Received: embedding_dim=0"),
        (CodeHead, {"categorical": (3, 0)}, r"Received: categorical=\(3, 0\)"),
        (CodeHead, {"categorical": 10}, "Received: categorical=10"),
        (CodeHead, {"continuous": -1}, "Received: continuous=-1"),
        (CodeHead, {"categorical": (), "continuous": 0}, r"Received: categorical=\(\), cont"),
    ],
)
def test_bad_arguments(cls, init_kwargs, message):
    with pytest.raises(ValueError, match=message):
        cls(**init_kwargs)
