"""Instance noise: noise on what the discriminator sees."""

import keras
from keras import ops

from kgan import replicas
from kgan.augment.base import AUGMENTATIONS, Augmentation
from kgan.layers.checks import check_positive_int, check_positive_number


@AUGMENTATIONS.register
@keras.saving.register_keras_serializable(package="kgan")
class InstanceNoise(Augmentation):
    """Adds N(0, σ²) to every pixel, so that the distributions of reals and fakes overlap.

    Sønderby et al. 2016, "Amortised MAP Inference for Image Super-resolution" (arXiv 1610.04490),
    and Arjovsky and Bottou 2017, "Towards Principled Methods for Training Generative Adversarial
    Networks" (arXiv 1701.04862), section 3. With a decay, σ falls along a line:
    σ = stddev · max(0, 1 - images seen / decay_images). It works on samples of any shape.

    The logs show σ as `…_stddev`.

    Args:
        stddev: float > 0, σ at the beginning, where samples reach from -1 to 1.
        decay_images: int > 0, after how many training images σ is 0; None keeps σ as it is.
            Defaults to None.
        name: str, the prefix of its log. Defaults to `"instance_noise"`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> augmentation = kgan.augment.get("instance_noise:0.1,decay_images=100000")
    >>> noisy = augmentation(np.zeros((1000, 2)), keras.random.SeedGenerator(1))
    >>> round(float(keras.ops.std(noisy)), 2)
    0.1
    """

    def __init__(self, stddev, decay_images=None, name=None):
        super().__init__(name)
        check_positive_number("stddev", stddev)
        if decay_images is not None:
            check_positive_int("decay_images", decay_images)

        # === Config ===
        self.stddev = stddev
        self.decay_images = decay_images

        # The GAN's count, which is saved with it, once `compile` has built this.
        self._images_seen = 0

    def build(self, gan):
        """Remembers where the GAN counts its images."""
        self._images_seen = gan.images_seen

    @property
    def state_names(self):
        """Tuple of str, the keys of `state_logs`."""
        return (f"{self.name}_stddev",)

    def state_logs(self):
        """Returns σ."""
        return {f"{self.name}_stddev": self._current_stddev()}

    def _current_stddev(self):
        """Returns σ after the images that were seen, a float32 scalar."""
        if self.decay_images is None:
            return ops.convert_to_tensor(self.stddev, "float32")
        part = ops.cast(self._images_seen, "float32") / self.decay_images
        return self.stddev * ops.maximum(1 - part, 0.0)

    def call(self, images, seed):
        """Returns the images with noise added."""
        noise = replicas.normal(ops.shape(images), seed)
        return images + self._current_stddev() * noise

    def get_config(self):
        """Returns the arguments that make an equal augmentation."""
        return {
            **super().get_config(),
            "stddev": self.stddev,
            "decay_images": self.decay_images,
        }
