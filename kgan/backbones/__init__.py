"""Generators and discriminators without a game."""

from kgan.backbones.dcgan import DCGANDiscriminator, DCGANGenerator

__all__ = ["DCGANDiscriminator", "DCGANGenerator"]
