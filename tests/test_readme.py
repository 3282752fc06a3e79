"""The README's Python runs as it stands there."""

import pathlib
import re

import numpy as np
import pytest

import kgan

ROOT = pathlib.Path(__file__).parents[1]
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


def test_the_readme_lists_every_name():
    text = (ROOT / "README.md").read_text()
    rooms = kgan.losses, kgan.penalties, kgan.augment, kgan.dynamics
    names = [*kgan.losses.auxiliary_names(), *(name for room in rooms for name in room.names())]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_links_of_the_documents_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{document}: {link}"
