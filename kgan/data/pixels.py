"""What happens to the pixels of an image: channels, crop and resize, range.

Until the last step pixels keep the type they are stored in: uint8, uint16, or float32 that is in
[-1, 1] already.
"""

import tensorflow as tf

_RANGES = {tf.uint8: (0.0, 255.0), tf.uint16: (0.0, 65535.0), tf.float32: (-1.0, 1.0)}

# ITU-R BT.601, the weights with which Pillow and TensorFlow make a grey image of a coloured one.
_LUMA = (0.299, 0.587, 0.114)


def to_unit_range(images):
    """Maps stored pixels to float32 in [-1, 1]."""
    low, high = _RANGES[images.dtype]
    middle, half = (high + low) / 2, (high - low) / 2
    return (tf.cast(images, tf.float32) - middle) / half


def fit(images, image_shape):
    """Brings `images` (…, height, width, channels) to an image shape, keeping their type.

    The crop is around the centre, and the largest with the aspect ratio that is wanted. The resize
    is bicubic and antialiased, as in Pillow: others change an image so that Fréchet distances
    notice (Parmar et al. 2022, https://arxiv.org/abs/2104.11222).

    Where alpha is dropped, the image is laid on white, as a viewer shows it: the colour under a
    transparent pixel is arbitrary, and should not become something to learn.

    Args:
        images: tensor of uint8, uint16 or float32 in [-1, 1], with a known number of channels.
        image_shape: (height, width, channels).
    """
    *size, channels = image_shape
    images = _to_channels(images, channels)
    if list(images.shape[-3:-1]) == size:
        return images
    cropped = tf.cast(_centre_crop(images, *size), tf.float32)
    resized = tf.image.resize(cropped, size, method="bicubic", antialias=True)
    return _from_float(resized, images.dtype)


def _to_channels(images, channels):
    present = images.shape[-1]
    if present == channels:
        return images
    low, high = _RANGES[images.dtype]
    values = tf.cast(images, tf.float32)
    has_alpha, wants_alpha = present in (2, 4), channels in (2, 4)
    colour = values[..., :-1] if has_alpha else values
    alpha = values[..., -1:] if has_alpha else tf.fill(tf.shape(values[..., :1]), high)
    if has_alpha and not wants_alpha:
        opacity = (alpha - low) / (high - low)
        colour = colour * opacity + high * (1 - opacity)
    if colour.shape[-1] == 3 and channels <= 2:
        colour = tf.reduce_sum(colour * _LUMA, axis=-1, keepdims=True)
    if colour.shape[-1] == 1 and channels >= 3:
        colour = tf.repeat(colour, 3, axis=-1)
    values = tf.concat([colour, alpha], axis=-1) if wants_alpha else colour
    return _from_float(values, images.dtype)


def _centre_crop(images, height, width):
    shape = tf.shape(images)
    present_height, present_width = shape[-3], shape[-2]
    # In integers: n * a / b, rounded, is (2 * n * a + b) // (2 * b).
    crop_height = (2 * present_width * height + width) // (2 * width)
    crop_width = (2 * present_height * width + height) // (2 * height)
    crop_height = tf.clip_by_value(crop_height, 1, present_height)
    crop_width = tf.clip_by_value(crop_width, 1, present_width)
    top, left = (present_height - crop_height) // 2, (present_width - crop_width) // 2
    return images[..., top : top + crop_height, left : left + crop_width, :]


def _from_float(values, dtype):
    # Bicubic weights are partly negative, so that values overshoot at edges.
    low, high = _RANGES[dtype]
    values = tf.clip_by_value(values, low, high)
    return values if dtype.is_floating else tf.cast(tf.round(values), dtype)
