import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics import evaluation as room
from kgan.metrics.base import GANMetric
from kgan.metrics.evaluation import Evaluation, batches_of, first_batch, parse_metrics
from kgan.metrics.features import FeatureNetwork
from kgan.metrics.states import Samples
from tests import networks

SHAPE = (4, 4, 1)


class Network(FeatureNetwork):
    """Random projections, which counts the batches that it has seen, but for single images."""

    outputs = ("features", "logits")

    def __init__(self, seed=0, name=None):
        super().__init__(name)
        self.seed = seed
        self.batches = []

    def weights(self):
        return [np.random.default_rng(self.seed).normal(size=(16, 6)).astype("float32")]

    def call(self, images):
        tf.py_function(lambda x: self.batches.extend([len(x)] * (len(x) > 1)), [images], [])
        features = keras.ops.reshape(images, (-1, 16)) @ self.weights()[0]
        return {"features": features[:, :4], "logits": features[:, 4:]}

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgan_tests")
class Kept(GANMetric):
    """Keeps all that it sees; its result is the number of fakes."""

    def __init__(self, features=None, name="kept", dtype=None):
        super().__init__(features, name, dtype)
        self.adapted, self.drawn = None, []

    def make_state(self, side, shape):
        return Samples(self, side, shape, 1000, has_labels=self.needs_labels)

    def values(self, side):
        return self.states[side].values()

    def adapt(self, images):
        self.adapted = images

    def result(self):
        return float(self.seen("fake").count)


@keras.saving.register_keras_serializable(package="kgan_tests")
class KeptLabels(Kept):
    needs_labels = True


@keras.saving.register_keras_serializable(package="kgan_tests")
class KeptImages(Kept):
    looks_at = "images"
    split = "test"

    def __init__(self, name="kept_images", dtype=None):
        super().__init__(None, name, dtype)


@keras.saving.register_keras_serializable(package="kgan_tests")
class Adapting(Kept):
    adapts_to = "validation"


@keras.saving.register_keras_serializable(package="kgan_tests")
class Drawing(Kept):
    needs_generator = True

    def update_from(self, gan, real=None, fake=None, labels=None):
        assert real is None
        self.drawn.append((gan.sample_latents(2, training=False).numpy(), len(fake), labels))
        self.update_state(fake=fake)


