"""Building blocks of generators and discriminators."""

from kgan.layers.conditioning import ConditionEmbedding, ProjectionHead
from kgan.layers.maxout import Maxout
from kgan.layers.pack import Pack

__all__ = ["ConditionEmbedding", "Maxout", "Pack", "ProjectionHead"]
