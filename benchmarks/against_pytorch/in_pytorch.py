"""The games as an engineer who knows PyTorch writes them."""

import contextlib
import os

import torch
from torch import nn
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.against_pytorch.games import LARGE_EPSILON, LEAKY_SLOPE


def leaky():
    return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)


def dcgan(game):
    """PyTorch-GAN's DCGAN: up-sampling before 3x3 convolutions, dropout of channels."""
    height, width = (side // 4 for side in game.image_shape[:2])
    widest, channels = 2 * game.width, game.image_shape[-1]
    generator = nn.Sequential(
        nn.Linear(game.latent_dim, widest * height * width),
        nn.Unflatten(1, (widest, height, width)),
        nn.BatchNorm2d(widest),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(widest, widest, 3, padding=1),
        nn.BatchNorm2d(widest, eps=LARGE_EPSILON),
        leaky(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(widest, game.width, 3, padding=1),
        nn.BatchNorm2d(game.width, eps=LARGE_EPSILON),
        leaky(),
        nn.Conv2d(game.width, channels, 3, padding=1),
        nn.Tanh(),
    )
    blocks, last = [], channels
    for filters in (game.width // 4, game.width // 2, game.width, widest):
        blocks += [nn.Conv2d(last, filters, 3, stride=2, padding=1), leaky()]
        blocks += [nn.Dropout2d(game.dropout)]
        blocks += [nn.BatchNorm2d(filters, eps=LARGE_EPSILON)] if last != channels else []
        last = filters
    discriminator = nn.Sequential(
        *blocks, nn.Flatten(), nn.Linear(widest * (height // 4) * (width // 4), 1)
    )
    for module in (*generator, *discriminator):
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.02)
    return generator, discriminator


def wgan_gp(game):
    """PyTorch-GAN's WGAN-GP: dense layers, with batch norm in the generator only."""
    height, width, channels = game.image_shape
    pixels, unit = height * width * channels, game.width
    blocks = [nn.Linear(game.latent_dim, unit), leaky()]
    for factor in (1, 2, 4):
        blocks += [nn.Linear(factor * unit, 2 * factor * unit)]
        blocks += [nn.BatchNorm1d(2 * factor * unit, eps=LARGE_EPSILON), leaky()]
    shape = (channels, height, width)
    generator = nn.Sequential(
        *blocks, nn.Linear(8 * unit, pixels), nn.Tanh(), nn.Unflatten(1, shape)
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, 4 * unit),
        leaky(),
        nn.Linear(4 * unit, 2 * unit),
        leaky(),
        nn.Linear(2 * unit, 1),
    )
    return generator, discriminator


class DoublingBlock(nn.Module):
    """A block of SNGAN's generator, which doubles the sides."""

    def __init__(self, width):
        super().__init__()
        self.norm_1 = nn.BatchNorm2d(width)
        self.convolution_1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(width)
        self.convolution_2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(width, width, 1, bias=False)
        self.doubled = nn.Upsample(scale_factor=2)

    def forward(self, x):
        residual = self.convolution_1(self.doubled(relu(self.norm_1(x))))
        residual = self.convolution_2(relu(self.norm_2(residual)))
        return self.doubled(self.shortcut(x)) + residual


class JudgingBlock(nn.Module):
    """A block of SNGAN's discriminator, which may halve the sides."""

    def __init__(self, last, width, halve, first):
        super().__init__()
        self.first = first
        self.convolution_1 = spectral_norm(nn.Conv2d(last, width, 3, padding=1))
        self.convolution_2 = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.halve = nn.AvgPool2d(2) if halve else nn.Identity()
        self.shortcut = nn.Identity()
        if halve:
            self.shortcut = spectral_norm(nn.Conv2d(last, width, 1, bias=False))

    def forward(self, x):
        residual = self.convolution_1(x if self.first else relu(x))
        residual = self.convolution_2(relu(residual))
        return self.shortcut(self.halve(x)) + self.halve(residual)


class ResNetGenerator(nn.Module):
    """SNGAN's table 4a at another width."""

    def __init__(self, game):
        super().__init__()
        width, base = game.width, game.image_shape[0] // 8
        self.project = nn.Linear(game.latent_dim, width * base * base)
        self.map = nn.Unflatten(1, (width, base, base))
        self.block_1 = DoublingBlock(width)
        self.block_2 = DoublingBlock(width)
        self.block_3 = DoublingBlock(width)
        self.norm = nn.BatchNorm2d(width)
        self.to_image = nn.Conv2d(width, game.image_shape[-1], 3, padding=1)

    def forward(self, latents):
        x = self.block_3(self.block_2(self.block_1(self.map(self.project(latents)))))
        return torch.tanh(self.to_image(relu(self.norm(x))))


class ResNetDiscriminator(nn.Module):
    """SNGAN's table 4b at another width."""

    def __init__(self, game):
        super().__init__()
        width = game.width
        self.block_0 = JudgingBlock(game.image_shape[-1], width, halve=True, first=True)
        self.block_1 = JudgingBlock(width, width, halve=True, first=False)
        self.block_2 = JudgingBlock(width, width, halve=False, first=False)
        self.block_3 = JudgingBlock(width, width, halve=False, first=False)
        self.score = spectral_norm(nn.Linear(width, 1))

    def forward(self, images):
        x = self.block_3(self.block_2(self.block_1(self.block_0(images))))
        return self.score(relu(x).sum((2, 3)))


def sngan(game):
    """Table 4 of SNGAN's paper at another width."""
    return ResNetGenerator(game), ResNetDiscriminator(game)


NETWORKS = {"dcgan": dcgan, "wgan_gp": wgan_gp, "sngan": sngan}

# Of the discriminator, by scores of reals and fakes; of the generator, by scores of fakes.
LOSSES = {
    "non_saturating": (
        lambda real, fake: (softplus(-real) + softplus(fake)).mean(),
        lambda fake: softplus(-fake).mean(),
    ),
    "wasserstein": (lambda real, fake: (fake - real).mean(), lambda fake: -fake.mean()),
    "hinge": (
        lambda real, fake: (relu(1 - real) + relu(1 + fake)).mean(),
        lambda fake: -fake.mean(),
    ),
}


class Players:
    """Both networks, and the gradients of a turn.

    Args:
        name: str, the game's.
        game: `Game`.
        dtype: `"float32"` or `"bfloat16"`, of the forward passes. Defaults to `"float32"`.
        device: str. Defaults to `"cpu"`.
    """

    def __init__(self, name, game, dtype="float32", device="cpu"):
        self.game = game
        self.device = device
        self.is_half = dtype == "bfloat16"
        self.generator, self.discriminator = (n.to(device) for n in NETWORKS[name](game))
        self.discriminator_loss, self.generator_loss = LOSSES[game.loss]
        self.optimizers = {
            network: torch.optim.Adam(
                network.parameters(), game.learning_rate, betas=game.betas, fused=True
            )
            for network in (self.generator, self.discriminator)
        }

    def half(self):
        if not self.is_half:
            return contextlib.nullcontext()
        return torch.autocast(self.device, torch.bfloat16)

    def both_turns(self, latents, reals):
        """Returns each player's loss and gradients, of one forward pass."""
        with self.half():
            fakes = self.generator(latents)
            # Not one batch of both: batch norm keeps reals and fakes apart.
            real, fake = self.discriminator(reals).float(), self.discriminator(fakes).float()
        generator_loss = self.generator_loss(fake)
        discriminator_loss = self.discriminator_loss(real, fake)
        return (
            generator_loss.detach(),
            discriminator_loss.detach(),
            # Only along the paths that lead to these: no gradients of the other's weights.
            torch.autograd.grad(
                generator_loss, list(self.generator.parameters()), retain_graph=True
            ),
            torch.autograd.grad(discriminator_loss, list(self.discriminator.parameters())),
        )

    def discriminator_turn(self, latents, reals, epsilon):
        """Returns the discriminator's loss and gradients; ε says where the penalty is taken."""
        with self.half():
            with torch.no_grad():
                fakes = self.generator(latents)
            real, fake = self.discriminator(torch.cat((reals, fakes))).float().chunk(2)
        loss = self.discriminator_loss(real, fake)
        if self.game.gradient_penalty:
            between = torch.lerp(fakes.float(), reals, epsilon).requires_grad_()
            with self.half():
                scores = self.discriminator(between).float()
            (slopes,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
            excess = slopes.flatten(1).norm(dim=1) - 1
            loss = loss + self.game.gradient_penalty * excess.square().mean()
        return loss.detach(), torch.autograd.grad(loss, list(self.discriminator.parameters()))

    def generator_turn(self, latents):
        """Returns the generator's loss and gradients."""
        with self.half():
            fake = self.discriminator(self.generator(latents)).float()
        loss = self.generator_loss(fake)
        return loss.detach(), torch.autograd.grad(loss, list(self.generator.parameters()))

    def move(self, network, gradients):
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.optimizers[network].step()

    def draw_latents(self):
        return torch.randn(self.game.batch_size, self.game.latent_dim, device=self.device)

    def draw_epsilon(self):
        if not self.game.gradient_penalty:
            return None
        return torch.rand(self.game.batch_size, 1, 1, 1, device=self.device)

    def step(self, images):
        """Moves the discriminator once for each batch in `images`, and the generator once."""
        if self.game.updates == "simultaneous":
            losses = self.both_turns(self.draw_latents(), images[0])
            self.move(self.generator, losses[2])
            self.move(self.discriminator, losses[3])
            return losses[:2]
        for reals in images:
            turn = self.discriminator_turn(self.draw_latents(), reals, self.draw_epsilon())
            self.move(self.discriminator, turn[1])
        loss, gradients = self.generator_turn(self.draw_latents())
        self.move(self.generator, gradients)
        return loss, turn[0]


class Side:
    """Trains a game by a loop.

    Args:
        name: str, the game's.
        game: `Game`.
        mode: str, `"eager"`, or with `"channels last"` or `"compile"` in it.
        dtype: `"float32"` or `"bfloat16"`.
        images: float32 `(steps, images_per_step, height, width, channels)`.
    """

    def __init__(self, name, game, mode, dtype, images):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        # What TensorFlow does by default: TF32 where there is a GPU that has it.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.players = Players(name, game, dtype, device)
        steps, _, height, width, channels = images.shape
        images = torch.from_numpy(images).permute(0, 1, 4, 2, 3)
        shape = (steps * game.discriminator_steps, game.batch_size, channels, height, width)
        batches = list(images.reshape(shape).contiguous().to(device))
        if "channels last" in mode:
            layout = torch.channels_last
            batches = [batch.contiguous(memory_format=layout) for batch in batches]
            self.players.generator.to(memory_format=layout)
            self.players.discriminator.to(memory_format=layout)
        turns = game.discriminator_steps
        self.steps = [batches[i : i + turns] for i in range(0, len(batches), turns)]
        if "compile" in mode:
            self._compile_turns()

    def _compile_turns(self):
        """Compiles forward and backward as one graph each, so that no gradient is wasted."""
        torch._dynamo.config.trace_autograd_ops = True
        for name in ("both_turns", "discriminator_turn", "generator_turn"):
            compiled = torch.compile(getattr(self.players, name), fullgraph=True, dynamic=False)
            setattr(self.players, name, compiled)

    def train(self, steps):
        """Makes `steps` updates of the generator, with their discriminator updates."""
        for i in range(steps):
            losses = self.players.step(self.steps[i % len(self.steps)])
        [loss.item() for loss in losses]  # waits for the device

    def flops(self):
        """Returns the floating-point operations of a step, which is not compiled."""
        with FlopCounter() as counter:
            self.train(1)
        return counter.total


class FlopCounter(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions inside it.

    PyTorch's own counter has the same formulas, but fails where `autograd.grad` meets weights.
    """

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Calls an operation of PyTorch, and adds what it counts for."""
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        formula = flop_registry.get(function._overloadpacket)
        self.total += formula(*args, **kwargs, out_val=result) if formula else 0
        return result
