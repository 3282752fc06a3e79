import json

import pytest

from kgan.zoo import dcgan, runner
from kgan.zoo.card import write_card


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("card") / "run"
    arguments = ["--steps=2", "--batch_size=32", "--noexport", "--nodeterministic"]
    runner.run(dcgan, [f"--out={out}", "--image_size=8", *arguments])
    return out


def test_every_number_comes_from_the_run(run, tmp_path):
    (run / "metrics.json").write_text(json.dumps({"frechet_distance": 1.25, "num_samples": 10}))
    card = write_card(run, tmp_path / "card").read_text()
    assert "# dcgan on digits" in card and dcgan.PAPER.url in card
    assert "2 generator updates, 64 images" in card
    assert "| frechet distance | 1.25 |" in card
    assert "| batch size | 32 |" in card
    assert "--batch_size=32" in card
    names = {path.name for path in (tmp_path / "card").iterdir()}
    expected = {"README.md", "recipe.json", "samples.png", "curves.png"}
    assert names == expected | {"metrics.json", "metrics.jsonl"}


def test_unfinished_run(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="has finished. Received: .* without config.json"):
        write_card(tmp_path, tmp_path / "card")
