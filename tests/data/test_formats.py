import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kgan.data import formats

GREY = np.uint8([[0, 40, 80], [120, 200, 255]])
RGB = np.stack([GREY, GREY[::-1], np.full_like(GREY, 7)], axis=-1)
RGBA = np.concatenate([RGB, np.uint8([[[9], [99], [255]], [[0], [128], [200]]])], axis=-1)
LA = np.stack([GREY, RGBA[..., 3]], axis=-1)
DEEP = np.uint16([[0, 1, 256], [30001, 65534, 65535]])


def as_rgba(pixels, opaque=255):
    """What `decode` should give for an array of 1 to 4 channels, written plainly."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    colour = pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels
    alpha = (
        pixels[..., -1:] if pixels.shape[-1] in (2, 4) else np.full_like(colour[..., :1], opaque)
    )
    return np.concatenate([np.broadcast_to(colour, (*colour.shape[:2], 3)), alpha], axis=-1)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("grey.png", GREY),
        ("grey_alpha.png", LA),
        ("rgb.png", RGB),
        ("rgba.png", RGBA),
        ("grey.tif", GREY),
        ("rgb.tiff", RGB),
        ("rgba.tif", RGBA),
        ("grey.bmp", GREY),
        ("rgb.bmp", RGB),
        ("grey.gif", GREY),
        ("upper.PNG", RGB),
    ],
)
def test_lossless_formats_of_8_bits(tmp_path, write, name, pixels):
    path = write(tmp_path / name, pixels)
    decoded = formats.decode(path, np.uint8)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, as_rgba(pixels))
    header = formats.read_header(path)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    assert (header.height, header.width, header.bits) == (2, 3, 8)
    assert (header.grey, header.alpha) == (channels <= 2, channels in (2, 4))


def test_webp(tmp_path, write):
    path = write(tmp_path / "rgb.webp", RGB, lossless=True)
    np.testing.assert_array_equal(formats.decode(path, np.uint8), as_rgba(RGB))


def test_without_alpha_three_channels_are_decoded(tmp_path, write):
    path = write(tmp_path / "grey.png", GREY)
    decoded = formats.decode(path, np.uint8, alpha=False)
    np.testing.assert_array_equal(decoded, as_rgba(GREY)[..., :3])


def test_black_and_white_image_of_one_bit(tmp_path, write):
    path = write(tmp_path / "bits.png", Image.fromarray(GREY).convert("1", dither=0))
    np.testing.assert_array_equal(formats.decode(path, np.uint8)[..., 0], (GREY > 127) * 255)
    assert formats.read_header(path).grey


@pytest.mark.parametrize(
    ("palette", "grey"), [([5, 5, 5, 90, 90, 90], True), ([5, 6, 7, 90, 80, 70], False)]
)
@pytest.mark.parametrize("extension", ["png", "gif", "tif", "bmp"])
def test_palette(tmp_path, write, palette, grey, extension):
    image = Image.fromarray(np.uint8([[0, 1], [1, 1]]), "P")
    image.putpalette(palette)
    path = write(tmp_path / f"palette.{extension}", image)
    expected = np.uint8(palette).reshape(2, 3)[[[0, 1], [1, 1]]]
    np.testing.assert_array_equal(formats.decode(path, np.uint8), as_rgba(expected))
    assert formats.read_header(path).grey == grey


def test_transparent_colour_of_a_palette(tmp_path, write):
    image = Image.fromarray(np.uint8([[0, 1]]), "P")
    image.putpalette([5, 6, 7, 90, 80, 70])
    path = write(tmp_path / "palette.png", image, transparency=1)
    np.testing.assert_array_equal(formats.decode(path, np.uint8)[0, :, 3], [255, 0])
    assert formats.read_header(path).alpha


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, [100, 100, 100]),
        ("RGB", (200, 100, 50), [200, 100, 50]),
        ("CMYK", (55, 155, 205, 0), [200, 100, 50]),
    ],
)
def test_jpeg(tmp_path, write, mode, colour, expected):
    path = write(tmp_path / "photo.jpg", Image.new(mode, (16, 8), colour), quality=95)
    decoded = formats.decode(path, np.uint8)
    assert decoded.shape == (8, 16, 4)
    np.testing.assert_allclose(decoded[..., :3], np.broadcast_to(expected, (8, 16, 3)), atol=3)
    assert formats.read_header(path).grey == (mode == "L")


def test_photo_taken_on_its_side_is_turned_upright(tmp_path, write):
    image = np.zeros((16, 32), np.uint8)
    image[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # What is at the right of the file belongs at the bottom.
    path = write(tmp_path / "photo.jpg", image, exif=exif)
    header = formats.read_header(path)
    decoded = formats.decode(path, np.uint8)[..., 0]
    assert (header.height, header.width) == decoded.shape == (32, 16)
    assert decoded[:14].max() < 20 and decoded[18:].min() > 235


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_grey_of_16_bits(tmp_path, write, extension):
    path = write(tmp_path / f"deep.{extension}", DEEP)
    decoded = formats.decode(path, np.uint16)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, as_rgba(DEEP, 65535))
    header = formats.read_header(path)
    assert (header.bits, header.grey, header.alpha) == (16, True, False)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_coloured_png_of_16_bits(tmp_path, channels):
    # Pillow cannot write these.
    deep = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP[::-1, ::-1]], axis=-1)[..., :channels]
    path = tmp_path / "deep.png"
    path.write_bytes(tf.io.encode_png(deep).numpy())
    np.testing.assert_array_equal(formats.decode(path, np.uint16), as_rgba(deep, 65535))
    header = formats.read_header(path)
    assert (header.bits, header.alpha) == (16, channels != 3)


def test_8_bits_among_16_fill_their_range(tmp_path, write):
    path = write(tmp_path / "grey.png", GREY)
    decoded = formats.decode(path, np.uint16)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, as_rgba(GREY).astype(np.uint16) * 257)


def test_animation_gives_its_first_frame(tmp_path, write):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    path = write(tmp_path / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(formats.decode(path, np.uint8), as_rgba(GREY))


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_file_that_is_cut_off(tmp_path, write, extension):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    path = write(tmp_path / f"cut.{extension}", noise)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=f"Received: .*cut.{extension}"):
        formats.read_header(path)
        formats.decode(path, np.uint8)


def test_16_bit_png_that_is_cut_off(tmp_path, write):
    path = write(tmp_path / "cut.png", np.arange(4096, dtype=np.uint16).reshape(64, 64))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match="Received: .*cut.png"):
        formats.decode(path, np.uint16)


def test_file_that_is_no_image(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    with pytest.raises(ValueError, match="image that can be read. Received: .*text.png"):
        formats.read_header(path)


def test_floats_have_no_known_range(tmp_path, write):
    path = write(tmp_path / "floats.tif", GREY.astype(np.float32))
    with pytest.raises(ValueError, match="Received: .*floats.tif .*range is not known"):
        formats.decode(path, np.uint8)


def test_integers_of_more_than_16_bits(tmp_path, write):
    path = write(tmp_path / "wide.tif", DEEP.astype(np.int32) * 2)
    with pytest.raises(ValueError, match="Received: .*wide.tif .*more than 16 bits"):
        formats.decode(path, np.uint16)


def test_coloured_tiff_of_16_bits_is_told_to_lose_some(tmp_path):
    path = tmp_path / "deep.tif"
    path.write_bytes(_tiff_of_16_bit_rgb([[[65535, 256, 0]]]))
    with pytest.warns(UserWarning, match="Coloured TIFF images of 16 bits are read with 8"):
        header = formats.read_header(path)
    assert header.bits == 8
    np.testing.assert_array_equal(formats.decode(path, np.uint8), [[[255, 1, 0, 255]]])


def _tiff_of_16_bit_rgb(pixels):
    """Returns an uncompressed little-endian TIFF file, as Pillow cannot write one of this kind."""
    pixels = np.array(pixels, "<u2")
    height, width, _ = pixels.shape
    # Tag, type (3: 16 bits, 4: 32 bits), count, value or where the values are.
    bits_at = 8 + 2 + 12 * 9 + 4
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, bits_at + 6),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, pixels.nbytes),
    ]
    directory = b"".join(
        np.array([tag, kind], "<u2").tobytes() + np.array([count, value], "<u4").tobytes()
        for tag, kind, count, value in entries
    )
    head = b"II*\0" + np.uint32(8).tobytes() + np.uint16(len(entries)).tobytes()
    return head + directory + bytes(4) + np.array([16] * 3, "<u2").tobytes() + pixels.tobytes()
