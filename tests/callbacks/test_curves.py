import math

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from kgan.callbacks import Curves, MetricsLog, save_curves


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved, newest last."""
    figures = []
    save = Figure.savefig

    def remember(self, *args, **kwargs):
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def panel(figure, title) -> Axes:
    return {axes.get_title(): axes for axes in figure.axes}[title]


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_losses_and_scores_have_a_panel_each(tmp_path, fit, figures, images):
    history = fit([Curves(tmp_path / "curves.png")], epochs=3, validation_data=(images[:8],))
    assert len(figures) == 3
    losses, scores = figures[-1].axes
    assert (losses.get_title(), scores.get_title()) == ("loss", "score")
    assert losses.get_xlabel() == scores.get_xlabel() == "epoch"
    assert set(lines(losses)) == {
        "generator loss",
        "discriminator loss",
        "val generator loss",
        "val discriminator loss",
    }
    drawn = lines(losses)["generator loss"]
    np.testing.assert_array_equal(drawn.get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(drawn.get_ydata(), history.history["generator_loss"])
    validated = lines(losses)["val generator loss"]
    assert validated.get_color() == drawn.get_color()
    assert (validated.get_linestyle(), drawn.get_linestyle()) == ("--", "-")
    picture = np.asarray(Image.open(tmp_path / "curves.png"))
    assert picture.shape[0] >= 300
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10


def test_only_probabilities_have_the_line_of_guessing(tmp_path, figures):
    for value in (0.9, 1.1):
        save_curves(tmp_path / "c.png", [{"epoch": 1, "real_score": value, "fake_score": 0.1}])
    guessing = [
        axes.get_lines()[-1].get_label() == "guessing"
        for (axes,) in (figure.axes for figure in figures)
    ]
    assert guessing == [True, False]


def test_other_logs_have_a_panel_each_beside_their_validation(tmp_path, figures):
    names = (
        "r1",
        "real_score",
        "generator_loss",
        "val_r1",
        "val_frechet_distance",
        "generator_class_loss",
        "discriminator_class_loss",
        "images_per_second",
        "seconds",
        "step",
    )
    save_curves(tmp_path / "c.png", [{"epoch": 1, **dict.fromkeys(names, 2.0)}])
    assert figures[0].axes[0].get_title() == "loss"
    assert figures[0].axes[1].get_title() == "score"
    assert {axes.get_title(): sorted(lines(axes)) for axes in figures[0].axes} == {
        "loss": ["generator loss"],
        "score": ["real score"],
        "r1": ["r1", "val r1"],
        "frechet distance": ["val frechet distance"],
        "class loss": ["discriminator class loss", "generator class loss"],
    }


def test_gaps_and_rare_validation(tmp_path, figures):
    rows = [
        {"epoch": 1, "generator_loss": 1.0},
        {"epoch": 2, "generator_loss": math.nan, "val_r1": 3.0},
        {"epoch": 3, "generator_loss": math.inf},
        {"epoch": 4, "generator_loss": 2.0, "val_r1": 4.0},
    ]
    save_curves(tmp_path / "c.png", rows)
    (loss,) = panel(figures[0], "loss").get_lines()
    np.testing.assert_array_equal(loss.get_ydata(), [1, math.nan, math.nan, 2])
    (r1,) = panel(figures[0], "r1").get_lines()
    np.testing.assert_array_equal(r1.get_xdata(), [2, 4])


def test_wide_ranges_are_logarithmic(tmp_path, figures):
    for values in ([1.0, 2000.0], [1.0, 20.0], [-1.0, 2000.0]):
        save_curves(tmp_path / "c.png", [{"epoch": i, "r1": v} for i, v in enumerate(values)])
    assert [f.axes[0].get_yscale() for f in figures] == ["log", "linear", "linear"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_resumed_run_draws_the_epochs_before(tmp_path, fit, figures, order):
    def callbacks():
        path = tmp_path / "metrics.jsonl"
        return [MetricsLog(path), Curves(tmp_path / "c.png", path)][::order]

    fit(callbacks(), epochs=3)
    early = lines(figures[-1].axes[0])["generator loss"].get_ydata()
    fit(callbacks(), epochs=4, initial_epoch=2)
    drawn = lines(figures[-1].axes[0])["generator loss"]
    np.testing.assert_array_equal(drawn.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(drawn.get_ydata()[:2], early[:2])


def test_every_epochs_and_the_end(tmp_path, fit, figures):
    fit([Curves(tmp_path / "c.png", every_epochs=2)], epochs=3)
    assert [len(f.axes[0].get_lines()[0].get_xdata()) for f in figures] == [2, 3]


def test_no_figure_of_the_users_pyplot(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("pyplot keeps this figure")

    backend = matplotlib.get_backend()
    monkeypatch.setattr(pyplot, "figure", fail)
    save_curves(tmp_path / "c.png", [{"epoch": 1, "generator_loss": 1.0}])
    assert matplotlib.get_backend() == backend


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one row with numbers. Received: "):
        save_curves(tmp_path / "c.png", [{"epoch": 1}])


def test_what_is_measured_now_and_then_is_a_curve(tmp_path, figures):
    rows = [{"epoch": epoch, "generator_loss": 1.0} for epoch in range(1, 101)]
    for row in rows[4::5]:
        row["frechet_distance"] = 200.0 / row["epoch"]
    save_curves(tmp_path / "curves.png", rows)
    curve = lines(panel(figures[-1], "frechet distance"))["frechet distance"]
    np.testing.assert_array_equal(curve.get_xdata(), np.arange(5, 101, 5))
    assert np.all(np.isfinite(curve.get_ydata()))
