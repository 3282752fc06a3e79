"""All auxiliary losses together: however the game runs, and what each asks of a game."""

import keras
import numpy as np
import pytest

import kgan
from kgan.losses.auxiliary import AUXILIARY_LOSSES
from tests import networks
from tests.losses.auxiliary_checks import (
    CODES,
    check_precision,
    check_two_replicas,
    check_xla,
    fit,
    make_gan,
    make_generator,
)

ARGUMENTS = {
    "feature_matching": {"layers": ["hidden", "top"]},
    "pull_away": {"layers": "top"},
    "mutual_information": CODES,
}
NEEDS_CLASSES = [
    "auxiliary_classifier",
    "contrastive_conditional",
    "data_to_data",
    "discriminative_classifier",
    "twin_auxiliary_classifier",
]


def make(name):
    return AUXILIARY_LOSSES.create(name, **ARGUMENTS.get(name, {}))


def all_but_one():
    """The discriminative classifier takes twice the logits, so it cannot play with the others."""
    names = kgan.losses.auxiliary_names()
    return [make(name) for name in names if name != "discriminative_classifier"]


@pytest.mark.slow
def test_two_replicas_equal_one(two_replicas):
    check_two_replicas(all_but_one(), two_replicas)


def test_two_replicas_of_the_discriminative_classifier_equal_one(two_replicas):
    auxiliary = [make("discriminative_classifier")]
    check_two_replicas(auxiliary, two_replicas, class_logits=2 * networks.NUM_CLASSES)


@pytest.mark.slow
def test_xla_equals_eager():
    check_xla(all_but_one())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_near_float32(policy):
    check_precision(all_but_one(), policy)


def test_weight_is_the_factor():
    losses = [kgan.losses.AuxiliaryClassifier(name="one"), kgan.losses.AuxiliaryClassifier(3.0)]
    logs = fit(make_gan(losses, run_eagerly=True), epochs=1)
    for player in ("generator", "discriminator"):
        one, three = logs[f"{player}_one"][0], logs[f"{player}_auxiliary_classifier"][0]
        np.testing.assert_allclose(three, 3 * one, rtol=1e-6)
        np.testing.assert_allclose(logs[f"{player}_loss"][0], one + three, rtol=1e-6)


HEADS = {
    "auxiliary_classifier": lambda: kgan.layers.ClassifierHead(3),
    "contrastive_conditional": lambda: kgan.layers.ContrastiveHead(3, 4),
    "data_to_data": lambda: kgan.layers.ContrastiveHead(3, 4),
    "discriminative_classifier": lambda: kgan.layers.ClassifierHead(3, num_logits=6),
    "mutual_information": lambda: kgan.layers.CodeHead(**CODES),
    "twin_auxiliary_classifier": lambda: kgan.layers.TwinClassifierHead(3),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_heads_give_what_the_losses_need(name):
    image, label = keras.Input((2,)), keras.Input((), dtype="int32")
    features = keras.layers.Dense(6, "relu")(image)
    discriminator = keras.Model([image, label], HEADS[name]()([features, label]))
    gan = kgan.GAN(make_generator(), discriminator, num_classes=3)
    gan.compile("sgd", "sgd", auxiliary_losses=[make(name)], run_eagerly=True)
    logs = fit(gan, epochs=1)
    terms = [f"{player}_{name}" for player in ("discriminator", "generator")]
    assert all(np.isfinite(logs[term][0]) and logs[term][0] != 0 for term in terms)


def test_names_with_arguments_compile():
    gan = make_gan(["auxiliary_classifier:0.5,fake_weight=0", "pull_away:0.1,layers=top"])
    assert [(one.name, one.weight) for one in gan.auxiliary_losses] == [
        ("auxiliary_classifier", 0.5),
        ("pull_away", 0.1),
    ]
    assert gan.auxiliary_losses[0].fake_weight == 0


def test_unknown_name_lists_near_names_and_all():
    with pytest.raises(ValueError, match="Did you mean 'pull_away'.*'auxiliary_classifier'"):
        make_gan(["pull_awa"])


def test_two_of_a_name_are_refused():
    with pytest.raises(ValueError, match="share a name.*Received: .*auxiliary_classifier"):
        make_gan(["auxiliary_classifier", "auxiliary_classifier"])


@pytest.mark.parametrize("name", [*NEEDS_CLASSES, "mutual_information"])
def test_a_game_that_gives_nothing_is_an_error_at_compile(name):
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    loss = make(name)
    lacking = [need for need in loss.needs if need != "latents"]
    hint = "Labels come with GAN" if "labels" in lacking else ""
    with pytest.raises(ValueError, match=f"needs {', '.join(lacking)}, which.*{hint}.*Received: "):
        gan.compile(auxiliary_losses=[loss])


@pytest.mark.parametrize("name", NEEDS_CLASSES)
def test_vectors_are_no_class_numbers(name):
    condition, image = keras.Input((3,)), keras.Input((2,))
    said = {"score": keras.layers.Dense(1)(image)}
    said |= {
        n: keras.layers.Dense(3)(image)
        for n in ("class_logits", "twin_logits", "embedding", "proxy")
    }
    latent = keras.Input((4,))
    generator = keras.Model([latent, condition], keras.layers.Dense(2)(latent))
    gan = kgan.GAN(generator, keras.Model([image, condition], said), condition_dim=3)
    with pytest.raises(ValueError, match=r"num_classes=…\). Received: GAN\(condition_dim=3\)"):
        gan.compile(auxiliary_losses=[make(name)])


def test_a_loaded_game_has_its_losses(tmp_path):
    gan = make_gan(all_but_one())
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert [one.get_config() for one in loaded.auxiliary_losses] == [
        one.get_config() for one in gan.auxiliary_losses
    ]


class Constant(kgan.losses.AuxiliaryLoss):
    def generator(self, real, fake):
        return 1.0


def test_players_are_those_with_a_term():
    constant = Constant()
    assert constant.players == ("generator",)
    with pytest.raises(NotImplementedError, match="Constant has no term for the discriminator"):
        constant.discriminator({}, {})


def test_call_must_be_written():
    with pytest.raises(NotImplementedError, match="BatchLoss must implement call"):
        kgan.losses.BatchLoss()(np.zeros(2))
