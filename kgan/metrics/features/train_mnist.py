r"""Trains the classifier behind the MNIST features, and writes its weights.

python -m kgan.metrics.features.train_mnist --data_dir ~/tensorflow_datasets

All 60,000 training digits are learned for 20 epochs with AdamW, at a rate that falls along half
a cosine, each digit distorted anew every time. Nothing was chosen by the 10,000 test digits: they
are only counted at the end, with the weights as they are on disk, rounded to float16. It takes
about ten minutes on 2 cores.
"""

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags
from keras import ops

import kgan
from kgan.files import atomic_path
from kgan.metrics.features import mnist

FLAGS = flags.FLAGS

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.01
# The most that a digit is turned and slanted by (radians), scaled by, and moved by (pixels).
TURN, SLANT, SCALE, SHIFT = 0.15, 0.15, 0.1, 2.0


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.metrics.features.train_mnist`."""
    integer, string = flags.DEFINE_integer, flags.DEFINE_string
    at = {"flag_values": flag_values}
    string("data_dir", None, "Where TensorFlow Datasets keeps MNIST; also TFDS_DATA_DIR.", **at)
    integer("epochs", 20, "Passes over the training digits.", lower_bound=1, **at)
    integer("batch_size", 128, "Digits an update.", lower_bound=1, **at)
    integer("seed", 0, "Of weights, order and distortions.", **at)
    string("out", str(mnist.WEIGHTS), "The file to write.", **at)


def main(argv):
    """Trains, writes the file and prints the test accuracy of what it holds.

    Args:
        argv: list of str, the program's name alone.
    """
    if len(argv) > 1:
        raise app.UsageError(f"Only flags are expected. Received: {argv[1:]}")
    keras.utils.set_random_seed(FLAGS.seed)
    model = train(FLAGS.epochs, FLAGS.batch_size, FLAGS.seed, FLAGS.data_dir)
    save(FLAGS.out, folded(model))
    print(f"{FLAGS.out}: test accuracy {accuracy(mnist.load(FLAGS.out), FLAGS.data_dir):.2%}")


def train(epochs, batch_size, seed, data_dir=None):
    """Returns the trained `trainable_classifier`.

    Args:
        epochs: int.
        batch_size: int.
        seed: int, of order and distortions.
        data_dir: str or None, where TensorFlow Datasets keeps MNIST. Defaults to None.
    """
    digits = kgan.data.load("mnist", batch_size, data_dir=data_dir, seed=seed, augment=distort)
    model = trainable_classifier()
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * len(digits))
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )
    model.fit(digits.prefetch(2), epochs=epochs, shuffle=False, verbose=2)
    return model


def trainable_classifier():
    """Returns the network of the logits with a batch normalization after each layer but the last.

    Example:
    >>> trainable_classifier().count_params()
    224986
    """
    images = keras.Input(mnist.IMAGE_SHAPE)
    x = (images + 1) / 2
    for i, (filters, stride) in enumerate(mnist.CONVOLUTIONS):
        name = f"convolution_{i}"
        layer = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=name)
        x = ops.silu(keras.layers.BatchNormalization(name=f"{name}_norm")(layer(x)))
    layer = keras.layers.Dense(mnist.FEATURE_DIM, use_bias=False, name="features")
    x = layer(keras.layers.Flatten()(x))
    features = ops.silu(keras.layers.BatchNormalization(name="features_norm")(x))
    logits = keras.layers.Dense(mnist.NUM_CLASSES, name="logits")(features)
    return keras.Model(images, logits)


def distort(images, seed):
    """Turns, slants, scales and moves each digit at random, as handwriting does.

    Args:
        images: float32 tensor `(batch, 28, 28, 1)` in [-1, 1].
        seed: int tensor `(2,)`, of all that is drawn.

    Example:
    >>> distort(-np.ones((2, 28, 28, 1), "float32"), [0, 1]).shape
    TensorShape([2, 28, 28, 1])
    """
    draws = tf.random.stateless_uniform((6, tf.shape(images)[0]), seed, -1.0, 1.0)
    turn, slant = TURN * draws[0], SLANT * draws[1]
    width, height = 1 + SCALE * draws[2], 1 + SCALE * draws[3]
    a, b = width * ops.cos(turn), slant - ops.sin(turn)
    c, d = ops.sin(turn), height * ops.cos(turn)
    # A point (x, y) of the result shows (a x + b y + …, c x + d y + …), around the centre.
    centre = (mnist.IMAGE_SHAPE[0] - 1) / 2
    right = centre * (1 - a - b) + SHIFT * draws[4]
    down = centre * (1 - c - d) + SHIFT * draws[5]
    zero = ops.zeros_like(a)
    transform = ops.stack([a, b, right, c, d, down, zero, zero], axis=-1)
    return ops.image.affine_transform(images, transform, fill_value=-1)


def folded(model):
    """Returns the weights of `mnist.classify`, with every batch normalization folded in.

    It multiplies a layer's outputs by s = gamma / sqrt(variance + epsilon) and adds
    beta - s * mean: a kernel times s, and a bias.

    Args:
        model: a `trainable_classifier`.

    Returns:
        Dict of float32 arrays by the names that `mnist.classify` takes.

    Example:
    >>> folded(trainable_classifier())["features/bias"].shape
    (64,)
    """
    weights = {}
    for name in [*(f"convolution_{i}" for i in range(len(mnist.CONVOLUTIONS))), "features"]:
        norm = model.get_layer(f"{name}_norm")
        scale = norm.gamma / ops.sqrt(norm.moving_variance + norm.epsilon)
        weights[f"{name}/kernel"] = model.get_layer(name).kernel * scale
        weights[f"{name}/bias"] = norm.beta - scale * norm.moving_mean
    weights["logits/kernel"], weights["logits/bias"] = model.get_layer("logits").weights
    return {name: ops.convert_to_numpy(value) for name, value in weights.items()}


def save(path, weights):
    """Writes weights in float16, a number of half the size, to a file that `mnist.load` reads.

    Args:
        path: str or `os.PathLike`, which should end in `.npz`.
        weights: dict of arrays.

    Example:
    >>> save("classifier.npz", folded(trainable_classifier()))
    >>> mnist.load("classifier.npz")["logits/bias"].shape
    (10,)
    """
    with atomic_path(path) as temporary:
        np.savez(temporary, **{name: np.float16(value) for name, value in weights.items()})


def accuracy(weights, data_dir=None):
    """Returns the part of MNIST's 10,000 test digits that are classified rightly.

    Args:
        weights: dict of arrays, as of `mnist.load`.
        data_dir: str or None, where TensorFlow Datasets keeps MNIST. Defaults to None.
    """
    digits = kgan.data.load(
        "mnist", 500, split="test", data_dir=data_dir, shuffle=False, drop_remainder=False
    )
    classify = tf.function(lambda images: mnist.classify(images, weights)["logits"])
    right = [ops.argmax(classify(images), axis=-1) == labels for images, labels in digits]
    return float(np.mean(np.concatenate(right)))


if __name__ == "__main__":
    define_flags()
    app.run(main)
