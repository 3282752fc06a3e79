"""The network that published FIDs are computed with, and which numbers compare with which.

Fréchet Inception Distances, Inception Scores and kernel distances in papers are computed with one
network: the Inception graph that TensorFlow released on 2015-12-05 (`classify_image_graph_def.pb`),
which resizes images itself. kgan computes the same from its weights in PyTorch's port, for images
of 8 bits:

- The original programs of Inception Score (openai/improved-gan) and FID (bioinf-jku/TTUR), the
  metrics of ProgressiveGAN, StyleGAN and their successors, the mode "legacy_tensorflow" of
  clean-fid, and torch-fidelity resize with the graph's own bilinear operation of TensorFlow 1,
  then take (p - 128) / 128 of pixels p. So does kgan: its features are theirs but for rounding in
  float32.
- pytorch-fid has the same weights but resizes with half-pixel centres, and scales to [-1, 1] by
  p / 127.5 - 1 (here: [-1, 127 / 128]). Its features differ, and FIDs with them: a little.
- Resizing with antialiasing (clean-fid's mode "clean") and the weights of torchvision or
  `keras.applications` (`"inception_v3"` here) give other features. Their distances bear the name
  FID, but compare only with distances computed in the same way.

A distance compares with a published one if, beside the network, the real images are the same
(data set, split, cropping, resizing and how many of them) and as many samples are drawn: 50,000
mostly, since the distance of fewer is larger on average (Bińkowski et al. 2018, arXiv 1801.01401).
Many papers take the training set as reals. Computing in TensorFloat-32, TensorFlow's default on
GPUs that have it, moves features in their third or fourth digit;
`tf.config.experimental.enable_tensor_float_32_execution(False)` computes in float32.
"""

from kgan.metrics.features.inception_2015.extractor import Inception2015
from kgan.metrics.features.inception_2015.graph import build_inception
from kgan.metrics.features.inception_2015.resize import resize_tf1_bilinear
from kgan.metrics.features.inception_2015.torch_file import read_state_dict
from kgan.metrics.features.inception_2015.weights import fetch_weights, load_weights

__all__ = [
    "Inception2015",
    "build_inception",
    "fetch_weights",
    "load_weights",
    "read_state_dict",
    "resize_tf1_bilinear",
]
