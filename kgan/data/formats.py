"""Image files to arrays of pixels, and what can be known of a file without decoding it."""

import dataclasses
import pathlib
import warnings

import numpy as np
import tensorflow as tf

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_ORIENTATION = 0x0112  # The Exif tag with which a camera says that it was held on its side.


@dataclasses.dataclass(frozen=True)
class Header:
    """What an image file says of itself: size in pixels, bits of a channel, and which channels."""

    height: int
    width: int
    bits: int
    grey: bool
    alpha: bool


def read_header(path):
    """Returns the `Header` of an image file.

    Args:
        path: string or path, an image file.

    Raises:
        ValueError: the file is not an image that can be read. The message names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if _is_on_its_side(image):
                width, height = height, width
            _warn_of_lost_bits(image)
            bits = 16 if _is_wide(image) else 8
            return Header(height, width, bits, _is_grey(image), _has_alpha(image))
    except Exception as error:  # Pillow's plugins raise what they like: OSError, SyntaxError, …
        raise _unreadable(path, error) from error


def decode(path, dtype, alpha=True):
    """Returns the first frame of an image file, upright, as an array (height, width, channels).

    Args:
        path: string or path, an image file.
        dtype: np.uint8 or np.uint16. The latter holds images of 8 bits too, from 0 to 65535.
        alpha: boolean, whether the channels are RGBA or, for a file without alpha, RGB. Defaults
            to True.

    Raises:
        ValueError: the file cannot be decoded, or is cut off. The message names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode = "RGBA" if alpha else "RGB"
            read = _decode_wide if _is_wide(image) else _decode_8_bits
            pixels = read(image, mode)
    except Exception as error:
        raise _unreadable(path, error) from error
    if pixels.dtype == np.uint8 and dtype == np.uint16:
        return pixels.astype(np.uint16) * 257  # 255 * 257 = 65535
    return pixels


def _decode_8_bits(image, mode):
    from PIL import ImageOps

    if image.mode == "F":
        raise ValueError("its pixels are 32-bit floats, whose range is not known")
    if _is_on_its_side(image, turned_at_all=True):
        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert(mode))


def _decode_wide(image, mode):
    channels = len(mode)
    if image.format == "PNG":  # Pillow keeps only 8 bits of a coloured PNG of 16.
        contents = pathlib.Path(image.filename).read_bytes()
        return tf.io.decode_png(contents, channels=channels, dtype=tf.uint16).numpy()
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels have more than 16 bits")
    grey = np.repeat(values[..., None].astype(np.uint16), channels, axis=-1)
    grey[..., 3:] = 65535
    return grey


def _is_wide(image):
    return image.mode.startswith("I") or (image.format == "PNG" and _is_stored_wide(image))


def _is_stored_wide(image):
    return bool(image.tile) and ";16" in str(image.tile[0][3])


def _warn_of_lost_bits(image):
    if image.format == "TIFF" and _is_stored_wide(image) and not _is_wide(image):
        warnings.warn(
            "Coloured TIFF images of 16 bits are read with 8, which is all that Pillow gives of "
            "them. PNG images keep all 16.",
            stacklevel=2,
        )


def _is_grey(image):
    if image.mode == "P":
        # As what the palette is stored in differs by format, ask for it in one form.
        palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _has_alpha(image):
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _is_on_its_side(image, turned_at_all=False):
    # Pillow turns a TIFF itself, and would decode a whole PNG to look for its rarely used tag.
    if image.format not in ("JPEG", "MPO", "WEBP"):
        return False
    return image.getexif().get(_ORIENTATION, 1) > (1 if turned_at_all else 4)


def _unreadable(path, error):
    reason = str(error) or type(error).__name__
    return ValueError(f"Expected an image that can be read. Received: {path} ({reason})")
