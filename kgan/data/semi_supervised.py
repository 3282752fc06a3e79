"""Images of which few are labelled, as semi-supervised learning has them."""

import numpy as np
import tensorflow as tf

from kgan.data import options
from kgan.data.readers import MemoryReader
from kgan.data.source import ImageSource


class SemiSupervised:
    """An image source whose stream tells the labels of a few images, and of no others.

    The protocol of Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv
    1606.03498), section 6.1: the same number of labelled images of each class. Each element of
    the stream is a batch of all images, without labels, beside one of the labelled.

    Args:
        source: `kgan.data.ImageSource` with classes.
        labelled: int >= 1, how many images are labelled, the same number of each class. Defaults
            to 100.
        seed: int, of which images are labelled. Defaults to 0.

    Raises:
        ValueError: if the source has no classes, or `labelled` is no multiple of their number; from
            `stream`, if a class has too few images.

    Attributes:
        name: string, as of the source, like `image_shape`, `num_examples`, `num_classes` and
            `class_names`.

    Example:
    >>> source = kgan.data.SemiSupervised(kgan.data.ImageSource.find("digits"), labelled=20)
    >>> images, (labelled, labels) = next(iter(source.stream(batch_size=4)))
    >>> tuple(images.shape), tuple(labelled.shape), tuple(labels.shape)
    ((4, 8, 8, 1), (4, 8, 8, 1), (4,))
    """

    def __init__(self, source, labelled=100, seed=0):
        labelled = options.integer("labelled", labelled, minimum=1)
        if source.num_classes is None or labelled % source.num_classes:
            raise ValueError(
                "Expected `labelled` as a multiple of the number of classes, for as many images of "
                f"each. Received: labelled={labelled}, num_classes={source.num_classes}"
            )
        self.source = source
        self.labelled = labelled
        self.seed = options.integer("seed", seed)
        self.name = source.name
        self.image_shape = source.image_shape
        self.num_examples = source.num_examples
        self.num_classes = source.num_classes
        self.class_names = source.class_names

    def dataset(self, *args, **kwargs):
        """Returns `ImageSource.dataset` with all labels, as evaluation needs them."""
        return self.source.dataset(*args, **kwargs)

    def stream(self, batch_size, *args, **kwargs):
        """Returns `ImageSource.stream` with labelled images in the place of labels.

        Args:
            batch_size: int >= 1, images of unknown label in a batch; it has as many labelled ones.
            *args: as of `ImageSource.stream`, like `**kwargs`. Batch k depends on the seeds and k
                only.
            **kwargs: see `*args`.

        Returns:
            A `tf.data.Dataset` of `(images, (labelled_images, labels))`: float32 (batch_size,
            height, width, channels) in [-1, 1], twice, and int32 (batch_size,).
        """
        unknown = self.source.stream(batch_size, *args, **kwargs)
        known = self.labelled_source(batch_size).stream(batch_size, *args, **kwargs)
        return tf.data.Dataset.zip(unknown.map(lambda images, _: images), known)

    def labelled_source(self, least=1):
        """Returns the labelled images alone, repeated until there are at least so many.

        Args:
            least: int >= 1. Defaults to 1.

        Returns:
            `ImageSource`, in memory.
        """
        left = np.full(self.num_classes, self.labelled // self.num_classes)
        images, labels = [], []
        for batch in self.source.dataset(256, seed=self.seed, drop_remainder=False):
            for image, label in zip(*(x.numpy() for x in batch), strict=True):
                if left[label]:
                    left[label] -= 1
                    images.append(image)
                    labels.append(label)
            if not left.any():
                break
        else:
            raise ValueError(
                f"{self.name} lacks {left.max()} images of a class. Received: "
                f"labelled={self.labelled} for {self.num_classes} classes"
            )
        times = -(-least // self.labelled)
        images, labels = np.concatenate([images] * times), np.concatenate([labels] * times)
        return ImageSource(MemoryReader(self.name, images, labels, self.class_names))
