"""curves.png: how losses, scores and everything else went, epoch by epoch."""

import math
import pathlib

import keras

from kgan.callbacks.metrics_log import read_metrics
from kgan.callbacks.samples import check_count
from kgan.files import atomic_path

# Okabe and Ito's palette, which people tell apart who do not see all colours.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
# Which player, or which kind of image, a log's name begins with.
SIDES = {"discriminator": BLUE, "real": BLUE, "generator": VERMILLION, "fake": VERMILLION}
NOT_CURVES = ("epoch", "step", "images_seen", "seconds", "images_per_second")
LOGARITHMIC_FROM_RATIO = 1000


class Curves(keras.callbacks.Callback):
    """Draws every log of `fit` over the epochs, as one picture that is renewed each epoch.

    Logs that differ only in their side share a panel (`generator_loss` and `discriminator_loss`,
    `real_score` and `fake_score`), and so do those of training and of validation, which is
    dashed. Scores that are probabilities have a line at 0.5, where the discriminator can only
    guess.

    Args:
        path: str or path, the PNG file, usually `curves.png`.
        metrics: str, path or None, the file of the run's `MetricsLog`, from which epochs of
            earlier sessions are read. Defaults to None: only this `fit`.
        every_epochs: int >= 1, draws when the epoch is a multiple, and when training ends.
            Defaults to 1.

    Raises:
        ValueError: if `every_epochs` is below 1; when training begins, if `metrics` is not a
            file of `MetricsLog`.

    Example:
    >>> callback = kgan.callbacks.Curves("runs/mine/curves.png", "runs/mine/metrics.jsonl")
    >>> history = gan.fit(dataset, epochs=2, callbacks=[callback], verbose=0)
    """

    def __init__(self, path, metrics=None, every_epochs=1):
        super().__init__()
        self.path = pathlib.Path(path)
        self.metrics = metrics
        self.every_epochs = check_count("every_epochs", every_epochs)

    def on_train_begin(self, logs=None):
        """Reads the epochs of earlier sessions."""
        self._rows = [] if self.metrics is None else read_metrics(self.metrics)
        self._is_drawn = True

    def on_epoch_end(self, epoch, logs=None):
        """Draws, if it is this epoch's turn."""
        # The file's lines may hold this epoch already, or one that this run trains again.
        self._rows = [row for row in self._rows if row["epoch"] <= epoch]
        self._rows.append({"epoch": epoch + 1, **(logs or {})})
        self._is_drawn = (epoch + 1) % self.every_epochs == 0
        if self._is_drawn:
            save_curves(self.path, self._rows)

    def on_train_end(self, logs=None):
        """Draws what the last epochs added."""
        if not self._is_drawn:
            save_curves(self.path, self._rows)


def save_curves(path, rows):
    """Draws the numbers of many epochs as a PNG file.

    Args:
        path: str or path, the PNG file.
        rows: list of dicts, each with `epoch` and numbers, as `read_metrics` returns. A curve
            joins what there is, and has a gap where a number is not finite.

    Raises:
        ValueError: if no row has a number to draw.

    Example:
    >>> rows = kgan.callbacks.read_metrics("runs/mine/metrics.jsonl")
    >>> kgan.callbacks.save_curves("curves.png", rows)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _panels(rows)
    if not panels:
        raise ValueError(f"Curves need at least one row with numbers. Received: {rows!r}")
    columns = min(len(panels), 2 if len(panels) <= 4 else 3)
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(5.5 * columns, 3.6 * lines), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for i, (subject, names) in enumerate(panels.items(), start=1):
        _draw_panel(figure.add_subplot(lines, columns, i), subject, names, rows)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _panels(rows):
    """Returns the names of the logs by subject: losses, scores, then the others as they come."""
    panels = {"loss": [], "score": []}
    for name in {name: None for row in rows for name in row if name not in NOT_CURVES}:
        names = panels.setdefault(_split(name)[1], [])
        names.append(name)
    return {subject: names for subject, names in panels.items() if names}


def _split(name):
    """Returns the side a log tells of, or None, and its subject: what is left of its name."""
    name = name.removeprefix("val_")
    side, _, rest = name.partition("_")
    return (side, rest) if side in SIDES and rest else (None, name)


def _draw_panel(axes, subject, names, rows):
    from matplotlib.ticker import MaxNLocator

    drawn = []
    for name in names:
        # Validation and other measures may come every few epochs: their curves join what there is.
        points = [(row["epoch"], float(row[name])) for row in rows if name in row]
        values = [value if math.isfinite(value) else math.nan for _, value in points]
        drawn += [value for value in values if not math.isnan(value)]
        axes.plot(
            [epoch for epoch, _ in points],
            values,
            label=name.replace("_", " "),
            color=SIDES.get(_split(name)[0], GREEN),
            linestyle="--" if name.startswith("val_") else "-",
            # Without a mark, one epoch, or one between two gaps, would not show at all.
            marker="." if len(points) <= 50 else None,
            linewidth=1.6,
        )
    _scale(axes, subject, drawn)
    title = subject.replace("_", " ")
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small")


def _scale(axes, subject, values):
    are_probabilities = values and 0 <= min(values) and max(values) <= 1
    if subject == "score" and are_probabilities:
        axes.axhline(0.5, color="black", linewidth=1, linestyle=":", label="guessing")
        axes.set_ylim(-0.03, 1.03)
    elif values and min(values) > 0 and max(values) > LOGARITHMIC_FROM_RATIO * min(values):
        axes.set_yscale("log")
