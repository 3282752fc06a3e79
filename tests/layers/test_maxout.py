import keras
import numpy as np
import pytest

from kgan.layers import Maxout
from tests.conformance import run_layer_test


@pytest.mark.parametrize("leading", [(4,), (4, 3)])
def test_conforms(leading):
    run_layer_test(
        cls=Maxout,
        init_kwargs={
            "units": 3,
            "pieces": 2,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
        },
        input_data=np.random.default_rng(0).normal(size=(*leading, 5)).astype("float32"),
        expected_output_shape=(*leading, 3),
    )


def test_matches_numpy():
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(size=(4, 5)), rng.normal(size=(5, 6)), rng.normal(size=6)
    layer = Maxout(units=3, pieces=2)
    layer.build((None, 5))
    layer.set_weights([kernel, bias])
    expected = np.stack(
        [
            np.maximum(
                x @ kernel[:, 2 * u] + bias[2 * u], x @ kernel[:, 2 * u + 1] + bias[2 * u + 1]
            )
            for u in range(3)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_one_piece_is_a_dense_layer():
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    maxout, dense = Maxout(units=3, pieces=1), keras.layers.Dense(3)
    dense.build((None, 5))
    maxout.build((None, 5))
    dense.set_weights(maxout.get_weights())
    np.testing.assert_allclose(maxout(x), dense(x), rtol=1e-5)


@pytest.mark.parametrize("name, value", [("units", 0), ("pieces", -1), ("units", 2.5)])
def test_bad_sizes(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive.* Received: {name}={value}"):
        Maxout(**{"units": 3, "pieces": 2, name: value})
