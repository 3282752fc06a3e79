"""Building blocks of generators and discriminators."""

from kgan.layers.attention import SelfAttention
from kgan.layers.batch_normalization import BatchNormalization
from kgan.layers.conditional_norm import (
    AdaptiveInstanceNormalization,
    ConditionalBatchNormalization,
)
from kgan.layers.conditioning import ConditionEmbedding, ProjectionHead
from kgan.layers.heads import (
    ClassifierHead,
    CodeHead,
    ContrastiveHead,
    MultiHingeHead,
    TwinClassifierHead,
)
from kgan.layers.maxout import Maxout
from kgan.layers.minibatch import MinibatchDiscrimination, MinibatchStandardDeviation
from kgan.layers.modulation import ModulatedConv2D
from kgan.layers.noise import NoiseInjection
from kgan.layers.normalization import PixelNormalization, ReferenceBatch, VirtualBatchNormalization
from kgan.layers.pack import Pack
from kgan.layers.reparametrization import EqualizedLearningRate, SpectralNormalization
from kgan.layers.resampled_convolution import DownsampleConv2D, UpsampleConv2D
from kgan.layers.resampling import FIRDownsample2D, FIRUpsample2D, NearestUpsample2D
from kgan.layers.weight_normalization import WeightNormalization

__all__ = [
    "AdaptiveInstanceNormalization",
    "BatchNormalization",
    "ClassifierHead",
    "CodeHead",
    "ConditionEmbedding",
    "ConditionalBatchNormalization",
    "ContrastiveHead",
    "DownsampleConv2D",
    "EqualizedLearningRate",
    "FIRDownsample2D",
    "FIRUpsample2D",
    "Maxout",
    "MinibatchDiscrimination",
    "MinibatchStandardDeviation",
    "ModulatedConv2D",
    "MultiHingeHead",
    "NearestUpsample2D",
    "NoiseInjection",
    "Pack",
    "PixelNormalization",
    "ProjectionHead",
    "ReferenceBatch",
    "SelfAttention",
    "SpectralNormalization",
    "TwinClassifierHead",
    "UpsampleConv2D",
    "VirtualBatchNormalization",
    "WeightNormalization",
]
