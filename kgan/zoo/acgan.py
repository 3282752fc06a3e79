"""AC-GAN: the discriminator, shown an image alone, also says which class it is of.

    python -m kgan.zoo.acgan --dataset mnist

Odena, Olah, Shlens 2016, "Conditional Image Synthesis With Auxiliary Classifier GANs", arXiv
1610.09585.
"""

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Classes that look like their class; a classifier comes with it."
CONDITIONAL = "always"
# Appendix A, table 2 (CIFAR-10), with DCGAN's networks: its discriminator is deeper, with dropout.
DEFAULT = ConvolutionalRecipe(
    epochs=100,  # 50,000 updates of CIFAR-10's 50,000 images
    batch_size=100,
    **learning_rates(2e-4),  # one of the three that it tried
    beta_1=0.5,
    auxiliary_losses=("auxiliary_classifier",),
)
MNIST = DEFAULT.but(**networks.SMOOTH, **learning_rates(1e-3), epochs=10, latent_dim=64)
DIGITS = MNIST.but(epochs=120, image_size="16", penalties=("r1:0.03,every=2",))
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled game of a discriminator with a classifier beside its score."""
    head = kgan.layers.ClassifierHead(task.num_classes)
    generator, discriminator = networks.convolutional(recipe, task, head, judges_labels=False)
    # As long as the paper's one-hot class. Vectors as long as the latents drown them: each class
    # becomes one image.
    table = generator.get_layer("embed_label").table
    table.assign(table / recipe.latent_dim**0.5)
    players = generator, discriminator
    return networks.compiled(kgan.games.ACGAN, players, recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
