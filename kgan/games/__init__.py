"""GAN subclasses that change the game itself; a paper that only changes the loss needs none."""

__all__ = []