def images(n=50, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype("float32")


def labels(n=50):
    return np.repeat([0, 1, 2], [n // 2, n // 4, n - n // 2 - n // 4])


def make_gan(num_classes=None):
    return kgan.GAN(
        networks.generator(num_classes, SHAPE),
        networks.discriminator(num_classes, SHAPE),
        num_classes=num_classes,
        seed=0,
    )


@pytest.fixture
def make(tmp_path):
    def make(metrics, features="pixels", **kwargs):
        kwargs = {"cache_dir": tmp_path / "cache", "batch_size": 16, **kwargs}
        return Evaluation(metrics, features, **kwargs)

    return make


# --- Results ------------------------------------------------------------------------------------


def test_results_are_those_of_the_metric_itself(make):
    real, fake = images(50), images(40, seed=1)
    evaluation = make(["fd", "kd:subset_size=20"])
    evaluation.set_reals(real)
    results, failures = evaluation.judge_images(fake)
    assert failures == {} and evaluation.splits == {"train": 50}
    for metric in (
        kgan.metrics.FrechetDistance("pixels"),
        kgan.metrics.KernelDistance("pixels", subset_size=20),
    ):
        metric.update_state(real, fake=None)
        metric.update_state(None, fake)
        for name, value in metric.results().items():
            assert results[name] == pytest.approx(value, rel=1e-5)


def test_fakes_are_forgotten_and_reals_are_not(make):
    evaluation = make("fd")
    evaluation.set_reals(images(50))
    first = evaluation.judge_images(images(40, seed=1))
    assert evaluation.judge_images(images(40, seed=2)) != first
    again = evaluation.judge_images(images(40, seed=1))
    assert again[0]["frechet_distance"] == pytest.approx(first[0]["frechet_distance"], rel=1e-12)


@pytest.mark.parametrize("form", ["array", "arrays", "dataset", "uneven", "labelled"])
def test_forms_of_data_sets(make, form):
    real = images(50)
    datasets = {
        "array": real,
        "arrays": (real, labels()),
        "dataset": tf.data.Dataset.from_tensor_slices(real).batch(7),
        "uneven": tf.data.Dataset.from_generator(
            lambda: (real[i : i + 3 + i % 5] for i in (0, 3, 9)),
            output_signature=tf.TensorSpec((None, *SHAPE), tf.float32),
        ),
        "labelled": tf.data.Dataset.from_tensor_slices((real, labels())).batch(7),
    }
    evaluation = make([Kept()], Network())
    evaluation.set_reals(datasets[form])
    seen = evaluation.metrics[0].values("real")
    want = np.concatenate([batch for batch, _ in batches_of(datasets[form])])
    np.testing.assert_allclose(seen, Network()(want)["features"], atol=1e-5)


def test_each_metric_is_shown_its_split(make):
    evaluation = make([Kept(), KeptImages(), Adapting(name="adapting")])
    data = {"train": images(9), "test": images(8, seed=1), "validation": images(7, seed=2)}
    evaluation.set_reals(data)
    kept, kept_images, adapting = evaluation.metrics
    assert len(kept.values("real")) == 9 and len(adapting.values("real")) == 9
    np.testing.assert_array_equal(kept_images.values("real"), data["test"])
    np.testing.assert_array_equal(adapting.adapted, data["validation"])
    assert evaluation.splits == {"train": 9, "test": 8, "validation": 7}


def test_one_data_set_is_for_all_splits(make):
    evaluation = make([Kept(), KeptImages()])
    evaluation.set_reals(images(9))
    assert evaluation.splits == {"train": 9, "test": 9}


def test_the_metrics_that_were_given_are_left_alone(make):
    metric = kgan.metrics.FrechetDistance(name="mine")
    evaluation = make([metric])
    evaluation.set_reals(images())
    assert list(evaluation.judge_images(images(seed=1))[0]) == ["mine"]
    assert metric.states == {} and metric.features is None


def test_a_metric_keeps_its_own_network(make):
    mine = Network(seed=3)
    evaluation = make([Kept(mine), Kept(name="other")])
    evaluation.set_reals(images())
    assert evaluation.metrics[0].features is mine
    assert evaluation.metrics[0].values("real").shape == (50, 4)
    assert evaluation.metrics[1].values("real").shape == (50, 16)


@pytest.mark.parametrize(
    ("shape", "name"), [((28, 28, 1), "mnist"), ((28, 28, 3), "inception_2015")]
)
def test_auto_is_mnist_for_its_images_and_the_published_network_for_others(
    make, monkeypatch, shape, name
):
    class Asked(Exception):
        pass

    def get(identifier):
        raise Asked(identifier)

    evaluation = make("fd", "auto")
    monkeypatch.setattr(room.features_room, "get", get)
    with pytest.raises(Asked, match=f"^{name}$"):
        evaluation.set_reals(images(2, shape=shape))


def test_both_networks_of_auto_are_known():
    assert {"mnist", "inception_2015"} <= set(kgan.metrics.features.names())
    assert room.features_room.FEATURES._find(room.PUBLISHED_NETWORK).__name__ == "Inception2015"


# --- Networks and the cache ---------------------------------------------------------------------


def test_metrics_of_one_network_share_its_pass_in_batches_of_one_size(make):
    network = Network()
    evaluation = make([Kept(), Kept(Network(), name="equal"), KeptImages()], network)
    evaluation.set_reals(images(50))
    assert network.batches == [16, 16, 16, 16]
    evaluation.judge_images(images(20, seed=1))
    assert network.batches == [16] * 6
    assert len(evaluation.metrics[0].values("fake")) == 20


def test_features_of_reals_are_computed_once(make, tmp_path):
    make([Kept()], Network()).set_reals(images(50))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    network = Network()
    evaluation = make([Kept()], network)
    order = np.random.default_rng(0).permutation(50)
    evaluation.set_reals(images(50)[order])
    assert network.batches == []
    want = Network()(images(50))["features"]
    np.testing.assert_allclose(evaluation.metrics[0].values("real"), want, atol=1e-5)
    results, _ = evaluation.judge_images(images(30, seed=1))
    assert results == {"kept": 30.0}


def test_labels_of_reals_stay_with_their_features(make):
    for _ in range(2):
        evaluation = make([KeptLabels()], Network())
        order = np.random.default_rng(0).permutation(50)
        evaluation.set_reals((images(50)[order], labels()[order]))
        state = evaluation.metrics[0].states["real"]
        np.testing.assert_allclose(state.values(), Network()(images(50)[order])["features"], 1e-4)
        np.testing.assert_array_equal(state.labels(), labels()[order])


@pytest.mark.parametrize("what", ["pixel", "number", "labels", "weights"])
def test_the_cache_knows_what_differs(make, what):
    make([Kept()], Network()).set_reals((images(50), labels()))
    real, classes, network = images(50), labels(), Network()
    if what == "pixel":
        real[17, 2, 3, 0] = np.nextafter(real[17, 2, 3, 0], np.float32(2))
    elif what == "number":
        real, classes = np.concatenate([real, real[:1]]), np.append(classes, classes[0])
    elif what == "labels":
        classes[[0, -1]] = classes[[-1, 0]]
    else:
        network = Network(seed=1)
    make([Kept()], network).set_reals((real, classes))
    assert network.batches


def test_images_that_come_twice_count():
    a, b, c = images(3)[:, None]

    def digest(*parts):
        made = room._Digest()
        for part in parts:
            made.add(part, None)
        return made.hexdigest()

    assert digest(a, b, a) == digest(a, a, b) != digest(c, c, b)
    assert digest(a, b) != digest(a.reshape(1, 2, 8, 1), b.reshape(1, 2, 8, 1))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "foreign"])
def test_a_damaged_cache_is_computed_anew(make, tmp_path, damage):
    make([Kept()], Network()).set_reals(images(50))
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    if damage == "foreign":
        np.savez(path, features=np.zeros((3, 4), "float32"))
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no"}[damage])
    network = Network()
    evaluation = make([Kept()], network)
    with pytest.warns(UserWarning, match="is damaged, so its features are computed anew"):
        evaluation.set_reals(images(50))
    assert len(network.batches) == 4
    network.batches.clear()
    make([Kept()], network).set_reals(images(50))
    assert network.batches == []


def test_reals_that_change_are_not_kept(make, tmp_path):
    dataset = tf.data.Dataset.from_tensor_slices(images(50)).shuffle(50)
    evaluation = make([Kept()], Network())
    with pytest.warns(UserWarning, match="others in each pass.*shuffle=False"):
        evaluation.set_reals(dataset.batch(16, drop_remainder=True))
    assert not (tmp_path / "cache").exists()
    assert len(evaluation.metrics[0].values("real")) == 48


def test_a_cache_that_cannot_be_written_is_only_a_warning(make, tmp_path):
    (tmp_path / "file").write_text("")
    evaluation = make([Kept()], Network(), cache_dir=tmp_path / "file")
    with pytest.warns(UserWarning, match="are not kept: "):
        evaluation.set_reals(images(50))
    assert evaluation.judge_images(images(9))[0] == {"kept": 9.0}


def test_what_has_no_weights_is_not_kept(make, tmp_path):
    make("fd").set_reals(images(50))
    assert not (tmp_path / "cache").exists()


def test_the_default_cache_is_in_keras_home(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert Evaluation("fd").cache_dir == tmp_path / "kgan" / "features"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Evaluation("fd").cache_dir == tmp_path / ".keras" / "kgan" / "features"


# --- Samples of a GAN ---------------------------------------------------------------------------


def test_samples_depend_on_the_seed_only_and_are_drawn_in_parts(make, monkeypatch):
    monkeypatch.setattr(room, "CHUNK", 32)
    gan, evaluation = make_gan(), make([KeptImages()])
    evaluation.set_reals(images())
    asked = []
    generate = gan.generate
    monkeypatch.setattr(
        gan,
        "generate",
        lambda n, *args, **kwargs: asked.append((n, args[1])) or generate(n, *args, **kwargs),
    )

    def draw(seed):
        results, _ = evaluation.judge(gan, 50, seed)
        assert results == {"kept_images": 50.0}
        return evaluation.metrics[0].values("fake")

    first, other, again = draw(0), draw(1), draw(0)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert len(np.unique(first.reshape(50, -1), axis=0)) == 50
    assert [n for n, _ in asked] == [32, 18] * 3
    assert len({seed for _, seed in asked}) == 4


def test_fakes_have_the_classes_of_the_reals(make):
    gan, evaluation = make_gan(num_classes=3), make([KeptLabels()])
    evaluation.set_reals((images(40), labels(40)))
    evaluation.judge(gan, 120)
    fakes = evaluation.metrics[0].states["fake"].labels()
    np.testing.assert_array_equal(np.bincount(fakes), [60, 30, 30])
    assert np.any(np.diff(fakes) < 0)  # mixed, so that a part of them has all classes
    evaluation.judge(gan, 120)
    np.testing.assert_array_equal(evaluation.metrics[0].states["fake"].labels(), fakes)
    evaluation.judge(gan, 120, seed=1)
    assert not np.array_equal(evaluation.metrics[0].states["fake"].labels(), fakes)


def test_labels_of_keras_data_sets(make):
    """Those of `keras.datasets.cifar10` are a column of bytes."""
    gan, evaluation = make_gan(num_classes=3), make([KeptLabels()])
    evaluation.set_reals((images(40), labels(40).astype("uint8")[:, None]), gan)
    evaluation.judge(gan, 120)
    fakes = evaluation.metrics[0].states["fake"].labels()
    np.testing.assert_array_equal(np.bincount(fakes), [60, 30, 30])


def test_fakes_take_the_labels_of_the_training_images(make):
    gan, evaluation = make_gan(num_classes=3), make([KeptLabels(), KeptImages()])
    data = {"test": (images(8), labels(8) * 0), "train": (images(40), labels(40))}
    evaluation.set_reals(data, gan)
    evaluation.judge(gan, 40)
    np.testing.assert_array_equal(evaluation.metrics[0].states["fake"].labels().max(), 2)


def test_labels_that_the_gan_does_not_know(make):
    with pytest.raises(ValueError, match=r"num_classes=2\). Received: 2"):
        make("fd").set_reals((images(40), labels(40)), make_gan(num_classes=2))
    with pytest.raises(ValueError, match="labels must be one class number"):
        make("fd").set_reals((images(40), np.eye(3)[labels(40)]), make_gan(num_classes=3))


def test_a_classifier_of_other_classes_than_the_gans(make):
    reals = images(40), np.arange(40) % 2
    make("label", Network()).set_reals(reals, make_gan(num_classes=2))
    with pytest.raises(ValueError, match="LabelAccuracy.*Received: 2 logits and a GAN of 3 cl"):
        make("label", Network()).set_reals(reals, make_gan(num_classes=3))


def test_vectors_of_the_reals_are_conditions_of_the_fakes(make):
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(SHAPE, latent_dim=3, units=(5,), condition_dim=2),
        kgan.backbones.MLPDiscriminator(SHAPE, units=(5,), condition_dim=2),
        condition_dim=2,
    )
    evaluation = make("fd")
    vectors = np.arange(100, dtype="float32").reshape(50, 2)
    evaluation.set_reals((images(50), vectors))
    drawn = np.concatenate([part for _, part in evaluation._samples(gan, 50, 0)])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, vectors))
    assert math.isfinite(evaluation.judge(gan, 50)[0]["frechet_distance"])


