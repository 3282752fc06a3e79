"""Both sides of `benchmarks/against_pytorch` play the same games."""

import dataclasses

import keras
import numpy as np
import pytest

import kgan
from benchmarks.against_pytorch import games, in_kgan

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install kgan[bench]")
in_pytorch = pytest.importorskip("benchmarks.against_pytorch.in_pytorch")

WIDTHS = {"dcgan": 8, "wgan_gp": 4, "sngan": 6}
# Where dense layers meet a map, whose channels come first in PyTorch.
MAPS = {
    "dcgan": {"generator.0": (8, 8, 16), "discriminator.16": (2, 2, 16)},
    "wgan_gp": {},
    "sngan": {"generator.project": (4, 4, 6)},
}
WITH_WEIGHTS = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


class Recorder(kgan.component.Observer):
    """Keeps the gradients of every update."""

    def __init__(self):
        super().__init__()
        self.updates = {"generator": [], "discriminator": []}

    def observe(self, player, gradients, round):
        self.updates[player].append([keras.ops.convert_to_numpy(g) for g in gradients])


def small(name):
    return dataclasses.replace(games.GAMES[name], width=WIDTHS[name], batch_size=4, dropout=0.0)


def layer_pairs(name, player, network, peer):
    """Returns each module's place with it and the Keras layer of the same place."""
    modules = [(at, m) for at, m in peer.named_modules() if isinstance(m, WITH_WEIGHTS)]
    layers = [layer for layer in network.layers if layer.weights]
    if name == "sngan":
        by_name = {layer.name.removeprefix("normalized_"): layer for layer in layers}
        layers = [by_name[at.replace(".", "_")] for at, _ in modules]
    return [(f"{player}.{at}", m, k) for (at, m), k in zip(modules, layers, strict=True)]


def weight_pairs(name, player, network, peer):
    """Yields a place with the PyTorch and the Keras weight there."""
    for at, module, layer in layer_pairs(name, player, network, peer):
        normalized = isinstance(layer, kgan.layers.SpectralNormalization)
        kernel = module.parametrizations.weight.original if normalized else module.weight
        statistics = (getattr(module, "running_mean", None), getattr(module, "running_var", None))
        tensors = [t for t in (kernel, module.bias, *statistics) if t is not None]
        variables = layer.layer.weights if normalized else layer.weights
        for tensor, variable in zip(tensors, variables, strict=True):
            yield at, tensor, variable


def converted(name, at, array):
    """Returns a Keras weight, or its gradient, as PyTorch lays it out.

    With stride 2 TensorFlow pads below and to the right; PyTorch pads all sides, and then uses the
    upper and left. So one side's DCGAN is the other's with all images turned by half a circle.
    """
    array = np.asarray(array)
    if array.ndim == 4:
        return turned(name, array, (0, 1)).transpose(3, 2, 0, 1)
    shape = MAPS[name].get(at)
    if shape is None or array.size == 1:
        return array.T
    to_map = at.startswith("generator")
    rows = array if to_map else array.T
    maps = turned(name, rows.reshape(-1, *shape), (1, 2)).transpose(0, 3, 1, 2)
    return maps.reshape(rows.shape).T if to_map else maps.reshape(rows.shape)


def turned(name, images, axes):
    return np.flip(images, axes) if name == "dcgan" else images


def singular_vectors(matrix):
    """Returns those of the largest singular value, left and right."""
    left, _, right = np.linalg.svd(np.asarray(matrix))
    return left[:, 0], right[0]


def iterate_to_the_end(monkeypatch):
    """Gives both sides exact singular vectors.

    PyTorch iterates once for reals and fakes together, kgan once for each.
    """

    def ours(layer, matrix, u):
        v, u = singular_vectors(matrix)
        return keras.ops.convert_to_tensor(u), keras.ops.convert_to_tensor(v)

    def theirs(power, matrix, iterations):
        u, v = singular_vectors(matrix.detach())
        power._u, power._v = torch.from_numpy(u), torch.from_numpy(v)

    power = torch.nn.utils.parametrizations._SpectralNorm
    monkeypatch.setattr(power, "_power_method", theirs)
    monkeypatch.setattr(kgan.layers.SpectralNormalization, "_singular_vectors", ours)


