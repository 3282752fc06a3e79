"""What `model.fit` costs over a hand-written loop, and how PyTorch compares.

    python benchmarks/step_overhead.py --steps 100 --rounds 7

DCGAN on 28x28x1 images in three ways, in turn, in one process: `kgan.GAN.fit`; the same networks
in a `tf.function` with two tapes, as one writes it by hand; and the same layers in PyTorch (skipped
where it is not installed). All three do the same work: both losses, both Adam updates and the
average of the generator, without a penalty. tf.data's tuner is off, as in kgan.data.
Prints the median images a second and writes them as JSON.
"""

import statistics
import sys

import kgan  # isort: split

import keras
import numpy as np
import tensorflow as tf
from common import alternate, markdown, parse, parser, settings, write

from kgan.zoo.run import machine

WIDTH, KERNEL, LATENT_DIM, HALF_LIFE = 64, 4, 100, 10_000


def make_networks():
    """DCGAN for 28x28 digits: two stages, width 64, and no batch norm in the discriminator."""
    shared = {"image_shape": (28, 28, 1), "kernel_size": KERNEL}
    return (
        kgan.backbones.DCGANGenerator(width=WIDTH, latent_dim=LATENT_DIM, **shared),
        kgan.backbones.DCGANDiscriminator(width=WIDTH, batch_norm=False, **shared),
    )


def make_adam():
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


class ByFit:
    """`kgan.GAN` under `fit`."""

    def __init__(self, dataset, batch_size):
        self.dataset = dataset
        self.gan = kgan.GAN(*make_networks(), average_half_life_images=HALF_LIFE)
        self.gan.compile(make_adam(), make_adam())

    def train(self, steps):
        self.gan.fit(self.dataset, steps_per_epoch=steps, shuffle=False, verbose=0)


class ByHand:
    """A step with two tapes, written out without kgan's model."""

    def __init__(self, dataset, batch_size):
        self.iterator = iter(dataset)
        self.generator, self.discriminator = make_networks()
        self.average = keras.models.clone_model(self.generator)
        self.average.set_weights(self.generator.get_weights())
        self.generator_optimizer, self.discriminator_optimizer = make_adam(), make_adam()
        self.decay = 0.5 ** (batch_size / HALF_LIFE)
        self.step = tf.function(self.step)

    def step(self, images):
        latents = tf.random.normal((tf.shape(images)[0], LATENT_DIM))
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = self.generator(latents, training=True)
            real_scores = self.discriminator(images, training=True)
            fake_scores = self.discriminator(fakes, training=True)
            generator_loss = tf.reduce_mean(tf.nn.softplus(-fake_scores))
            discriminator_loss = tf.reduce_mean(
                tf.nn.softplus(-real_scores) + tf.nn.softplus(fake_scores)
            )
        for tape, loss, network, optimizer in (
            (generator_tape, generator_loss, self.generator, self.generator_optimizer),
            (
                discriminator_tape,
                discriminator_loss,
                self.discriminator,
                self.discriminator_optimizer,
            ),
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        for average, weight in zip(self.average.weights, self.generator.weights, strict=True):
            average.assign(average * self.decay + weight * (1 - self.decay))
        return generator_loss, discriminator_loss

    def train(self, steps):
        for _ in range(steps):
            losses = self.step(next(self.iterator)[0])
        [float(loss) for loss in losses]


def make_pytorch(dataset, batch_size):
    """The same layers, losses and updates in PyTorch, eager; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    torch.set_num_threads(machine()["cores"])
    generator = nn.Sequential(
        nn.Linear(LATENT_DIM, 7 * 7 * 2 * WIDTH, bias=False),
        nn.Unflatten(1, (2 * WIDTH, 7, 7)),
        nn.BatchNorm2d(2 * WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, KERNEL, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, 1, KERNEL, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, WIDTH, KERNEL, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, 2 * WIDTH, KERNEL, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 2 * WIDTH, 1),
    )
    averages = {k: v.clone() for k, v in generator.state_dict().items()}
    optimizers = [
        torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    ]
    decay = 0.5 ** (batch_size / HALF_LIFE)
    softplus = nn.functional.softplus
    iterator = dataset.as_numpy_iterator()

    def step():
        images = torch.tensor(next(iterator)[0]).permute(0, 3, 1, 2)
        fakes = generator(torch.randn(batch_size, LATENT_DIM))
        real_scores, fake_scores = discriminator(images), discriminator(fakes)
        generator_loss = softplus(-fake_scores).mean()
        discriminator_loss = (softplus(-real_scores) + softplus(fake_scores)).mean()
        gradients = [
            torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
            for loss, network in (
                (generator_loss, generator),
                (discriminator_loss, discriminator),
            )
        ]
        for network, grads, optimizer in zip(
            (generator, discriminator), gradients, optimizers, strict=True
        ):
            for parameter, gradient in zip(network.parameters(), grads, strict=True):
                parameter.grad = gradient
            optimizer.step()
        with torch.no_grad():
            for name, value in generator.state_dict().items():
                if value.is_floating_point():
                    averages[name].lerp_(value, 1 - decay)

    class ByPyTorch:
        def train(self, steps):
            for _ in range(steps):
                step()

    return ByPyTorch()


def measure(ways, steps, rounds, batch_size):
    """Returns the images a second of each way in each round, after one round to warm up."""
    seconds = alternate({name: lambda w=w: w.train(steps) for name, w in ways.items()}, rounds)
    return {name: [steps * batch_size / s for s in spent] for name, spent in seconds.items()}


def main(argv=None):
    made = parser(__doc__, "step_overhead")
    made.add_argument("--steps", type=int, default=100, help="steps of a way in a round")
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--batch_size", type=int, default=128)
    options = parse(made, argv, steps=2, rounds=2, batch_size=8)
    images = np.random.default_rng(0).uniform(-1, 1, (4096, 28, 28, 1)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(4096, "int32")))
    dataset = dataset.repeat().batch(options.batch_size).prefetch(2)
    # As in kgan.data: with tf.data's tuner, deleting fit's iterator may wait for seconds.
    no_tuner = tf.data.Options()
    no_tuner.autotune.enabled = False
    dataset = dataset.with_options(no_tuner)
    ways = {
        "kgan.GAN.fit": ByFit(dataset, options.batch_size),
        "hand-written": ByHand(dataset, options.batch_size),
        "PyTorch": make_pytorch(dataset, options.batch_size),
    }
    ways = {name: way for name, way in ways.items() if way is not None}
    rates = measure(ways, options.steps, options.rounds, options.batch_size)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    fit = medians["kgan.GAN.fit"]
    lines = [[name, f"{rate:,.0f}", f"{fit / rate:.2f}x"] for name, rate in medians.items()]
    print(markdown(["", "images/s", "`fit` is"], lines))
    write(options.out, options=settings(options), images_per_second=rates, medians=medians)
    return 0


if __name__ == "__main__":
    sys.exit(main())