def test_a_metric_that_draws_is_given_the_gan(make):
    gan, evaluation = make_gan(), make([Drawing()])
    evaluation.set_reals(images())
    before = gan._evaluation_seeds.state.numpy()
    for _ in range(2):
        evaluation.judge(gan, 40)
    np.testing.assert_array_equal(gan._evaluation_seeds.state.numpy(), before)
    drawn = evaluation.metrics[0].drawn
    assert [n for _, n, _ in drawn] == [16, 16, 8] * 2
    latents = [latents for latents, _, _ in drawn]
    np.testing.assert_array_equal(latents[:3], latents[3:])
    assert not np.allclose(latents[0], latents[1])
    gan._evaluation_seeds.next()  # an evaluation of Keras's own
    for seed in (0, 1):
        evaluation.judge(gan, 40, seed)
    again, other = evaluation.metrics[0].drawn[6][0], evaluation.metrics[0].drawn[9][0]
    np.testing.assert_array_equal(again, latents[0])
    assert not np.allclose(other, latents[0])


def test_what_fails_is_nan_with_its_reason(make):
    evaluation = make(["fd", "kd:subset_size=20", KeptImages()])
    evaluation.set_reals(images())
    results, failures = evaluation.judge_images(np.zeros((30, *SHAPE), "float32"))
    assert math.isnan(results["frechet_distance"]) and math.isnan(results["kernel_distance"])
    assert results["kept_images"] == 30
    assert "constant fake features" in failures["frechet_distance"]
    results, failures = evaluation.judge_images(images(30, seed=1))
    assert failures == {} and np.isfinite(list(results.values())).all()


