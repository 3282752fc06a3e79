"""Generators and discriminators without a game."""

from kgan.backbones.autoencoder import AutoencodingDiscriminator
from kgan.backbones.backbone import Backbone
from kgan.backbones.began import BEGANEncoder, BEGANGenerator
from kgan.backbones.cgan import CGANDiscriminator, CGANGenerator
from kgan.backbones.committee import Committee
from kgan.backbones.coupled import CoupledDiscriminator, CoupledGenerator
from kgan.backbones.dcgan import DCGANDiscriminator, DCGANGenerator
from kgan.backbones.encoder import CodeDiscriminator, MLPEncoder
from kgan.backbones.mlp import MLPDiscriminator, MLPGenerator
from kgan.backbones.noisy_mlp import BatchNormMLPGenerator, NoisyMLPDiscriminator
from kgan.backbones.progressive import ProgressiveDiscriminator, ProgressiveGenerator
from kgan.backbones.resnet import ResNetDiscriminator, ResNetGenerator

__all__ = [
    "AutoencodingDiscriminator",
    "BEGANEncoder",
    "BEGANGenerator",
    "Backbone",
    "BatchNormMLPGenerator",
    "CGANDiscriminator",
    "CGANGenerator",
    "CodeDiscriminator",
    "Committee",
    "CoupledDiscriminator",
    "CoupledGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "NoisyMLPDiscriminator",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
]
