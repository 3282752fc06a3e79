"""Building blocks of generators and discriminators."""

from kgan.layers.conditioning import ConditionEmbedding, ProjectionHead
from kgan.layers.maxout import Maxout

__all__ = ["ConditionEmbedding", "Maxout", "ProjectionHead"]
