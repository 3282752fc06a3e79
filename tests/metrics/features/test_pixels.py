import numpy as np
import pytest

import kgan
from tests.metrics.features.harness import run_features_test


def test_conformance():
    images = np.random.default_rng(0).uniform(-1, 1, (5, 3, 4, 2)).astype("float32")
    run_features_test(kgan.metrics.features.Pixels, {}, images, {"features": 24})


def test_pixels_are_in_the_range_of_the_papers():
    images = np.float32([[-1, 0], [0.5, 1]]).reshape(1, 2, 2, 1)
    features = kgan.metrics.features.Pixels()(images)["features"]
    np.testing.assert_array_equal(features, [[0, 0.5, 0.75, 1]])


@pytest.mark.parametrize("images", [np.zeros((2, 3, 3)), np.zeros((2, 3, 3, 1), "uint8")])
def test_what_is_no_image_is_refused(images):
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\] of shape .* Received: "):
        kgan.metrics.features.Pixels()(images)
