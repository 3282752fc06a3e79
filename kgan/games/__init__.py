"""GAN subclasses that change the game itself; a paper that only changes the loss needs none."""

from kgan.games.acgan import ACGAN

__all__ = ["ACGAN"]
