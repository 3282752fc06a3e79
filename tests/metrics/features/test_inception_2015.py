"""The Inception graph of 2015-12-05, against a twin in PyTorch and TensorFlow 1's resizing."""

import hashlib
import os
import pathlib
import pickle
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics.features import inception_2015
from kgan.metrics.features.inception_2015 import weights as weights_module
from kgan.metrics.features.inception_2015.torch_file import read_state_dict
from tests.metrics.features.harness import run_features_test

BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")

# --- Resizing ---------------------------------------------------------------------------------


def resized(rows, size):
    images = np.array(rows, "float32")[None, :, :, None]
    return np.array(inception_2015.resize_tf1_bilinear(images, size))[0, :, :, 0]


def test_resize_doubles_a_square_as_tensorflow_1_did():
    # Sources of the new rows and columns: 0, 1/2, 1, 3/2, of which the last is beyond the image.
    expected = [
        [0, 4, 8, 8],
        [8, 12, 16, 16],
        [16, 20, 24, 24],
        [16, 20, 24, 24],
    ]
    np.testing.assert_array_equal(resized([[0, 8], [16, 24]], (4, 4)), expected)


def test_resize_enlarges_by_a_fraction():
    # Sources 0, 3/5, 6/5, 9/5, 12/5 among 10, 20, 40.
    expected = [[10, 16, 24, 36, 40]]
    np.testing.assert_allclose(resized([[10, 20, 40]], (1, 5)), expected, rtol=1e-6)


