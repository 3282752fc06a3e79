import doctest

import keras
import numpy as np
import pytest

import kgan
from kgan.backbones import Backbone
from kgan.backbones.backbone import label_input


@keras.saving.register_keras_serializable(package="kgan_tests")
class Tiny(Backbone):
    def __init__(self, units=3, dtype=None, **kwargs):
        dense = keras.layers.Dense(units, dtype=dtype)
        latent = keras.Input((2,), name="latent")
        super().__init__(inputs=latent, outputs=dense(latent), dtype=dtype, **kwargs)
        self.units = units

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_subclass_is_saved_with_its_policy(tmp_path):
    model = Tiny(units=5, dtype="mixed_bfloat16", name="tiny")
    model.save(tmp_path / "tiny.keras")
    loaded = keras.models.load_model(tmp_path / "tiny.keras")
    assert type(loaded) is Tiny
    assert (loaded.name, loaded.units) == ("tiny", 5)
    assert loaded.dtype_policy.name == loaded.layers[-1].dtype_policy.name == "mixed_bfloat16"
    latent = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(
        keras.ops.cast(loaded(latent), "float32"), keras.ops.cast(model(latent), "float32")
    )


def test_the_global_policy_is_the_default_and_is_saved():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        config = Tiny().get_config()
    finally:
        keras.config.set_dtype_policy("float32")
    assert Tiny.from_config(config).layers[-1].compute_dtype == "bfloat16"


def test_the_example_runs():
    names = {"kgan": kgan, "keras": keras}
    parser = doctest.DocTestParser()
    example = parser.get_doctest(Backbone.__doc__, names, "Backbone", None, None)
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize(
    "arguments, shape, dtype",
    [((10, None), (None,), "int32"), ((None, 4), (None, 4), "float32")],
)
def test_label_inputs(arguments, shape, dtype):
    label = label_input(*arguments)
    assert (label.shape, label.dtype, label.name) == (shape, dtype, "label")


def test_no_label_input():
    assert label_input(None, None) is None
