import json

import pytest

from kgan.zoo import __main__ as zoo
from kgan.zoo import dcgan

MODULES = zoo.recipes()


def test_the_list_has_every_gan_with_its_year_and_cards(tmp_path):
    (tmp_path / "one").mkdir()
    config = {"module": "dcgan", "flags": {"dataset": "fashion_mnist"}}
    (tmp_path / "one" / "recipe.json").write_text(json.dumps(config))
    shown = zoo.table(tmp_path)
    line = next(line for line in shown.splitlines() if line.startswith("dcgan "))
    assert line.split()[1:4] == ["2015", "yes", "fashion_mnist"]
    assert line.endswith("a generator and a discriminator of strided convolutions")
    assert dcgan.PURPOSE in shown


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is(name):
    module = MODULES[name]
    first, *rest = module.__doc__.splitlines()
    assert ": " in first and first.endswith(".") and len(first) <= 100
    assert f"    python -m kgan.zoo.{name} " in "\n".join(rest)
    assert module.PURPOSE.endswith(".") and len(module.PURPOSE) <= 100
    assert module.PAPER.year >= 2014 and module.PAPER.url.startswith("https://")
    assert {"default", "mnist", "digits"} <= set(module.RECIPES)