def test_resize_shrinks_without_averaging():
    # Sources 0, 5/3, 10/3 among 0, 3, 9, 30, 60: the first is the first pixel alone.
    expected = [[0], [7], [40]]
    np.testing.assert_allclose(
        resized([[0], [3], [9], [30], [60]], (3, 1)), expected, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("old", [(28, 28), (32, 45), (299, 299), (1, 7), (512, 300)])
def test_resize_is_bitwise_that_of_tensorflow_1(old):
    images = np.random.default_rng(0).integers(0, 256, (2, *old, 3)).astype("float32")
    expected = tf.compat.v1.image.resize_bilinear(
        images, (299, 299), align_corners=False, half_pixel_centers=False
    )
    got = inception_2015.resize_tf1_bilinear(images, (299, 299))
    np.testing.assert_array_equal(got, expected)


def test_resize_differs_from_half_pixel_centres():
    # It is for this that pytorch-fid's features are not quite those of the graph.
    images = np.arange(32, dtype="float32").reshape(1, 1, 32, 1)
    other = tf.image.resize(images, (1, 299), "bilinear")
    got = inception_2015.resize_tf1_bilinear(images, (1, 299))
    assert np.abs(np.array(got) - np.array(other)).max() > 0.4


# --- The twin in PyTorch ----------------------------------------------------------------------


def make_twin():
    """Returns the network in PyTorch, written from its description: modules named as in the file.

    It gives a dict of what each block returns, and of "features" and "logits".
    """
    torch = pytest.importorskip("torch", reason="The twin is written in PyTorch.")
    nn, F = torch.nn, torch.nn.functional

    class Unit(nn.Module):
        def __init__(self, n_in, n_out, size, stride=1, pad=0):
            super().__init__()
            self.conv = nn.Conv2d(n_in, n_out, size, stride, pad, bias=False)
            self.bn = nn.BatchNorm2d(n_out, eps=0.001)

        def forward(self, x):
            return self.bn(self.conv(x)).relu()

    def average(x):
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def highest(x):
        return F.max_pool2d(x, 3, 1, 1)

    def halved(x):
        return F.max_pool2d(x, 3, 2)

    class Block(nn.Module):
        """Branches as lists of units' names, or of tuples of names side by side at their end."""

        def __init__(self, pool, branches, **units):
            super().__init__()
            self.pool, self.branches = pool, branches
            for name, arguments in units.items():
                self.add_module(name, Unit(*arguments))

        def forward(self, x):
            outputs = []
            for branch in self.branches:
                y = self.pool(x) if branch[:1] in ([], ["branch_pool"]) else x
                for step in branch:
                    if isinstance(step, tuple):
                        y = torch.cat([getattr(self, name)(y) for name in step], 1)
                    else:
                        y = getattr(self, step)(y)
                outputs.append(y)
            return torch.cat(outputs, 1)

    def block_a(n, pool):
        return Block(
            average,
            [
                ["branch1x1"],
                ["branch5x5_1", "branch5x5_2"],
                ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
                ["branch_pool"],
            ],
            branch1x1=(n, 64, 1),
            branch5x5_1=(n, 48, 1),
            branch5x5_2=(48, 64, 5, 1, 2),
            branch3x3dbl_1=(n, 64, 1),
            branch3x3dbl_2=(64, 96, 3, 1, 1),
            branch3x3dbl_3=(96, 96, 3, 1, 1),
            branch_pool=(n, pool, 1),
        )

    def block_b(n):
        return Block(
            halved,
            [["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"], []],
            branch3x3=(n, 384, 3, 2),
            branch3x3dbl_1=(n, 64, 1),
            branch3x3dbl_2=(64, 96, 3, 1, 1),
            branch3x3dbl_3=(96, 96, 3, 2),
        )

    def block_c(n, m):
        wide, high = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
        return Block(
            average,
            [
                ["branch1x1"],
                [f"branch7x7_{i}" for i in (1, 2, 3)],
                [f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)],
                ["branch_pool"],
            ],
            branch1x1=(n, 192, 1),
            branch7x7_1=(n, m, 1),
            branch7x7_2=(m, m, *wide),
            branch7x7_3=(m, 192, *high),
            branch7x7dbl_1=(n, m, 1),
            branch7x7dbl_2=(m, m, *high),
            branch7x7dbl_3=(m, m, *wide),
            branch7x7dbl_4=(m, m, *high),
            branch7x7dbl_5=(m, 192, *wide),
            branch_pool=(n, 192, 1),
        )

    def block_d(n):
        return Block(
            halved,
            [["branch3x3_1", "branch3x3_2"], [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)], []],
            branch3x3_1=(n, 192, 1),
            branch3x3_2=(192, 320, 3, 2),
            branch7x7x3_1=(n, 192, 1),
            branch7x7x3_2=(192, 192, (1, 7), 1, (0, 3)),
            branch7x7x3_3=(192, 192, (7, 1), 1, (3, 0)),
            branch7x7x3_4=(192, 192, 3, 2),
        )

    def block_e(n, pool):
        wide, high = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
        return Block(
            pool,
            [
                ["branch1x1"],
                ["branch3x3_1", ("branch3x3_2a", "branch3x3_2b")],
                ["branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")],
                ["branch_pool"],
            ],
            branch1x1=(n, 320, 1),
            branch3x3_1=(n, 384, 1),
            branch3x3_2a=(384, 384, *wide),
            branch3x3_2b=(384, 384, *high),
            branch3x3dbl_1=(n, 448, 1),
            branch3x3dbl_2=(448, 384, 3, 1, 1),
            branch3x3dbl_3a=(384, 384, *wide),
            branch3x3dbl_3b=(384, 384, *high),
            branch_pool=(n, 192, 1),
        )

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2)
            self.Conv2d_2a_3x3 = Unit(32, 32, 3)
            self.Conv2d_2b_3x3 = Unit(32, 64, 3, 1, 1)
            self.Conv2d_3b_1x1 = Unit(64, 80, 1)
            self.Conv2d_4a_3x3 = Unit(80, 192, 3)
            blocks = [block_a(192, 32), block_a(256, 64), block_a(288, 64), block_b(288)]
            blocks += [block_c(768, m) for m in (128, 160, 160, 192)]
            blocks += [block_d(768), block_e(1280, average), block_e(2048, highest)]
            for name, block in zip(BLOCKS, blocks, strict=True):
                self.add_module(f"Mixed_{name}", block)
            self.fc = nn.Linear(2048, 1008)

        def forward(self, x):
            outputs = {}
            x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
            x = halved(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(halved(x))))
            for name in BLOCKS:
                outputs[f"Mixed_{name}"] = x = getattr(self, f"Mixed_{name}")(x)
            outputs["features"] = x = x.mean((2, 3))
            outputs["logits"] = self.fc(x)
            return outputs

    torch.manual_seed(0)
    return Twin(), torch


