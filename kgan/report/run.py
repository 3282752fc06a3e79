"""What a run's folder holds, read for programs that look at several runs."""

import dataclasses
import math
import pathlib

from kgan.callbacks import read_metrics
from kgan.files import read_json_object
from kgan.grid import CHANNELS
from kgan.loading import MODEL_FILE, find, load_gan, training_config
from kgan.zoo.learned import find_for_run


class Run:
    """A trained GAN with what its folder says of it.

    Only the model must be there: a run that was not trained by a zoo module has no `config.json`,
    and one that was not evaluated no `metrics.json`.

    Args:
        path: str or path, a run's folder, a `.keras` file or a preset.

    Attributes:
        name: str, what people call the run: the name of its folder, or of another file.
        gan: `kgan.GAN`.
        config: dict, what the training was told, from `config.json`, or from `recipe.json` beside
            a preset; empty if there is none.
        rows: list of dicts, `metrics.jsonl`; empty if there is none.
        results: dict of `Result` by name, `metrics.json`; empty if there is none.

    Raises:
        FileNotFoundError: if there is no model.
        ValueError: if a file holds something else than it should.

    Example:
    >>> run = kgan.report.Run("runs/dcgan_mnist")
    >>> run.name
    'dcgan_mnist'
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        where = find(path)
        self.gan = load_gan(where)
        folder = where if where.is_dir() else where.parent
        if where.is_dir() or where.name == MODEL_FILE:
            # What is fetched lies in a folder of another name.
            self.name = (self.path if where.is_dir() else folder).resolve().name
        else:
            self.name = where.stem
        self.config = training_config(folder)
        self.rows = read_metrics(folder / "metrics.jsonl")
        self.results = _read_results(folder / "metrics.json")

    @property
    def dataset(self):
        """Name or path of the data that the run was trained on, or None if it does not say."""
        return self.config.get("flags", {}).get("dataset")

    @property
    def num_classes(self):
        """How many classes a conditional GAN draws, or None."""
        return self.gan.num_classes

    def check_images(self):
        """Raises ValueError where the GAN draws no images, or needs conditions to draw any."""
        shape = self.gan.image_shape
        if len(shape) != 3 or shape[-1] not in CHANNELS:
            raise ValueError(
                "This takes runs on images (height, width, channels) with 1 to 4 channels. "
                f"Received: {self.path}, whose samples have the shape {shape}"
            )
        if self.gan.condition_dim is not None:
            raise ValueError(
                "This takes runs without condition, or with classes. Received: "
                f"{self.path}, with condition_dim={self.gan.condition_dim}"
            )

    def data(self, split, dataset=None, data_dir=None):
        """Returns the images of the run's data set, in the shape that the GAN draws.

        Args:
            split: str, `"train"` or `"test"`.
            dataset: str, another name or path than the run's. Defaults to None.
            data_dir: str, another place of TensorFlow Datasets than the run's. Defaults to None.

        Returns:
            `kgan.data.ImageSource`.

        Raises:
            FileNotFoundError: if the data are not there and cannot be downloaded.
            ValueError: if no data set is named, or it has no such split.
        """
        dataset = dataset or self.dataset
        if dataset is None:
            raise ValueError(
                "The run does not say what it was trained on: name it with --dataset. "
                f"Received: {self.path} without config.json"
            )
        return find_for_run(self.gan, self.config)(
            dataset,
            split=split,
            data_dir=data_dir or self.config.get("flags", {}).get("data_dir"),
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """A number that a run reached.

    Args:
        value: int or float, or None where it was not finite.
        best: str, what to wish for: "↓", "↑" or nothing that is known. Defaults to `""`.
        setting: str, what it was measured with, as far as it is known: numbers of different
            settings are no comparison. Defaults to `""`.
    """

    value: int | float | None
    best: str = ""
    setting: str = ""


def _read_results(path):
    try:
        return _results(read_json_object(path))
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{path} must be what python -m kgan.evaluate writes, or numbers by name. "
            f"Received: another form ({type(error).__name__}: {error})"
        ) from error


def _results(report):
    """Returns the results in what `python -m kgan.evaluate` wrote, or other numbers as they are."""
    evaluation = report.get("evaluation", {})
    results = {}
    for how in evaluation.get("metrics", {}).values():
        for name, best in zip(how["results"], how["best"], strict=True):
            results[name] = Result(report[name], best, _setting(evaluation, how))
    others = {
        name: Result(value)
        for name, value in report.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return {**others, **results}


def _setting(evaluation, how):
    count = evaluation["splits"][how["split"]]
    seen = f"{how['features']} features" if how["features"] else "images as they are"
    return (
        f"{seen} of {evaluation['num_samples']:,} samples, against {count:,} images of "
        f"{evaluation['dataset']} {how['split']}"
    )
