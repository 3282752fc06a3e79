"""How near to the real digits a person gets in ten minutes, here and with PyTorch-GAN's DCGAN.

    TFDS_DATA_DIR=… python benchmarks/time_to_quality.py --minutes 10

Trains the zoo's MNIST recipe as a user does, in a process of its own, stopped when the time is
over; then, for the same time, the DCGAN of eriklindernoren/PyTorch-GAN (its layers, losses, order
of updates and settings at 32x32, in eager PyTorch). Both make 10,000 samples, which are compared
with the training digits in the features of kgan's MNIST classifier. Prints a table and writes JSON.

The peer's samples are resized to 28x28, and that alone moves real digits away from themselves. So
there is a second, fair row for it: its samples against training digits that went to 32x32 and back.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time

import kgan  # isort: split

from common import write
from digits import load_digits

from kgan.zoo.run import RunFolder, machine

NUM_SAMPLES = 10_000
PEER_LATENT_DIM, PEER_BATCH_SIZE, PEER_IMAGE_SIZE = 100, 64, 32


def train_kgan(seconds, out):
    """Trains the recipe until the time is over, start-up included, and returns samples."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    command = [sys.executable, "-m", "kgan.zoo.dcgan", "--dataset=mnist", f"--out={out}"]
    process = subprocess.Popen([*command, "--noexport"])
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
    gan = kgan.load_gan(RunFolder(out).last_checkpoint())
    taken = min(time.perf_counter() - began, seconds)
    steps = int(gan.generator_optimizer.iterations)
    return gan.generate(NUM_SAMPLES, seed=0), {"steps": steps, "seconds": taken}


def train_peer(seconds):
    """Trains PyTorch-GAN's DCGAN for as long, and returns samples at 28x28."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(machine()["cores"])
    images = _resize(load_digits("train")[0], PEER_IMAGE_SIZE)
    generator, discriminator = _peer_networks(nn)
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    generator_optimizer = torch.optim.Adam(generator.parameters(), **adam)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), **adam)
    cross_entropy = nn.BCELoss()
    real, fake = torch.ones(PEER_BATCH_SIZE, 1), torch.zeros(PEER_BATCH_SIZE, 1)
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        batch = images[torch.randint(len(images), (PEER_BATCH_SIZE,))]
        generator_optimizer.zero_grad()
        fakes = generator(torch.randn(PEER_BATCH_SIZE, PEER_LATENT_DIM))
        cross_entropy(discriminator(fakes), real).backward()
        generator_optimizer.step()
        discriminator_optimizer.zero_grad()
        on_reals = cross_entropy(discriminator(batch), real)
        on_fakes = cross_entropy(discriminator(fakes.detach()), fake)
        ((on_reals + on_fakes) / 2).backward()
        discriminator_optimizer.step()
        steps += 1
    with torch.no_grad():  # and in training mode, as the script samples
        samples = torch.cat(
            [generator(torch.randn(100, PEER_LATENT_DIM)) for _ in range(NUM_SAMPLES // 100)]
        )
    taken = {"steps": steps, "seconds": time.perf_counter() - began}
    return _to_28x28(samples), taken


def _resize(images, size):
    import torch

    images = torch.from_numpy(images).permute(0, 3, 1, 2)
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True)


def _to_28x28(images):
    import torch

    images = torch.nn.functional.interpolate(images, 28, mode="bilinear", antialias=True)
    return images.permute(0, 2, 3, 1).numpy()


def _peer_networks(nn):
    """The peer's layers; its batch norms take 0.8 as their epsilon, and so do these."""

    def halve(inputs, outputs, norm=True):
        layers = [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        return [*layers, nn.BatchNorm2d(outputs, 0.8)] if norm else layers

    def double(inputs, outputs):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        return [nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(outputs, 0.8)]

    generator = nn.Sequential(
        nn.Linear(PEER_LATENT_DIM, 128 * 8 * 8),
        nn.Unflatten(1, (128, 8, 8)),
        nn.BatchNorm2d(128),
        *double(128, 128),
        nn.LeakyReLU(0.2),
        *double(128, 64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 1, 3, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        *halve(1, 16, norm=False),
        *halve(16, 32),
        *halve(32, 64),
        *halve(64, 128),
        nn.Flatten(),
        nn.Linear(128 * 2 * 2, 1),
        nn.Sigmoid(),
    )
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return generator, discriminator


def judge(samples, reals):
    """Returns the Fréchet distance of some samples, and the classes that they were taken for."""
    metrics = [kgan.metrics.get(f"{name}:features=mnist") for name in ("fd", "modes")]
    for metric in metrics:
        for side, images in (("real", reals), ("fake", samples)):
            for start in range(0, len(images), 1000):
                metric.update_state(**{side: images[start : start + 1000]})
    return {name: value for metric in metrics for name, value in metric.results().items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--run", default="build/time_to_quality", help="folder of kgan's run")
    parser.add_argument("--out", default="build/time_to_quality.json")
    options = parser.parse_args()
    reals, _ = load_digits("train")
    results = {}
    for name, train in (
        ("kgan", lambda seconds: train_kgan(seconds, options.run)),
        ("PyTorch-GAN", train_peer),
    ):
        samples, taken = train(options.minutes * 60)
        results[name] = {**taken, **judge(samples, reals)}
    resized = _to_28x28(_resize(reals, PEER_IMAGE_SIZE))
    results["PyTorch-GAN, fair"] = {**taken, **judge(samples, resized)}
    floor = judge(load_digits("test")[0], reals)["frechet_distance"]
    print(f"{'':18}{'steps':>8}{'seconds':>9}{'Fréchet distance':>18}")
    for name, result in results.items():
        print(
            f"{name:18}{result['steps']:8}{result['seconds']:9.0f}"
            f"{result['frechet_distance']:18.3f}"
        )
    print(f"{'real test digits':18}{'':17}{floor:18.3f}")
    ours = results["kgan"]["frechet_distance"]
    ratios = {name: result["frechet_distance"] / ours for name, result in results.items()}
    print(", ".join(f"kgan is {r:.1f} times nearer than {n}" for n, r in ratios.items() if r != 1))
    result = {"minutes": options.minutes, "num_samples": NUM_SAMPLES, "results": results}
    result |= {"real_test_digits": floor, "times_nearer": ratios}
    write(options.out, **result)


if __name__ == "__main__":
    main()
