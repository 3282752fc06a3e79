from kgan.zoo import __main__ as zoo
from kgan.zoo import dcgan


def test_the_list_has_every_gan_with_its_year_and_recipes():
    assert zoo.recipes() == {"dcgan": dcgan}
    shown = zoo.table()
    assert "dcgan     2015  a generator and a discriminator of strided convolutions" in shown
    assert "mnist" in shown
