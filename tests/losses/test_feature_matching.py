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
    loss = kgan.losses.auxiliary.AUXILIARY_LOSSES.get("feature_matching:10,layers=hidden")
    assert (loss.weight, loss.layers) == (10, ["hidden"])


@pytest.mark.parametrize("layers", [(), [], None, "", [3], ["hidden", ""]])
def test_layers_must_be_names(layers):
    with pytest.raises(ValueError, match="layers must be the name of a layer.*Received: "):
        kgan.losses.FeatureMatching(layers=layers)


def test_unknown_layer_is_an_error_at_compile():
    with pytest.raises(ValueError, match=r"has \['.*'hidden'.*Received: \['hiden'\]"):
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
    with pytest.raises(ValueError, match="Functional discriminator.*Received: "):
        gan.compile(auxiliary_losses=[kgan.losses.FeatureMatching(layers=["hidden"])])


def test_sequential_discriminator():
    layers = [keras.Input((2,)), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)]
    gan = kgan.GAN(networks.generator(), keras.Sequential(layers))
    gan.compile(auxiliary_losses=[kgan.losses.FeatureMatching(layers=["hidden"])])
    logs = gan.train_on_batch(np.ones((4, 2), "float32"), return_dict=True)
    assert logs["generator_feature_matching"] > 0