def make_both(name, monkeypatch):
    """Returns kgan's and PyTorch's players with the same weights and the same draws to come."""
    game, random = small(name), np.random.default_rng(1)
    iterate_to_the_end(monkeypatch)
    gan = in_kgan.make_gan(name, game, run_eagerly=True)
    players = in_pytorch.Players(name, game)
    for at, tensor, variable in all_weights(name, gan, players):
        # Weights that also move what is initially 0 or 1 away from there.
        variable.assign(variable + 0.1 * random.uniform(0, 1, variable.shape))
        tensor.data.copy_(torch.from_numpy(converted(name, at, variable.numpy()).copy()))
    turns = game.discriminator_steps + (game.updates == "alternating")
    latents = random.normal(size=(turns, 4, game.latent_dim)).astype("float32")
    epsilons = random.uniform(size=(turns, 4, 1, 1, 1)).astype("float32")
    for side, wrap in ((gan, keras.ops.convert_to_tensor), (players, torch.from_numpy)):
        draws = iter(latents)
        monkeypatch.setattr(side, "draw_latents", lambda *_, d=draws, w=wrap: w(next(d)))
    theirs, ours = iter(epsilons), iter(epsilons)
    monkeypatch.setattr(players, "draw_epsilon", lambda: torch.from_numpy(next(theirs)))
    monkeypatch.setattr(kgan.replicas, "uniform", lambda shape, seed: next(ours))
    images = random.uniform(-1, 1, (game.images_per_step, *game.image_shape)).astype("float32")
    return game, gan, players, images


def all_weights(name, gan, players):
    for player in ("generator", "discriminator"):
        yield from weight_pairs(name, player, getattr(gan, player), getattr(players, player))


def step_of_pytorch(name, game, players, images):
    """Returns both losses, and all gradients by player."""
    updates = {players.generator: [], players.discriminator: []}
    move = players.move

    def record(network, gradients):
        updates[network].append([g.numpy().copy() for g in gradients])
        move(network, gradients)

    players.move = record
    channels_first = turned(name, images, (1, 2)).transpose(0, 3, 1, 2)
    # kgan's turns take every k-th image.
    parts = [channels_first[i :: game.discriminator_steps] for i in range(game.discriminator_steps)]
    losses = players.step([torch.from_numpy(part.copy()) for part in parts])
    return [loss.item() for loss in losses], updates


@pytest.mark.parametrize("name", games.GAMES)
def test_one_step_is_the_same(name, monkeypatch):
    game, gan, players, images = make_both(name, monkeypatch)
    recorder = Recorder()
    gan.observe(recorder)
    logs = gan.train_step(images)
    losses, updates = step_of_pytorch(name, game, players, images)

    ours = [float(logs["generator_loss"]), float(logs["discriminator_loss"])]
    np.testing.assert_allclose(ours, losses, rtol=1e-4)
    for player, turns in (("generator", 1), ("discriminator", game.discriminator_steps)):
        network, peer = getattr(gan, player), getattr(players, player)
        own, others = recorder.updates[player], updates[peer]
        assert len(own) == len(others) == turns
        for at, tensor, variable in weight_pairs(name, player, network, peer):
            if not variable.trainable:
                continue
            here = index_of(variable, getattr(gan, f"{player}_variables"))
            there = index_of(tensor, peer.parameters())
            gradients = [converted(name, at, update[here]) for update in own]
            for gradient, update in zip(gradients, others, strict=True):
                other = update[there]
                atol = 1e-4 * max(1.0, np.abs(other).max())
                np.testing.assert_allclose(gradient, other, rtol=0, atol=atol, err_msg=at)
            # Adam's step is as long as its rate whatever the gradient, so rounding alone decides
            # about that of a gradient which is 0 but for it.
            clear = np.min(np.abs(gradients), axis=0) > 1e-3
            weight, other = converted(name, at, variable.numpy()), tensor.detach().numpy()
            atol = 0.05 * game.learning_rate
            np.testing.assert_allclose(weight[clear], other[clear], rtol=0, atol=atol, err_msg=at)


def index_of(wanted, values):
    return next(i for i, value in enumerate(values) if value is wanted)


def test_both_sides_are_of_equal_size():
    for name, game in games.GAMES.items():
        gan = in_kgan.make_gan(name, game)
        players = in_pytorch.Players(name, game)
        for player in ("generator", "discriminator"):
            ours = sum(int(np.prod(v.shape)) for v in getattr(gan, player).trainable_variables)
            assert ours == sum(p.numel() for p in getattr(players, player).parameters())


def test_operations_are_counted_alike():
    """Dense layers have no cheaper form; those of up-sampled convolutions are 4 products, not 9."""
    counted = {}
    for name in ("wgan_gp", "dcgan"):
        game = small(name)
        images = games.draw_images(game, steps=2)
        sides = [
            side.Side(name, game, mode, "float32", images)
            for side, mode in ((in_kgan, "fit"), (in_pytorch, "eager"))
        ]
        counted[name] = [side.flops() for side in sides]
    ours, theirs = counted["wgan_gp"]
    # The gradient by a column of ones is a sum to one side and a product to the other.
    assert ours == pytest.approx(theirs, rel=0.01)
    ours, theirs = counted["dcgan"]
    # Forward and both gradients of both up-sampled convolutions.
    saved = 3 * 2 * (9 - 4) * 4 * (16 * 16 * 16 * 16 + 32 * 32 * 16 * 8)
    assert theirs - ours == pytest.approx(saved, rel=0.01)
