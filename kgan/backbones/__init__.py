"""Generators and discriminators without a game."""

from kgan.backbones.backbone import Backbone
from kgan.backbones.committee import Committee
from kgan.backbones.dcgan import DCGANDiscriminator, DCGANGenerator
from kgan.backbones.encoder import MLPEncoder
from kgan.backbones.mlp import MLPDiscriminator, MLPGenerator
from kgan.backbones.progressive import ProgressiveDiscriminator, ProgressiveGenerator
from kgan.backbones.resnet import ResNetDiscriminator, ResNetGenerator

__all__ = [
    "Backbone",
    "Committee",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
]
