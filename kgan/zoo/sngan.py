"""SNGAN: every layer of the discriminator is divided by its largest singular value.

    python -m kgan.zoo.sngan --dataset mnist

Miyato, Kataoka, Koyama, Yoshida 2018, "Spectral Normalization for Generative Adversarial Networks",
arXiv 1802.05957.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import Paper, ResidualRecipe, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Varied images of 32x32 and more, steady without a gradient penalty."
# The residual networks of CIFAR-10, table 4. Numbers without a section are from the authors' code,
# pfnet-research/sngan_projection, whose rates fall linearly and whose generator sees twice as many
# fakes in an update as the discriminator.
DEFAULT = ResidualRecipe(
    epochs=320,  # 50,000 generator updates of CIFAR-10
    batch_size=64,
    **learning_rates(2e-4),  # alpha
    discriminator_steps=5,  # n_dis
    beta_1=0.0,
    beta_2=0.9,
    cosine_decay=True,
    loss="hinge",  # equations 16 and 17
    updates="alternating",  # algorithm 1
    latent_dim=128,  # table 4
    generator_width=256,
    discriminator_width=128,
)
MNIST = DEFAULT.but(**networks.NARROW_RESIDUAL, epochs=8)
DIGITS = MNIST.but(epochs=100, image_size="16")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "cifar10": DEFAULT, "digits": DIGITS}
build = networks.residual_gan

if __name__ == "__main__":
    runner.main()
