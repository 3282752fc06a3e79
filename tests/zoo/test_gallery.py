import json
import pathlib

import pytest

from kgan.zoo import dcgan, gallery
from kgan.zoo.recipe import Published

ZOO = pathlib.Path(__file__).parents[2] / "zoo"


def make_card(folder, name, numbers, **flags):
    card = folder / name
    card.mkdir(parents=True)
    flags = {"dataset": "digits", "conditional": False, **flags}
    config = {"module": "dcgan", "flags": flags, "command": "python -m kgan.zoo.dcgan"}
    (card / "recipe.json").write_text(json.dumps(config))
    (card / "metrics.json").write_text(json.dumps(numbers))
    row = {"epoch": 0, "images_seen": 64, "seconds": 90.0}
    (card / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    return card


def test_a_row_has_a_cards_numbers_beside_the_papers(tmp_path, monkeypatch):
    published = {"digits": {"recall": Published(0.5, "table 2")}}
    monkeypatch.setattr(dcgan, "PUBLISHED", published, raising=False)
    evaluation = {"metrics": {"frechet_distance": {"features": "pixels"}}}
    numbers = {"frechet_distance": 1.25, "recall": 0.4, "evaluation": evaluation}
    make_card(tmp_path, "b", numbers, set=["pack=2"])
    make_card(tmp_path, "a", {"recall": None}, conditional=True)
    first, second = gallery.gallery(tmp_path).splitlines()[-2:]
    assert '<img src="a/samples.png"' in first
    assert "[dcgan on digits, conditional](a/README.md), Radford, Metz, Chintala 2015" in first
    assert first.endswith("|  |  |  |  |  |  | 1.5 |")
    assert "[dcgan on digits, pack=2](b/README.md)" in second
    assert "| 1.25 |  | 0.4 |  | pixels |" in second
    assert "| recall 0.4; published: 0.5 (table 2): missed by 0.1 | 1.5 |" in second


def test_a_folder_without_cards_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of cards. Received: .*, without any"):
        gallery.gallery(tmp_path)


def test_the_page_of_this_repository_is_up_to_date():
    assert (ZOO / "README.md").read_text() == gallery.gallery(ZOO)