def random_images(n=2):
    """Returns images of 8 bits whose halves differ, so that no axis can be taken for another."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:37, :53] / 53
    waves = np.stack([np.sin(9 * x + y), np.cos(5 * y - x), x - y], -1)
    images = waves + rng.normal(0, 0.3, (n, 37, 53, 3))
    return np.float32(np.rint(np.clip(images + 1, 0, 2) * 127.5) / 127.5 - 1)


@pytest.fixture(scope="module")
def twin():
    """The twin in evaluation, whose activations are all of order one, and whose scales differ."""
    twin, torch = make_twin()
    rng = torch.Generator().manual_seed(1)

    def uniform(like, low, high):
        return low + (high - low) * torch.rand(like.shape, generator=rng)

    with torch.no_grad():
        for module in twin.modules():
            if isinstance(module, torch.nn.Conv2d):
                # Positive inputs would sum to much more than their spread, and so would rounding.
                module.weight.sub_(module.weight.mean((1, 2, 3), keepdim=True))
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.copy_(uniform(module.weight, 0.5, 1.5))
                # Mostly positive: without this, each layer amplifies the rounding of the last.
                module.bias.copy_(uniform(module.bias, 0, 2))
        twin.train()(torch.tensor(prepared(random_images())).permute(0, 3, 1, 2))
        for module in twin.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                spread = module.running_var.sqrt()
                module.running_mean.add_(uniform(module.bias, -0.2, 0.2) * spread)
                module.running_var.mul_(uniform(module.bias, 0.8, 1.25))
        twin.fc.bias.copy_(uniform(twin.fc.bias, -1, 1))
    return twin.eval()


def prepared(images):
    """Returns what the graph makes of 8-bit images before its first convolution."""
    pixels = (images + 1) * 127.5
    pixels = tf.compat.v1.image.resize_bilinear(pixels, (299, 299))
    return (np.array(pixels) - 128) / 128


@pytest.fixture(scope="module")
def expected(twin):
    import torch

    with torch.no_grad():
        outputs = twin(torch.tensor(prepared(random_images())).permute(0, 3, 1, 2))
    return {name: x.movedim(1, -1).numpy() for name, x in outputs.items()}


@pytest.fixture(scope="module")
def path(twin, tmp_path_factory):
    """The file as it is published, in the format before PyTorch 1.6."""
    import torch

    path = tmp_path_factory.mktemp("weights") / "twin.pth"
    torch.save(twin.state_dict(), path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="module")
def network(path):
    return kgan.metrics.features.Inception2015(path)


def error(got, expected):
    """Returns the largest difference, relative to the scale of what is expected."""
    return np.abs(np.array(got) - expected).max() / np.abs(expected).max()


def test_twin_is_a_fair_judge(expected):
    for name, x in expected.items():
        assert 0.3 < x.std() < 3, name
        assert 0.5 < (x > 0).mean() < 0.95 or name == "features", name
    assert expected["features"].std(1).min() > 0.1


def test_every_block_is_the_twins(network, expected):
    model = network.network
    layers = [model.get_layer(f"Mixed_{name}").output for name in BLOCKS]
    outputs = keras.Model(model.input, layers)(prepared(random_images()))
    errors = {
        name: error(x, expected[f"Mixed_{name}"]) for name, x in zip(BLOCKS, outputs, strict=True)
    }
    assert max(errors.values()) < 2e-5, errors


def test_features_and_logits_are_the_twins(network, expected, twin):
    outputs = network(random_images())
    assert outputs["features"].shape == (2, 2048)
    assert outputs["logits"].shape == (2, 1008)
    assert error(outputs["features"], expected["features"]) < 2e-5
    # Published Inception Scores leave the bias out.
    logits = expected["logits"] - twin.fc.bias.detach().numpy()
    assert error(outputs["logits"], logits) < 2e-5


@pytest.mark.slow
def test_compiled_features_are_the_same(network, expected):
    for jit in (False, True):
        compiled = tf.function(network, jit_compile=jit)
        assert error(compiled(random_images())["features"], expected["features"]) < 1e-4


@pytest.fixture(scope="module")
def untrained():
    """The network with random weights, which needs no PyTorch."""
    return kgan.metrics.features.Inception2015(checkpoint=None)


# --- Images -----------------------------------------------------------------------------------


def test_images_are_scaled_as_by_the_graph(untrained):
    levels = np.float32([0, 64, 128, 255])
    images = (levels / 127.5 - 1).reshape(4, 1, 1, 1) * np.ones((4, 5, 5, 3), "float32")
    x = np.array(untrained.prepare(images))
    np.testing.assert_array_equal(x[:, 7, 7, 0], (levels - 128) / 128)


def test_images_are_rounded_to_8_bits_as_grids_are(untrained):
    images = np.linspace(-1.2, 1.2, 299 * 299, dtype="float32").reshape(1, 299, 299, 1)
    saved = kgan.grid.make_grid(images, pad=0, scale=1)
    x = np.array(untrained.prepare(images))
    np.testing.assert_array_equal(x[0, :, :, 0] * 128 + 128, saved[..., 0])


def test_grey_images_are_three_equal_channels(untrained):
    grey = random_images()[..., :1]
    x = np.array(untrained.prepare(grey))
    np.testing.assert_array_equal(x, untrained.prepare(np.repeat(grey, 3, axis=-1)))


def test_no_number_comes_of_nan(untrained):
    images = random_images()
    images[1, 3, 4, 0] = np.nan
    features = np.array(untrained(images)["features"])
    assert np.isfinite(features[0]).all() and np.isnan(features[1]).all()


def test_unknown_size_is_refused(untrained):
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    with pytest.raises(ValueError, match="known size"):
        tf.function(untrained, input_signature=signature).get_concrete_function()


# --- The object -------------------------------------------------------------------------------


def test_a_path_may_follow_the_name(path):
    network = kgan.metrics.features.get(f"inception_2015:{path}")
    assert network.get_config() == {"name": "inception_2015", "checkpoint": str(path)}


def test_key_knows_the_weights():
    networks = [kgan.metrics.features.Inception2015(checkpoint=None) for _ in range(2)]
    assert networks[0].get_config() == networks[1].get_config()
    assert networks[0].key() != networks[1].key()


@pytest.mark.slow
def test_it_is_a_feature_network():
    images = np.concatenate([random_images(), -random_images(), random_images(1) / 2])
    wrong = [np.zeros((1, 8, 8, channels), "float32") for channels in (2, 4)]
    expected_dims = {"features": 2048, "logits": 1008}
    run_features_test(
        inception_2015.Inception2015, {"checkpoint": None}, images, expected_dims, wrong
    )


# --- Files ------------------------------------------------------------------------------------


def test_both_formats_of_pytorch_are_read(twin, path, tmp_path):
    import torch

    state = twin.state_dict()
    torch.save(state, tmp_path / "zip.pth")
    for file in (path, tmp_path / "zip.pth"):
        arrays = read_state_dict(file)
        assert list(arrays) == list(state)
        for name, tensor in state.items():
            np.testing.assert_array_equal(arrays[name], tensor.numpy(), err_msg=name)
    assert not zipfile.is_zipfile(path) and zipfile.is_zipfile(tmp_path / "zip.pth")


@pytest.mark.parametrize("is_zip", [False, True])
def test_tensors_that_share_their_numbers_are_read(is_zip, tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(24.0).reshape(4, 6)
    state = {"whole": whole, "turned": whole.T, "part": whole[1:3, ::2], "one": whole[3, 5]}
    torch.save(state, tmp_path / "shared.pth", _use_new_zipfile_serialization=is_zip)
    arrays = read_state_dict(tmp_path / "shared.pth")
    for name, tensor in state.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy(), err_msg=name)


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def save_pickle(path, value, is_zip):
    """Writes a file of torch.save that holds any pickle, without PyTorch."""
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(value, protocol=2))
        return
    header = 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}
    with open(path, "wb") as file:
        for part in (*header, value, []):
            pickle.dump(part, file, protocol=2)


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize("function", [os.mkdir, eval, pathlib.Path])
def test_a_file_that_would_run_something_is_refused(function, is_zip, tmp_path):
    folder = tmp_path / "made"
    argument = f"__import__('os').mkdir({str(folder)!r})" if function is eval else str(folder)
    save_pickle(tmp_path / "bad.pth", {"fc.bias": Attack(function, argument)}, is_zip)
    with pytest.raises(ValueError, match=r"which no weights need.*Received.*bad\.pth"):
        read_state_dict(tmp_path / "bad.pth")
    assert not folder.exists()


def test_whole_modules_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(ValueError, match="torch.nn.modules.linear.Linear"):
        read_state_dict(tmp_path / "module.pth")


def test_other_dtypes_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.zeros(2, dtype=torch.float64)}, tmp_path / "double.pth")
    with pytest.raises(ValueError, match="float32 or int64.*DoubleStorage"):
        read_state_dict(tmp_path / "double.pth")


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"PK\x03\x04", b"\x80\x02K\x01."])
def test_what_is_no_such_file_is_refused(content, tmp_path):
    (tmp_path / "other.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"torch\.save.*Received: .*other\.pth"):
        read_state_dict(tmp_path / "other.pth")


def test_damaged_files_are_refused(path, tmp_path):
    content = path.read_bytes()
    for i, end in enumerate((100, 5000, len(content) // 2, len(content) - 1)):
        (tmp_path / f"{i}.pth").write_bytes(content[:end])
        with pytest.raises(ValueError, match="Received"):
            read_state_dict(tmp_path / f"{i}.pth")


@pytest.mark.parametrize(
    "layout",
    [
        (0, (3, 3), (3, 1)),
        (7, (2,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (1000, 1000), (0, 0)),
        (0, (2, 2), (1,)),
    ],
)
def test_tensors_beyond_their_storage_are_refused(layout):
    from kgan.metrics.features.inception_2015 import torch_file

    storage = torch_file._Storage("<f4", "0", 8)
    with pytest.raises(ValueError):
        torch_file._array(torch_file._Tensor(storage, *layout), {"0": np.zeros(8, "<f4")})


def save_changed(path, twin, **changes):
    import torch

    state = twin.state_dict()
    for name, tensor in changes.items():
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    torch.save(state, path)
    return path


def test_wrong_weights_are_named(twin, network, tmp_path):
    import torch

    model = network.network
    before = model.get_layer("fc").get_weights()[0]
    changes = {
        "Mixed_5b.branch1x1.bn.running_mean": None,
        "AuxLogits.fc.weight": torch.zeros(1),
        "fc.weight": torch.zeros(1000, 2048),
    }
    bad = save_changed(tmp_path / "bad.pth", twin, **changes)
    with pytest.raises(ValueError) as raised:
        inception_2015.load_weights(model, bad)
    for part in (
        "no Mixed_5b.branch1x1.bn.running_mean",
        "AuxLogits.fc.weight, which it has not",
        "fc.weight of shape (1000, 2048) instead of (1008, 2048)",
        "bad.pth",
    ):
        assert part in str(raised.value)
    np.testing.assert_array_equal(model.get_layer("fc").get_weights()[0], before)


def test_many_wrong_weights_are_counted(network, tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"fc.bias": torch.zeros(1008)}, tmp_path / "few.pth")
    with pytest.raises(ValueError, match="and 466 more"):
        inception_2015.load_weights(network.network, tmp_path / "few.pth")


# --- Fetching ---------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keras's cache, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "kgan" / weights_module.FILE


def publish(monkeypatch, path, content=None):
    content = path.read_bytes() if content is None else content
    monkeypatch.setattr(weights_module, "URL", path.as_uri())
    monkeypatch.setattr(weights_module, "SHA256", hashlib.sha256(content).hexdigest())


def test_published_weights_are_fetched_once(path, network, cache, monkeypatch):
    publish(monkeypatch, path)
    fetched = kgan.metrics.features.Inception2015()
    np.testing.assert_array_equal(fetched.weights()[0], network.weights()[0])
    assert cache.read_bytes() == path.read_bytes()
    monkeypatch.setattr(weights_module, "URL", "file:///nowhere")
    assert weights_module.fetch_weights() == str(cache)


def test_weights_with_another_hash_are_refused(path, cache, monkeypatch):
    publish(monkeypatch, path, b"what was published")
    with pytest.raises(FileNotFoundError, match="hash does not match"):
        kgan.metrics.features.Inception2015()


def test_without_a_network_the_error_says_what_to_do(cache, monkeypatch):
    monkeypatch.setattr(weights_module, "URL", "file:///nowhere")
    with pytest.raises(FileNotFoundError) as raised:
        kgan.metrics.features.get("inception_2015")
    message = str(raised.value)
    for part in (
        "file:///nowhere",
        str(cache.parent),
        weights_module.SHA256,
        "'mnist'",
        "Received",
    ):
        assert part in message


def test_hash_is_that_in_the_files_name():
    assert weights_module.SHA256[:8] in weights_module.FILE and len(weights_module.SHA256) == 64


def test_kgan_needs_no_pytorch():
    for source in pathlib.Path(inception_2015.__file__).parent.glob("*.py"):
        lines = source.read_text().splitlines()
        assert not [
            line for line in lines if line.split()[:2] in (["import", "torch"], ["from", "torch"])
        ]