# --- What does not fit --------------------------------------------------------------------------


def test_a_network_refuses_images_before_they_are_looked_at(make):
    evaluation = make("fd", "mnist")
    with pytest.raises(ValueError, match="^The MNIST features take grey images of 28x28"):
        evaluation.set_reals(images())
    assert evaluation.splits == {}
    with pytest.raises(ValueError, match="logits"):
        make("is", "pixels").set_reals(images())


def test_samples_of_another_shape(make):
    evaluation = make("fd")
    with pytest.raises(ValueError, match="call set_reals first"):
        evaluation.judge(make_gan())
    evaluation.set_reals(images(shape=(4, 5, 1)))
    with pytest.raises(ValueError, match=r"\('batch', 4, 4, 1\). Received: \(1, 4, 5, 1\)"):
        evaluation.judge(make_gan())
    with pytest.raises(ValueError, match=r"shape of the reals, \(4, 5, 1\). Received: \(4, 4, 1\)"):
        evaluation.judge_images(images())


def test_reals_that_were_broken_off_do_not_count(make):
    def broken():
        yield images(9)
        raise KeyboardInterrupt

    class Broken(tf.data.Dataset):
        def __init__(self, whole):
            super().__init__(whole._variant_tensor)
            self.whole, self.passes = whole, 0

        element_spec = property(lambda self: self.whole.element_spec)

        def _inputs(self):
            return []

        def as_numpy_iterator(self):
            self.passes += 1
            return broken() if self.passes == 2 else self.whole.as_numpy_iterator()

    evaluation = make([Kept()])
    evaluation.set_reals((images(), labels()))
    with pytest.raises(KeyboardInterrupt):
        evaluation.set_reals(Broken(tf.data.Dataset.from_tensors(images(9))))
    with pytest.raises(ValueError, match="call set_reals first"):
        evaluation.judge_images(images())
    evaluation.set_reals(images(20))
    assert len(evaluation.metrics[0].values("real")) == 20 and evaluation._labels is None


