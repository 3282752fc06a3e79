"""GAN subclasses that change the game itself; a paper that only changes the loss needs none."""

from kgan.games.aae import AAE
from kgan.games.acgan import ACGAN
from kgan.games.began import BEGAN
from kgan.games.bigan import BiGAN
from kgan.games.cluster_gan import ClusterGAN
from kgan.games.cogan import CoGAN
from kgan.games.infogan import InfoGAN
from kgan.games.sgan import SGAN

__all__ = [
    "AAE",
    "ACGAN",
    "BEGAN",
    "BiGAN",
    "ClusterGAN",
    "CoGAN",
    "InfoGAN",
    "SGAN",
]
