"""The network that published FIDs are computed with, and which numbers compare with which.

Fréchet Inception Distances, Inception Scores and kernel distances in papers are computed with one
network: the Inception graph that TensorFlow released on 2015-12-05 (`classify_image_graph_def.pb`),
which resizes images itself. kgan computes the same from its weights in PyTorch's port, for images
of 8 bits:

- The programs of the papers on the Inception Score (openai/improved-gan) and on FID
  (bioinf-jku/TTUR), the FID of Progressive GAN, NVIDIA's translation to TorchScript (in
  stylegan2-ada-pytorch, and as "legacy_tensorflow" in clean-fid) and torch-fidelity resize pixels p
  as the graph does, with TensorFlow 1's bilinear operation, and then take (p - 128) / 128. So does
  kgan: its features are theirs but for rounding in float32.
- pytorch-fid has the same weights but resizes with half-pixel centres, and takes p / 127.5 - 1. Its
  features differ, and FIDs with them, by little. TF-GAN has the same weights and leaves resizing to
  the caller.
- Resizing with antialiasing (clean-fid's "clean"), and the weights of torchvision or of
  `keras.applications` (`"inception_v3"` here), give other features. Distances between these are
  called FID, too, but compare only with distances that are computed in the same way.

A distance compares with a published one if, beside the network, the real images are the same (data
set, split, cropping, resizing, and how many), and the number of samples is: mostly 50,000, as the
distance is larger on average for fewer (Bińkowski et al. 2018, arXiv 1801.01401). The same holds
for Inception Scores and their splits; their original program leaves the bias of the last layer
out, and so does "logits".

TensorFlow multiplies in TensorFloat-32, of 10 bits, on GPUs that have it; for float32,
`tf.config.experimental.enable_tensor_float_32_execution(False)`.
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
