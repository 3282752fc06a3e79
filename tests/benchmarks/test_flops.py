"""Operations that `benchmarks/flops.py` counts, beside those counted by hand."""

import keras
import pytest
import tensorflow as tf

import kgan

BATCH = 3


@pytest.fixture
def flops(load):
    return load("flops")


def count(flops, function, *shapes):
    signature = [tf.TensorSpec(shape, "float32") for shape in shapes]
    return flops.count(tf.function(function, autograph=False).get_concrete_function(*signature))


def backward(layer, watched_input):
    """Returns a function to the gradients of a layer's weights, and of its input if asked for."""

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        weights = layer.trainable_variables
        return tape.gradient(y, [w.value for w in weights] + ([x] if watched_input else []))

    return gradients


def built(layer, shape):
    layer.build((BATCH, *shape))
    return layer


# Each output of a layer is a sum of as many products as given.
LAYERS = {
    "dense": (lambda: keras.layers.Dense(5), (7,), 5, 7),
    "convolution": (lambda: keras.layers.Conv2D(4, 3, padding="same"), (8, 6, 2), 8 * 6 * 4, 9 * 2),
    "strided": (lambda: keras.layers.Conv2D(4, 3, 2), (9, 7, 2), 4 * 3 * 4, 9 * 2),
    "groups": (lambda: keras.layers.Conv2D(4, 3, groups=2), (5, 5, 6), 3 * 3 * 4, 9 * 3),
    "depthwise": (lambda: keras.layers.DepthwiseConv2D(3), (5, 6, 2), 3 * 4 * 2, 9),
    # Each of the inputs goes into a window of the outputs.
    "transposed": (
        lambda: keras.layers.Conv2DTranspose(5, 4, 2, padding="same"),
        (4, 3, 2),
        4 * 3 * 2,
        16 * 5,
    ),
    "einsum": (lambda: keras.layers.EinsumDense("abc,cd->abd", (None, 5)), (4, 3), 4 * 5, 3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_forward_and_backward_is_as_by_hand(flops, name):
    make, shape, outputs, products = LAYERS[name]
    layer = built(make(), shape)
    forward = 2 * BATCH * outputs * products
    assert count(flops, layer.call, (BATCH, *shape)) == forward
    # The weights' gradient takes as many as the layer, and the input's once more. The layer's own
    # output is not needed for either, and so is not computed.
    assert count(flops, backward(layer, False), (BATCH, *shape)) == forward
    assert count(flops, backward(layer, True), (BATCH, *shape)) == 2 * forward


def test_batched_products_and_their_transposes(flops):
    assert count(flops, tf.matmul, (4, 2, 3), (4, 3, 5)) == 2 * 4 * 2 * 3 * 5
    product = lambda a, b: tf.matmul(a, b, transpose_a=True, transpose_b=True)  # noqa: E731
    assert count(flops, product, (3, 2), (5, 3)) == 2 * 2 * 3 * 5
    assert count(flops, product, (4, 3, 2), (4, 5, 3)) == 2 * 4 * 2 * 3 * 5


def test_what_nobody_reads_does_not_count(flops):
    def function(x):
        tf.matmul(x, x)
        return x + 1

    assert count(flops, function, (4, 4)) == 0


def test_a_function_within_counts_by_what_is_read_of_it(flops):
    inner = tf.function(lambda x: (x @ x, x @ x[:, :1]), autograph=False)
    assert count(flops, lambda x: inner(x)[1], (4, 4)) == 2 * 4 * 4


def test_what_is_due_in_every_third_step_counts_a_third(flops):
    step = tf.Variable(0, dtype="int64")

    def function(x):
        return x @ x + tf.cond(step % 3 == 0, lambda: x @ x @ x, lambda: x)

    assert count(flops, function, (4, 4)) == 2 * 64 + 2 * 2 * 64 / 3


def test_a_condition_within_itself_is_decided(flops):
    step = tf.Variable(0, dtype="int64")

    def function(x):
        is_due = step % 3 == 0
        within = lambda: tf.cond(is_due, lambda: x @ x, lambda: x)  # noqa: E731
        return tf.cond(is_due, within, lambda: x)

    assert count(flops, function, (4, 4)) == 2 * 64 / 3


def test_a_gradient_of_a_gradient_within_a_condition_is_due_with_it(flops):
    step, weights = tf.Variable(0, dtype="int64"), tf.Variable(tf.ones((4, 4)))

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.square(x @ weights)
        return tf.reduce_sum(tape.gradient(y, x) ** 2)  # two products

    def function(x):
        with tf.GradientTape() as tape:
            y = tf.cond(step % 2 == 0, lambda: penalty(x), lambda: 0.0)
        return tape.gradient(y, weights)

    # Four for their gradients: two of each of which one is of x alone, which nobody reads.
    assert count(flops, penalty, (4, 4)) == 2 * 2 * 64
    assert count(flops, function, (4, 4)) == (2 + 4 - 1) * 2 * 64 / 2


def test_another_condition_is_an_error(flops):
    def function(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x @ x, lambda: x)

    with pytest.raises(ValueError, match="step % k == 0"):
        count(flops, function, (4, 4))


def test_an_unknown_product_is_an_error(flops):
    def function(x):
        return tf.nn.conv3d(x, tf.ones((1, 1, 1, 2, 2)), [1] * 5, "SAME")

    with pytest.raises(ValueError, match="Received: Conv3D"):
        count(flops, function, (1, 2, 2, 2, 2))


def test_a_whole_train_step_is_as_by_hand(flops):
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape=(6,), latent_dim=4, units=[8]),
        kgan.backbones.MLPDiscriminator(image_shape=(6,), units=[8]),
    )
    gan.compile("adam", "adam", jit_compile=False)
    generator, discriminator = 4 * 8 + 8 * 6, 6 * 8 * 5 + 8 * 1  # with a maxout of 5
    step = tf.function(gan.train_step, autograph=False)
    images = tf.zeros((BATCH, 6))
    products = generator + 2 * discriminator  # fakes, and scores of reals and fakes
    products += 2 * discriminator  # of its weights, for reals and fakes
    products += 2 * 8 * 1  # and between its layers
    products += discriminator + generator + 8 * 6  # the fakes', the generator's, and between them
    assert flops.count(step.get_concrete_function(images)) == 2 * BATCH * products
