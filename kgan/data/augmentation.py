"""Random changes of the images of a data set, by keras-cv's layers.

keras-cv draws from generators that keep a state, so that a batch would depend on all that were
drawn before it, in this process and by any of tf.data's threads. Here every draw is a function of
a seed that comes with the batch.
"""

import contextlib
import functools

import keras
import tensorflow as tf

from kgan.registry import suggest

# How far a crop moves an image, as a part of its sides: 4 of 32 pixels, as is usual on CIFAR.
_CROP = 1 / 8

# Keeps layers from asking for the global generator, as they do without a seed, or with 0.
_UNUSED_SEED = 1


def parse(value, image_shape=None):
    """Returns what to do to images as a tuple of names and functions.

    Args:
        value: None, a name, names with commas between them, a function of `(images, seed)`, or a
            list of names and functions.
        image_shape: (height, width, channels) of the images, or None where it is not known yet.

    Raises:
        ValueError: a name is unknown, or not for images of these channels; or something is
            neither a name nor a function.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    steps = tuple(value) if isinstance(value, list | tuple) else (value,)
    for step in steps:
        _check(step)
        if step == "rand_augment" and image_shape and image_shape[2] not in (1, 3):
            raise ValueError(
                "Expected images of 1 channel (grey) or 3 (RGB) for 'rand_augment', as keras-cv "
                f"changes colours and knows no alpha. Received: {image_shape[2]} channels"
            )
    return steps


def _check(step):
    if step == _HORIZONTAL_FLIP:
        raise ValueError(
            "Mirroring has an argument of its own, horizontal_flip=True (--horizontal_flip). "
            "Received: 'horizontal_flip' in `augment`"
        )
    if isinstance(step, keras.layers.Layer):
        raise ValueError(
            "Expected `augment` as names or functions of (images, seed). A Keras layer draws from "
            f"a state of its own, so that no batch could be repeated. Received: {step!r}"
        )
    names = [name for name in _LAYERS if name != _HORIZONTAL_FLIP]
    if not callable(step) and (not isinstance(step, str) or step not in names):
        raise ValueError(
            f"Expected `augment` as names or functions of (images, seed). {suggest(step, names)}"
            f" Received: {step!r}"
        )


def build(value, image_shape, horizontal_flip=False):
    """Returns a function of a batch in [-1, 1] and a seed to the batch that is trained on.

    Args:
        value: as of `parse`.
        image_shape: (height, width, channels).
        horizontal_flip: boolean, whether to mirror each image with probability 1/2. Defaults to
            False.
    """
    names = (_HORIZONTAL_FLIP,) if horizontal_flip else ()
    steps = [
        _by_name(step, tuple(image_shape)) if isinstance(step, str) else step
        for step in (*names, *value)
    ]

    def augment(images, seed):
        for number, step in enumerate(steps):
            images = step(images, _fold_in(seed, number))
        return images

    return augment


@functools.cache
def _by_name(name, image_shape):
    # As tracing RandAugment takes two seconds, the datasets of a process share one trace.
    return tf.function(_LAYERS[name](image_shape))


def _flip(mode, image_shape):
    import keras_cv

    return _seeded(keras_cv.layers.RandomFlip(mode, seed=_UNUSED_SEED))


def _random_crop(image_shape):
    """A window of the image's own size, out of the image with a mirrored border around it.

    Not keras-cv's RandomCrop: that samples a grid which is slightly coarser than the pixels, and
    so leaves out a row or a column of half of the images. A shift by whole pixels is the crop.
    """
    import keras_cv

    # Uniform over the whole numbers from -margin to margin, after rounding.
    height, width = ((max(1, round(side * _CROP)) + 0.499) / side for side in image_shape[:2])
    return _seeded(
        keras_cv.layers.RandomTranslation(
            min(height, 1.0), min(width, 1.0), interpolation="nearest", seed=_UNUSED_SEED
        )
    )


def _rand_augment(image_shape):
    """Three of ten changes of colour and geometry an image (Cubuk et al. 2020, RandAugment).

    The number, their strength and the ten are keras-cv's own.
    """
    import keras_cv

    _make_global_generator()
    augment = _seeded(keras_cv.layers.RandAugment(value_range=(0, 255), seed=_UNUSED_SEED))

    def apply(images, seed):
        pixels = (images + 1) * 127.5
        if image_shape[2] == 1:
            pixels = tf.repeat(pixels, 3, axis=-1)  # Grey stays grey through all ten.
        seeds = tf.random.split(seed, tf.shape(images)[0])
        # One image at a time: inside, keras-cv would draw for all images with the same seed.
        pixels = tf.map_fn(
            lambda pair: augment(*pair), (pixels, seeds), fn_output_signature=tf.float32
        )
        pixels = pixels[..., : image_shape[2]]
        return tf.clip_by_value(pixels / 127.5 - 1, -1, 1)

    return apply


_HORIZONTAL_FLIP = "horizontal_flip"
_LAYERS = {
    _HORIZONTAL_FLIP: functools.partial(_flip, "horizontal"),
    "vertical_flip": functools.partial(_flip, "vertical"),
    "random_crop": _random_crop,
    "rand_augment": _rand_augment,
}


def _seeded(layer):
    """Returns a layer of keras-cv as a function of images and a seed, and of nothing else."""
    draws = _Draws()
    for part in layer._flatten_layers():
        part.dtype_policy = "float32"  # whatever the networks compute in
        part._random_generator = draws
        for name, value in list(vars(part).items()):
            setattr(part, name, _seeded_sampler(value, draws))

    def apply(images, seed):
        with draws.of(seed):
            return layer(images)

    return apply


def _seeded_sampler(value, draws):
    """Returns `value`, or what draws the same from `draws` if it is one of keras-cv's samplers."""
    from keras_cv import core

    def normal(shape=(), dtype="float32"):
        factors = draws.normal(shape, value.mean, value.stddev, dtype)
        return tf.clip_by_value(factors, value.min_value, value.max_value)

    def uniform(shape=(), dtype="float32"):
        return draws.uniform(shape, value.lower, value.upper, dtype)

    if isinstance(value, core.NormalFactorSampler):
        return normal
    return uniform if isinstance(value, core.UniformFactorSampler) else value


class _Draws:
    """Stands where keras-cv's layers keep their `tf.random.Generator`, but has no state.

    While a layer is traced, its draws are numbered, and each takes its number and the seed.
    """

    @contextlib.contextmanager
    def of(self, seed):
        self._seed, self._count = seed, 0
        try:
            yield
        finally:
            del self._seed, self._count

    def uniform(self, shape, minval=0, maxval=None, dtype=tf.float32):
        return tf.random.stateless_uniform(shape, self._next(), minval, maxval, dtype)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32):
        return tf.random.stateless_normal(shape, self._next(), mean, stddev, dtype)

    def _next(self):
        self._count += 1
        return _fold_in(self._seed, self._count)


def _fold_in(seed, number):
    return tf.random.fold_in(seed, tf.constant(number, tf.int64))


def _make_global_generator():
    """Lets keras-cv make layers whose seed it forgets to pass on, as RandomColorDegeneration.

    They ask for the global generator, which TensorFlow refuses to make when determinism is on.
    """
    try:
        tf.random.get_global_generator()
    except RuntimeError:
        tf.random.set_global_generator(tf.random.Generator.from_seed(0))
