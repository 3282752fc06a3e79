"""Pictures of what the generator draws, epoch after epoch, from the same latents."""

import math
import pathlib
import re

import keras
import numpy as np

from kgan.files import atomic_path
from kgan.grid import CHANNELS, make_grid, save_png

ANIMATION_FRAMES = 100
ANIMATION_SIDE_PIXELS = 512
FRAME_MILLISECONDS = 120
# A viewer wants to look at the final samples before the animation starts again.
LAST_FRAME_MILLISECONDS = 2000


class SampleGrid(keras.callbacks.Callback):
    """Draws a grid of samples as a PNG file an epoch, and all of them as an animation at the end.

    Every grid, those of a resumed run included, shows the same latents, so that only the
    generator changes between them. `epoch-0000.png` is the untrained generator's;
    `animation.gif` takes its frames from the folder, at most 100 of them. Grids of epochs that
    are trained again are replaced, and later ones deleted with the first of them.

    Args:
        folder: str or path, where `epoch-0001.png` and `animation.gif` go.
        every_epochs: int >= 1, draws when the epoch is a multiple, and after the last one.
            Defaults to 1.
        n: int >= 1, samples in a grid. Where the columns show classes, it is rounded to whole
            rows. Defaults to 64.
        labels: what to draw, if conditional: one class number for all, an array `(n,)`, or
            float `(n, condition_dim)`. Defaults to a class for each column, or to the classes in
            turn where they are too many for that.
        seed: int, of the latents. Defaults to 0.

    Raises:
        ValueError: if a number is out of range; when training begins, if the samples are no
            images or the labels do not fit them.

    Example:
    >>> callback = kgan.callbacks.SampleGrid("runs/mine/samples", n=16)
    >>> history = gan.fit(dataset, epochs=2, callbacks=[callback], verbose=0)
    >>> sorted(os.listdir("runs/mine/samples"))
    ['animation.gif', 'epoch-0000.png', 'epoch-0001.png', 'epoch-0002.png']
    """

    def __init__(self, folder, every_epochs=1, n=64, labels=None, seed=0):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.every_epochs = check_count("every_epochs", every_epochs)
        self.sheet = SampleSheet(n, labels, seed)

    def on_train_begin(self, logs=None):
        """Draws once, so that what cannot be drawn is an error before hours of training."""
        self._before_training = self.sheet.draw(self.model)
        self._epoch = self._drawn_epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        """Saves the untrained generator's grid."""
        if epoch == 0:
            self._save(0, *self._before_training)
        self._before_training = None

    def on_epoch_end(self, epoch, logs=None):
        """Saves this epoch's grid, if it is its turn."""
        self._epoch = epoch + 1
        if self._epoch % self.every_epochs == 0:
            self._save(self._epoch, *self.sheet.draw(self.model))

    def on_train_end(self, logs=None):
        """Saves the last epoch's grid, and the animation."""
        if self._epoch != self._drawn_epoch and self._epoch is not None:
            self._save(self._epoch, *self.sheet.draw(self.model))
        save_animation(self.folder / "animation.gif", list(self._grids().values()))

    def _save(self, epoch, images, columns):
        if self._drawn_epoch is None:
            for number, path in self._grids().items():
                if number > epoch:
                    path.unlink()
        save_png(self.folder / f"epoch-{epoch:04d}.png", images, columns=columns)
        self._drawn_epoch = epoch

    def _grids(self):
        """Returns the paths of the grids in the folder, by epoch, in order."""
        names = {path: re.fullmatch(r"epoch-(\d+)\.png", path.name) for path in _files(self.folder)}
        grids = {int(match[1]): path for path, match in names.items() if match}
        return dict(sorted(grids.items()))


class SampleSheet:
    """Which samples a grid shows, and in how many columns.

    Args:
        n: int >= 1, samples in a grid, rounded to whole rows where the columns show classes.
        labels: as in `SampleGrid`. Defaults to None.
        seed: int, of the latents. Defaults to 0.

    Raises:
        ValueError: if `n` is below 1.

    Example:
    >>> images, columns = SampleSheet(64).draw(gan)
    """

    def __init__(self, n, labels=None, seed=0):
        self.n = check_count("n", n)
        self.labels = labels
        self.seed = seed

    def draw(self, gan):
        """Returns the samples `(n, height, width, channels)` and the number of columns.

        Args:
            gan: `kgan.GAN`.

        Raises:
            ValueError: if the samples are no images or the labels do not fit them.
        """
        if len(gan.image_shape) != 3 or gan.image_shape[-1] not in CHANNELS:
            raise ValueError(
                "A sample grid shows images: samples of shape (height, width, channels) with 1 "
                f"to 4 channels. Received: samples of shape {gan.image_shape}"
            )
        n, labels, columns = self._layout(gan)
        return gan.generate(n, labels=labels, seed=self.seed), columns

    def draw_picture(self, gan):
        """Returns the grid as one uint8 array `(height, width, channels)`.

        Args:
            gan: `kgan.GAN`.
        """
        images, columns = self.draw(gan)
        return make_grid(images, columns=columns)

    def _layout(self, gan):
        square = math.ceil(math.sqrt(self.n))
        if self.labels is not None or gan.num_classes is None:
            return self.n, self.labels, square
        classes = gan.num_classes
        # Ten classes in ten columns are better than eight; a hundred would be a thread.
        if classes > 2 * square:
            return self.n, np.arange(self.n) % classes, square
        columns = classes * max(1, square // classes)
        n = columns * max(1, round(self.n / columns))
        return n, np.arange(n) % classes, columns


def save_animation(path, pictures):
    """Writes pictures as the frames of a GIF: at most 100, evenly chosen, and 512 pixels wide.

    Pictures of another shape than the last one are left out.

    Args:
        path: str or path, the GIF file.
        pictures: list of paths of image files, in order. If it is empty, nothing is written.

    Example:
    >>> save_animation("animation.gif", sorted(pathlib.Path("samples").glob("epoch-*.png")))
    """
    from PIL import Image

    if not pictures:
        return
    with Image.open(pictures[-1]) as last:
        size = last.size
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), ANIMATION_FRAMES))
    frames = []
    for i in np.rint(chosen).astype(int):
        with Image.open(pictures[i]) as picture:
            if picture.size == size:
                frames.append(_frame(picture))
    durations = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_FRAME_MILLISECONDS]
    with atomic_path(path) as temporary:
        frames[0].save(
            temporary, save_all=True, append_images=frames[1:], duration=durations, loop=0
        )


def check_count(name, value):
    """Returns `value`, if it is an int of 1 or more.

    Args:
        name: str, the argument's name, for the error.
        value: int >= 1.

    Raises:
        ValueError: if it is not.
    """
    if not (isinstance(value, int) and value >= 1):
        raise ValueError(f"{name} must be an int of 1 or more. Received: {value!r}")
    return value


def _frame(picture):
    """Returns a picture as GIF holds it: small, opaque, 256 colours."""
    from PIL import Image

    if "A" in picture.getbands():
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    else:
        picture = picture.copy()
    picture.thumbnail((ANIMATION_SIDE_PIXELS, ANIMATION_SIDE_PIXELS))
    return picture.quantize()


def _files(folder):
    return folder.iterdir() if folder.is_dir() else ()