def test_images_in_another_range(make):
    evaluation = make([Kept()])
    with pytest.raises(ValueError, match="127.5 - 1.*Received: images .train. from 0.* to 25"):
        evaluation.set_reals(127.5 * (images() + 1))
    with pytest.warns(UserWarning, match="No pixel of these images .* is below 0.*2 . images - 1"):
        evaluation.set_reals((images() + 1) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation.set_reals(images())
    with pytest.raises(ValueError, match="127.5 - 1.*Received: images .samples. from 0.* to 25"):
        evaluation.judge_images(127.5 * (images() + 1))


def test_labels_that_are_missing(make):
    with pytest.raises(ValueError, match="KeptLabels needs the class.*Received: no labels"):
        make([KeptLabels()]).set_reals(images())
    with pytest.raises(ValueError, match=r"KeptLabels needs the class.*Received: \(50, 2\)"):
        make([KeptLabels()]).set_reals((images(), np.zeros((50, 2))))
    evaluation = make([KeptLabels()])
    with pytest.raises(ValueError, match="Received: a GAN without classes"):
        evaluation.set_reals((images(), labels()), make_gan())
    assert evaluation.splits == {}  # before the reals are looked at
    evaluation.set_reals((images(), labels()))
    with pytest.raises(ValueError, match="KeptLabels needs the class.*samples without labels"):
        evaluation.judge_images(images())
    evaluation = make([Kept()])
    evaluation.set_reals(images())
    with pytest.raises(ValueError, match="take the labels of the reals"):
        evaluation.judge(make_gan(num_classes=3))


def test_splits_that_are_missing(make):
    with pytest.raises(ValueError, match="Adapting needs the validation.*a single data set"):
        make([Adapting()]).set_reals(images())
    with pytest.raises(ValueError, match=r"KeptImages needs the test.*Received: \['train'\]"):
        make([KeptImages()]).set_reals({"train": images()})


def test_a_metric_that_draws_needs_a_gan(make):
    evaluation = make([Drawing()])
    evaluation.set_reals(images())
    with pytest.raises(ValueError, match="Drawing draws its own samples"):
        evaluation.judge_images(images())


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        (np.full((4, *SHAPE), np.nan, "float32"), ValueError, "NaN or infinity in the train"),
        (np.zeros((4, *SHAPE), "uint8"), ValueError, "batches of floats.*Received: uint8"),
        (np.zeros(SHAPE, "float32"), ValueError, r"Received: float32 of shape \(4, 4, 1\)"),
        (np.zeros((0, *SHAPE), "float32"), ValueError, "an empty one"),
        (tf.data.Dataset.from_tensors(images(4)).repeat(), ValueError, "must end"),
        ([images(4)], TypeError, "Received: list"),
        (
            tf.data.Dataset.from_generator(
                lambda: iter([images(4), images(4, shape=(5, 4, 1))]),
                output_signature=tf.TensorSpec((None, None, 4, 1), tf.float32),
            ),
            ValueError,
            r"must have one shape. Received: \(5, 4, 1\) after \(4, 4, 1\)",
        ),
    ],
)
def test_bad_reals(make, dataset, error, message):
    with pytest.raises(error, match=message):
        make("fd").set_reals(dataset)


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("fdd", ValueError, "Unknown metric.*Received: 'fdd'"),
        ("", ValueError, "at least one metric: .*frechet_distance.*Received: none"),
        ("fd,fd:features=pixels", ValueError, "name=….*twice: frechet_distance"),
        ([3], TypeError, "Received: 3"),
    ],
)
def test_bad_metrics(metrics, error, message):
    with pytest.raises(error, match=message):
        parse_metrics(metrics)


def test_names_with_arguments():
    first, second, third = parse_metrics("kd:subset_size=10,subsets=3, fd,prdc")
    assert (first.subset_size, first.subsets) == (10, 3)
    assert [second.name, third.name] == ["frechet_distance", "precision_recall"]
    metric = kgan.metrics.FrechetDistance()
    assert parse_metrics(metric) == [metric]


def test_progress_is_shown_if_asked_for(make, capsys):
    for verbose in (0, 2):
        evaluation = make("fd", verbose=verbose)
        evaluation.set_reals(tf.data.Dataset.from_tensor_slices(images()).batch(10))
        evaluation.judge(make_gan(), 20)
        lines = capsys.readouterr().out.splitlines()
        starts = ["train: 5/5", "samples: 20/20", "metrics: 1/1"] if verbose else []
        assert [line.split(" - ")[0] for line in lines] == starts


def test_first_batch_of_labelled_images():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch, classes = first_batch((images(), labels()))
    assert batch.shape == (50, *SHAPE) and classes[0] == 0
