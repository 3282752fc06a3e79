"""Images beside their edges: two domains of one data set."""

import tensorflow as tf


def edges(images):
    """Returns how much brighter the brightest neighbour of each pixel is, in [-1, 1].

    An image that is dilated with a 3x3 square, minus the image: bright lines around bright shapes,
    and -1 where nothing changes. It is what the authors of Liu and Tuzel 2016, "Coupled Generative
    Adversarial Networks" (arXiv 1606.07536), take as the edges of digits (their code,
    mingyuliutw/CoGAN).

    Args:
        images: float32 (batch, height, width, channels) in [-1, 1].

    Example:
    >>> image = np.array([[-1, -1, -1, 0.5]], "float32").reshape(1, 1, 4, 1)
    >>> kgan.data.edges.edges(image).numpy().ravel().tolist()
    [-1.0, -1.0, 0.5, -1.0]
    """
    return tf.nn.max_pool2d(images, ksize=3, strides=1, padding="SAME") - images - 1


class EdgePairs:
    """An image source whose images have their edges to the right: (height, 2 * width, channels).

    Liu and Tuzel 2016, "Coupled Generative Adversarial Networks" (arXiv 1606.07536), section 4:
    digits are one domain and their edges the other. They are true pairs, which evaluation needs;
    training that must not see pairs takes them apart (`kgan.games.CoGAN`). What is done to images
    (flips, `augment`) comes before their edges are taken.

    Args:
        source: `kgan.data.ImageSource`.

    Attributes:
        name: string, as of the source, like `num_examples`, `num_classes` and `class_names`.
        image_shape: (height, 2 * width, channels), in pixels.

    Example:
    >>> pairs = kgan.data.edges.EdgePairs(kgan.data.ImageSource.find("digits"))
    >>> pairs.image_shape
    (8, 16, 1)
    >>> images, labels = next(iter(pairs.dataset(batch_size=4)))
    >>> tuple(images.shape)
    (4, 8, 16, 1)
    """

    def __init__(self, source):
        self.source = source
        self.name = source.name
        height, width, channels = source.image_shape
        self.image_shape = (height, 2 * width, channels)
        self.num_examples = source.num_examples
        self.num_classes = source.num_classes
        self.class_names = source.class_names

    def dataset(self, *args, **kwargs):
        """Returns `ImageSource.dataset` of pairs."""
        return self.source.dataset(*args, **kwargs).map(_beside)

    def stream(self, *args, **kwargs):
        """Returns `ImageSource.stream` of pairs, which resumes as that does."""
        return self.source.stream(*args, **kwargs).map(_beside)


def _beside(images, labels):
    return tf.concat([images, edges(images)], axis=2), labels
