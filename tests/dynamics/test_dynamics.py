"""What holds for all dynamics."""

import json

import keras
import numpy as np
import pytest

import kgan
from tests.conformance import check_docstring

ALL = {
    "balance": {"target": 0.6, "gain": 0.5, "max_ratio": 4.0},
    "growth": {"images_per_stage": 32, "fade_images": 48},
    "history_pool": {"size": 24},
    "slow_member": {"factor": 0.2, "member": 0},
    "top_k": {"final_fraction": 0.25, "decay": 0.5, "decay_images": 16},
}


# The players of Growth make images: test_growth.py has these tests with such.
OF_POINTS = [name for name in ALL if name != "growth"]


def committee():
    def member(name):
        inputs = keras.Input((2,))
        hidden = keras.layers.Dense(4, activation="tanh")(inputs)
        return keras.Model(inputs, keras.layers.Dense(1)(hidden), name=name)

    return kgan.backbones.Committee([member("main"), member("proxy")])


def arguments(name):
    """What `make_gan` needs besides the dynamics."""
    if name != "slow_member":
        return {}
    keras.utils.set_random_seed(4)
    return {"discriminator": committee(), "loss": kgan.losses.Mixed()}


def make(name):
    return kgan.dynamics.DYNAMICS.create(name, **ALL[name])


def test_all_are_here():
    assert sorted(ALL) == kgan.dynamics.names()


@pytest.mark.parametrize("name", ALL)
def test_config_and_docstring(name):
    dynamics = make(name)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(dynamics)))
    copy = kgan.dynamics.get(stored)
    assert type(copy) is type(dynamics)
    assert copy.get_config() == {**ALL[name], "name": name}
    check_docstring(type(dynamics))


@pytest.mark.parametrize("name", OF_POINTS)
def test_two_replicas_equal_one(two_replicas, make_gan, fit, weights, name):
    one = make_gan([make(name)], **arguments(name))
    with two_replicas.scope():
        two = make_gan([make(name)], **arguments(name))
    expected, logs = fit(one, epochs=3), fit(two, epochs=3)
    np.testing.assert_allclose(weights(two), weights(one), atol=1e-5)
    for key, values in expected.items():
        np.testing.assert_allclose(logs[key], values, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", OF_POINTS)
def test_state_is_saved(tmp_path, make_gan, fit, weights, name):
    gan = make_gan([make(name)], **arguments(name))
    fit(gan, epochs=2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(weights(loaded), weights(gan))
    assert fit(loaded, epochs=2) == fit(gan, epochs=2)
    np.testing.assert_array_equal(weights(loaded), weights(gan))


@pytest.mark.parametrize("name", OF_POINTS)
def test_xla_runs_it(make_gan, fit, weights, name):
    gan = make_gan([make(name)], jit_compile=True, **arguments(name))
    fit(gan, epochs=2)
    assert np.all(np.isfinite(weights(gan)))


def test_unknown_names_list_what_there_is(make_gan):
    with pytest.raises(ValueError, match="Did you mean 'history_pool'.*Received: 'history_pol'"):
        make_gan("history_pol")


def test_compile_takes_names_and_single_objects(make_gan):
    (pool,) = make_gan("history_pool:7").dynamics
    assert (type(pool), pool.size) == (kgan.dynamics.HistoryPool, 7)
