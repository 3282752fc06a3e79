"""APA: fakes that the discriminator is told are real."""

import keras
from keras import ops

from kgan import replicas
from kgan.augment.adaptive import AdaptiveAugmentation
from kgan.augment.base import AUGMENTATIONS


@AUGMENTATIONS.register
@keras.saving.register_keras_serializable(package="kgan")
class APA(AdaptiveAugmentation):
    """Adaptive pseudo augmentation: with probability p, a real is replaced with a fake.

    Jiang et al. 2021, "Deceive D: Adaptive Pseudo Augmentation for GAN Training with Limited
    Data" (arXiv 2111.06849), section 3: p grows while the discriminator overfits, by the heuristic
    λ_r = E[sign(D(x))] over what it was told is real. It works on samples of any shape.

    A fake stands in the place of the real whose label it was made with. The generator learns
    nothing from this role: no gradient goes through it. As in `ADA`, scores of 0 must mean
    undecided; and a loss that compares the real and the fake of one place, such as a relativistic
    pairing one, learns nothing from the places where they are the same.

    Args:
        target: float in [-1, 1], the λ_r that p is steered to; None keeps p as it is. Defaults
            to 0.6.
        adjust_images: int > 0, over how many images p goes from 0 to 1. Defaults to 500,000.
        interval: int >= 1, after how many updates of the discriminator p moves. Defaults to 4.
        initial_probability: float in [0, 1], the p of the first step. Defaults to 0.
        name: str, the prefix of the logs `…_probability` (p) and `…_real_sign` (λ_r). Defaults
            to `"apa"`.

    Raises:
        ValueError: if an argument is out of range, or p would stay 0 for ever.

    Example:
    >>> augmentation = kgan.augment.APA(target=None, initial_probability=1.0)
    >>> reals, fakes = np.zeros((2, 3)), np.ones((2, 3))
    >>> augmentation.replace_reals(reals, fakes, keras.random.SeedGenerator(1)).numpy().tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def replace_reals(self, real_images, fake_images, seed):
        """Returns the reals, with fakes in the place of some.

        Args:
            real_images: float32 `(batch, …)`.
            fake_images: float32 `(batch, …)`.
            seed: `keras.random.SeedGenerator`, what it draws from.
        """
        draws = replicas.uniform((ops.shape(real_images)[0],), seed)
        pseudo = ops.reshape(draws < self.probability, (-1, *[1] * (len(real_images.shape) - 1)))
        return ops.where(pseudo, ops.stop_gradient(fake_images), real_images)
