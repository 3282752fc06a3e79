import numpy as np
import pytest

from kgan.data import options


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, None),
        (64, (64, 64)),
        (np.int64(64), (64, 64)),
        ("64", (64, 64)),
        ("32x48", (32, 48)),
        (" 32 X 48 ", (32, 48)),
        ((32, 48), (32, 48)),
        ([32, 48], (32, 48)),
    ],
)
def test_image_size_is_height_and_width(value, size):
    assert options.image_size(value) == size


@pytest.mark.parametrize(
    "value", [0, -8, "0", "64x", "x64", "64x0", "big", "", 6.4, (64,), (1, 2, 3), (8, "8"), True]
)
def test_bad_image_size(value):
    with pytest.raises(ValueError, match="HEIGHTxWIDTH.*Received: image_size=") as error:
        options.image_size(value)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("value", [0, 5, -1, "3", 3.0, True])
def test_bad_channels(value):
    with pytest.raises(ValueError, match=f"3 .RGB.*Received: channels={value!r}"):
        options.channels(value)


def test_bad_cache():
    with pytest.raises(ValueError, match="'auto'. Received: cache='yes'"):
        options.cache("yes")


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", None, True])
def test_bad_integer(value):
    with pytest.raises(ValueError, match=f"`batch_size`.*at least 1. Received: .*{value!r}"):
        options.integer("batch_size", value, minimum=1)
