import keras
import numpy as np
import pytest

import kgan
from tests import networks
from tests.losses.auxiliary_checks import (
    fit,
    make_gan,
    run_auxiliary_test,
    run_batch_loss_test,
)

RNG = np.random.default_rng(0)


def squared_distance_of_means(real, fake):
    return np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)


def test_feature_matching_loss():
    cases = [
        (RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4))),
        (RNG.normal(size=(3, 2, 2, 2)), RNG.normal(size=(3, 2, 2, 2))),
        (RNG.choice([-50.0, 50.0], (6, 4)), RNG.choice([-50.0, 50.0], (6, 4))),
    ]
    run_batch_loss_test(kgan.losses.FeatureMatchingLoss, {}, cases, squared_distance_of_means)


def test_feature_matching():
    arguments = {"weight": 2.5, "layers": ["hidden", "top"]}
    run_auxiliary_test(kgan.losses.FeatureMatching, arguments, ("generator",))


def test_it_matches_the_named_layers():
    layers = {"both": ["hidden", "top"], "first": "hidden", "second": "top"}
    losses = [kgan.losses.FeatureMatching(2.0, names, key) for key, names in layers.items()]
    logs = fit(make_gan(losses), epochs=1)
    both, one, other = (logs[f"generator_{name}"][0] for name in layers)
    np.testing.assert_allclose(both, one + other, rtol=1e-5)
    assert one != other


def test_names_may_come_from_a_flag():
    loss = kgan.losses.get_auxiliary("feature_matching:10,layers=hidden")
    assert (loss.weight, loss.layers) == (10, ["hidden"])


@pytest.mark.parametrize("layers", [(), [], None, "", [3], ["hidden", ""]])
def test_layers_must_be_names(layers):
    with pytest.raises(ValueError, match="layers must be the name of a layer.*Received: "):
        kgan.losses.FeatureMatching(layers=layers)


def test_unknown_layer_is_an_error_at_compile():
    with pytest.raises(ValueError, match=r"the layers .*'hidden'.*Received: layers=\['hiden'\]"):
        make_gan([kgan.losses.FeatureMatching(layers=["hidden", "hiden"])])


@keras.saving.register_keras_serializable(package="kgan_tests")
class SubclassedDiscriminator(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(3, name="hidden")
        self.out = keras.layers.Dense(1)

    def call(self, images):
        return self.out(self.hidden(images))


def test_subclassed_discriminator_is_an_error_at_compile():
    gan = kgan.GAN(networks.generator(), SubclassedDiscriminator())
    with pytest.raises(
        ValueError, match="Functional or Sequential discriminator.*Received: layers="
    ):
        gan.compile(auxiliary_losses=[kgan.losses.FeatureMatching(layers=["hidden"])])


def test_sequential_discriminator():
    layers = [keras.Input((2,)), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)]
    gan = kgan.GAN(networks.generator(), keras.Sequential(layers))
    gan.compile(auxiliary_losses=[kgan.losses.FeatureMatching(layers=["hidden"])])
    logs = gan.train_on_batch(np.ones((4, 2), "float32"), return_dict=True)
    assert logs["generator_feature_matching"] > 0


def test_features_of_a_layer_that_another_model_has_too():
    """What counts is what the layer computes in the discriminator."""
    shared = keras.layers.Dense(3, name="shared")
    other = keras.Input((2,))
    keras.Model(other, shared(other))
    images = keras.Input((2,))
    discriminator = keras.Model(images, keras.layers.Dense(1)(shared(2 * images)))
    gan = kgan.GAN(networks.generator(), discriminator)
    gan.compile(auxiliary_losses=["feature_matching:1,layers=shared"])
    images = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    features = gan.view(images)["features"]["shared"]
    np.testing.assert_allclose(features, shared(2 * images), rtol=1e-6)


def test_features_of_a_member_of_a_committee():
    members = [kgan.backbones.MLPDiscriminator((2,), units=[4], name=name) for name in "ab"]
    gan = kgan.GAN(networks.generator(), kgan.backbones.Committee(members))
    gan.compile(loss="mixed", auxiliary_losses=["pull_away:0.1,layers=a"])
    images = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    np.testing.assert_allclose(gan.view(images)["features"]["a"], members[0](images), rtol=1e-6)
