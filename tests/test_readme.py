"""The README's Python runs as it stands there."""

import pathlib
import re

import numpy as np
import pytest

import kgan
from kgan.callbacks.collapse.diagnosis import ADVICE
from kgan.zoo import __main__ as zoo

ROOT = pathlib.Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
    assert names["sevens"].shape == (64, 16, 16, 1)
    assert (tmp_path / "sevens.png").exists()
    assert (tmp_path / "samples" / "epoch-0002.png").exists()
    assert (tmp_path / "export" / "1" / "saved_model.pb").exists()

    kgan, keras = names["kgan"], names["keras"]
    assert type(names["gan"].loss) is kgan.losses.Hinge
    gan = names["ThinDigits"](
        kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8]),
        kgan.backbones.MLPDiscriminator((2,), units=[8]),
    )
    gan.compile(keras.optimizers.Adam(), keras.optimizers.Adam())
    logs = gan.fit(np.zeros((32, 2), "float32"), verbose=0).history
    assert np.isfinite(logs["generator_loss"]).all()


@pytest.mark.slow
def test_the_code_of_the_guide_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "guide.md", "exec"), names)
    gan, errors = names["gan"], names["history"].history["latent_error"]
    assert errors[-1] < errors[0]
    assert kgan.load_gan("traceable.keras").weight == 0.1
    game = re.search(r"@keras.*?class TraceableGAN.*?(?=```)", GUIDE, re.DOTALL)[0]
    assert len(game.strip().splitlines()) <= 30
    assert gan.generate(2, seed=0).shape == (2, 16, 16, 1)


def test_the_guide_has_the_words_of_the_watch():
    text = " ".join(GUIDE.split())
    for kind, advice in ADVICE.items():
        assert f"**{kind.replace('_', ' ').capitalize()}**" in text
        assert advice in text, kind


def test_the_guide_knows_every_gan():
    chosen = GUIDE.split("## Your own images")[0]
    assert [name for name in zoo.recipes() if f"`{name}`" not in chosen] == []


def test_the_readme_lists_every_name():
    text = (ROOT / "README.md").read_text()
    rooms = kgan.losses, kgan.penalties, kgan.augment, kgan.dynamics
    names = [*kgan.losses.auxiliary_names(), *(name for room in rooms for name in room.names())]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_guide_to_metrics_lists_every_metric_and_network():
    text = (ROOT / "kgan" / "metrics" / "README.md").read_text()
    for name in kgan.metrics.names():
        cls = kgan.metrics.base.METRICS._find(name)
        assert f"| `{cls.__name__}` | `{cls.alias}` |" in text
    assert [name for name in kgan.metrics.features.names() if f"`{name}`" not in text] == []


def test_the_readme_says_which_names_need_more_than_dcgan():
    """¹: other networks; ²: arguments."""
    text = (ROOT / "README.md").read_text()
    told = dict(re.findall(r"`((instance_noise|feature_matching|pull_away|mutual_.*?):.*?)`", text))
    told = {name: spec for spec, name in told.items()}
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator((16, 16, 1), latent_dim=2, width=2, num_classes=10),
        kgan.backbones.DCGANDiscriminator((16, 16, 1), width=2, num_classes=10),
        num_classes=10,
    )
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    assert len(rows) == 5
    for argument, row in rows.items():
        for name, marks in re.findall(r"`(\w+)`([¹² ]*)", row):
            assert _fits(gan, argument, told.get(name, name)) != ("¹" in marks), name
            assert (name in told) == ("²" in marks), name
            assert name not in told or not _fits(gan, argument, name), name


def _fits(gan, argument, spec):
    try:
        gan.compile(**{argument: spec if argument == "loss" else [spec]})
    except ValueError:
        return False
    return True


def test_links_of_the_documents_lead_somewhere():
    documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/guide.md"]
    documents += [str(path.relative_to(ROOT)) for path in ROOT.glob("zoo/**/README.md")]
    for document in documents:
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
            there = ((ROOT / document).parent / link).exists()
            assert link.startswith("https://") or there, f"{document}: {link}"
