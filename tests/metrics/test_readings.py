import functools
import json

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from absl import flags
from keras import ops
from PIL import Image

import kgan
from kgan import evaluate
from kgan.metrics import readings
from kgan.metrics.evaluation import Evaluation
from kgan.metrics.splits import datasets_for
from tests import conformance, networks

SHAPE = (4, 4, 1)
ALL = (kgan.metrics.ClassificationError, kgan.metrics.Clustering, kgan.metrics.CodeNeighbors)


@keras.saving.register_keras_serializable(package="kgan_tests")
class Reader(kgan.GAN):
    """Knows classes and codes by heart: the first pixels hold logits, all are the code."""

    def classify(self, images):
        return ops.softmax(ops.reshape(images, (-1, 16))[:, :3])

    def encode(self, images):
        return ops.reshape(images, (-1, 16))


def make_gan(cls=Reader, num_classes=None):
    players = networks.generator(num_classes, SHAPE), networks.discriminator(num_classes, SHAPE)
    return cls(*players, num_classes=num_classes, seed=0)


def images(n=40, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *SHAPE)).astype("float32")


def labels(n=40, seed=0):
    return np.random.default_rng(seed + 9).integers(0, 3, n)


def seen_classes(images):
    return np.argmax(images.reshape(len(images), 16)[:, :3], axis=1)


def probabilities(clusters, num_clusters):
    """Rows whose highest probability is that of the cluster."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 0.4, (len(clusters), num_clusters))
    p[np.arange(len(clusters)), clusters] = rng.uniform(0.5, 1, len(clusters))
    return p.astype("float32")


def clustering(clusters, labels, num_clusters=None):
    clusters, labels = np.asarray(clusters), np.asarray(labels)
    metric = kgan.metrics.Clustering()
    p = probabilities(clusters, num_clusters or clusters.max() + 1)
    metric.update_state(real=p, labels=labels)
    return {name.removeprefix("clustering_"): value for name, value in metric.result().items()}


def one_nearest(test, training, training_labels):
    distances = np.linalg.norm(test[:, None].astype("float64") - training, axis=2)
    return training_labels[np.argmin(distances, axis=1)]


# --- Conformance --------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ALL)
def test_conformance(cls, two_replicas):
    """As `run_metric_test`, but for what it asks of fakes."""
    kwargs = {} if cls is kgan.metrics.ClassificationError else {"max_samples": 30}
    conformance.check_metric_config(cls, {**kwargs, "name": "mine"})
    learned = (
        (lambda metric: metric.learn(images(9, 3).reshape(9, 16)[:, :5], labels(9, 3)))
        if cls is kgan.metrics.CodeNeighbors
        else None
    )
    codes = images(14).reshape(14, 16)[:, :5]
    fed = conformance._Fed(cls, kwargs, codes, None, labels(14), None)
    fed.prepare = learned
    metric = fed.metric()
    fed.update(metric)
    expected = metric.results()
    assert tuple(expected) == metric.result_names
    assert len(metric.best) == len(expected)
    conformance.check_metric_refusals(fed, least=1)
    conformance.check_docstring(cls)
    if learned is None:  # else replicas and merging would learn twice
        conformance.check_metric_feeding(fed, expected, 1e-6)
        conformance.check_metric_merging(fed, expected, 1e-6, order_matters=False)
        conformance.check_metric_replicas(fed, expected, 1e-6, False, two_replicas)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_code_neighbors_in_batches(jit_compile):
    metric = kgan.metrics.CodeNeighbors()
    metric.build((5,))
    codes, learned = (images(n, n).reshape(n, 16)[:, :5] for n in (17, 23))
    learn, update = metric.learn, metric.update_state
    if jit_compile is not None:
        learn, update = (tf.function(f, jit_compile=jit_compile) for f in (learn, update))
    for part in (slice(0, 8), slice(8, None)):
        learn(tf.constant(learned[part]), tf.constant(labels(23)[part]))
        update(real=tf.constant(codes[part]), labels=tf.constant(labels(17, 1)[part]))
    hits = one_nearest(codes, learned, labels(23)) == labels(17, 1)
    assert 0 < np.mean(hits) < 1
    assert metric.result() == {"code_neighbors_accuracy": np.mean(hits)}


def test_names_follow_the_name():
    for cls in ALL:
        named = cls(name="mine")
        assert all(name.startswith("mine") for name in named.result_names)
    evaluation = Evaluation("clusters,clusters:name=again")
    assert len(evaluation.metrics) == 2


# --- ClassificationError ------------------------------------------------------------------------


def test_error_is_the_share_off_the_diagonal():
    """A confusion matrix of 2 + 3 + 1 of 16 off the diagonal."""
    confusion = np.array([[4, 2, 0], [0, 3, 3], [1, 0, 3]])
    truth, said = (np.repeat(x.ravel(), confusion.ravel()) for x in np.indices((3, 3)))
    metric = kgan.metrics.ClassificationError()
    metric.update_state(real=probabilities(said, 3), labels=truth)
    assert metric.result() == pytest.approx(6 / 16)


def test_labels_without_a_probability():
    metric = kgan.metrics.ClassificationError()
    metric.update_state(real=np.eye(3, dtype="float32"), labels=np.array([0, 5, -1]))
    with pytest.raises(ValueError, match=r"lie in \[0, 3\). Received: 2 labels beyond"):
        metric.result()


# --- Clustering ---------------------------------------------------------------------------------


def test_permuted_clusters_are_the_classes():
    classes = labels(200) + 4  # classes need not begin at 0
    result = clustering(np.array([2, 0, 1])[classes - 4], classes)
    expected = dict.fromkeys(("accuracy", "nmi", "purity", "cluster_exemplar_accuracy"), 1.0)
    assert result == pytest.approx(expected)


def test_a_known_table():
    # Rows are clusters, columns classes: greedy would match 0-0 (5) and get 5 + 0, not 4 + 4.
    table = np.array([[5, 4], [4, 0]])
    clusters, classes = (np.repeat(x.ravel(), table.ravel()) for x in np.indices((2, 2)))
    result = clustering(clusters, classes)
    assert result["accuracy"] == pytest.approx(8 / 13)
    assert result["purity"] == pytest.approx(9 / 13)


def test_clusters_without_a_class_of_their_own_are_wrong():
    result = clustering([0, 0, 0, 1, 2, 2], [0, 0, 0, 0, 1, 1], num_clusters=5)
    assert result["accuracy"] == pytest.approx(5 / 6)
    assert result["purity"] == result["cluster_exemplar_accuracy"] == 1.0


def test_fewer_clusters_than_classes():
    result = clustering([0, 0, 1, 1], [0, 1, 2, 2])
    assert result["accuracy"] == result["purity"] == 0.75


@pytest.mark.parametrize("num_clusters", [2, 3, 7])
def test_information_is_that_of_scikit_learn(num_clusters):
    rng = np.random.default_rng(num_clusters)
    classes = labels(300)
    clusters = (
        np.where(rng.uniform(size=300) < 0.6, classes, rng.integers(0, 7, 300)) % num_clusters
    )
    expected = sklearn.metrics.normalized_mutual_info_score(classes, clusters)
    assert 0.01 < expected < 0.9
    assert clustering(clusters, classes, num_clusters)["nmi"] == pytest.approx(expected)


def test_information_at_its_ends():
    nmi = readings.normalized_mutual_information
    assert nmi(np.array([[6]])) == 1.0  # as scikit-learn has it
    assert nmi(np.array([[3, 2], [0, 0]])) == 0.0  # one cluster of two classes
    assert nmi(np.array([[2, 4], [3, 6]])) == pytest.approx(0.0, abs=1e-12)  # independent
    # H(U) = log 2, and V says all of U but is twice as fine: log 2 / ((log 2 + log 4) / 2).
    assert nmi(np.array([[1, 1, 0, 0], [0, 0, 1, 1]])) == pytest.approx(2 / 3)


def test_exemplars_name_their_clusters():
    p = np.float32([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    metric = kgan.metrics.Clustering()
    # The surest of cluster 0 is the third, of class 1, and of cluster 1 the fourth, of class 0.
    metric.update_state(real=p, labels=np.array([0, 0, 1, 0, 1]))
    result = metric.result()
    assert result["cluster_exemplar_accuracy"] == 2 / 5
    assert result["clustering_purity"] == 3 / 5


def test_exemplars_that_are_equally_sure_vote():
    p = np.float32([[1, 0], [1, 0], [1, 0], [0, 1]])
    for order in ([0, 1, 2, 3], [2, 1, 0, 3]):
        metric = kgan.metrics.Clustering()
        metric.update_state(real=p[order], labels=np.array([2, 1, 1, 0])[order])
        assert metric.result()["cluster_exemplar_accuracy"] == 3 / 4


def test_an_exemplar_may_lie_in_another_cluster():
    # The image that is most surely in cluster 1 is even more surely in cluster 0.
    p = np.float32([[0.5, 0.45, 0.05], [0.3, 0.4, 0.3]])
    metric = kgan.metrics.Clustering()
    metric.update_state(real=p, labels=np.array([0, 1]))
    assert metric.result()["cluster_exemplar_accuracy"] == 1 / 2


# --- CodeNeighbors ------------------------------------------------------------------------------


def test_neighbors_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    training, test = rng.normal(size=(200, 6)), rng.normal(size=(90, 6))
    classes, truth = (np.argmax(x[:, :3], axis=1) for x in (training, test))
    metric = kgan.metrics.CodeNeighbors()
    metric.learn(training, classes)
    metric.update_state(real=test, labels=truth)
    expected = np.mean(one_nearest(test, training, classes) == truth)
    assert 0.4 < expected < 1
    assert metric.results() == {"code_neighbors_accuracy": pytest.approx(expected)}


def test_neighbors_need_training_codes_that_differ():
    metric = kgan.metrics.CodeNeighbors()
    metric.update_state(real=images(4).reshape(4, 16), labels=labels(4))
    with pytest.raises(ValueError, match="at least 1 training examples. Received: 0"):
        metric.result()
    metric.learn(np.ones((5, 16), "float32"), labels(5))
    with pytest.raises(ValueError, match="Received: constant training codes"):
        metric.result()
    with pytest.raises(ValueError, match="needs the class of each image.*labels=None"):
        metric.learn(np.ones((5, 16), "float32"), None)
    with pytest.raises(ValueError, match=r"Received: training of shape \(5, 3\)"):
        metric.learn(np.ones((5, 3), "float32"), labels(5))


def test_both_kinds_are_forgotten_and_merged():
    metric, other = kgan.metrics.CodeNeighbors(), kgan.metrics.CodeNeighbors()
    for one, seed in ((metric, 0), (other, 1)):
        one.learn(images(20, seed).reshape(20, 16), labels(20, seed))
        one.update_state(real=images(9, seed + 5).reshape(9, 16), labels=labels(9, seed))
    metric.merge_state([other])
    training = np.concatenate([images(20, s) for s in (0, 1)]).reshape(40, 16)
    test = np.concatenate([images(9, s) for s in (5, 6)]).reshape(18, 16)
    classes, truth = (np.concatenate([labels(n, s) for s in (0, 1)]) for n in (20, 9))
    expected = np.mean(one_nearest(test, training, classes) == truth)
    assert metric.results()["code_neighbors_accuracy"] == pytest.approx(expected)
    metric.reset_fakes()
    assert [state.count for state in metric.states.values()] == [0, 0]


# --- A GAN --------------------------------------------------------------------------------------


def data(split, n=40):
    seed = ("train", "test").index(split)
    return images(n, seed), labels(n, seed)


def expected_results():
    (training, classes), (test, truth) = data("train", 60), data("test")
    error = np.mean(seen_classes(test) != truth)
    nearest = one_nearest(test.reshape(-1, 16), training.reshape(-1, 16), classes)
    nmi = sklearn.metrics.normalized_mutual_info_score(truth, seen_classes(test))
    return {
        "classification_error": pytest.approx(error),
        "clustering_nmi": pytest.approx(nmi),
        "code_neighbors_accuracy": pytest.approx(np.mean(nearest == truth)),
    }


def test_an_evaluation_shows_reals_to_each_gan(tmp_path):
    evaluation = Evaluation("error,clusters,codes,fd", "pixels", 16, tmp_path)
    splits = {"train": data("train", 60), "test": data("test")}
    gan = make_gan()
    evaluation.set_reals(splits, gan)
    assert evaluation.splits == {"train": 60, "test": 40}
    for _ in range(2):
        results, failures = evaluation.judge(gan, 20)
        assert failures == {} and results["frechet_distance"] > 0
        for name, value in expected_results().items():
            assert results[name] == value

    class Mistaken(Reader):
        def classify(self, images):
            return 1 - super().classify(images)

    other, _ = evaluation.judge(make_gan(Mistaken), 20)
    test, truth = data("test")
    lowest = np.argmin(test.reshape(-1, 16)[:, :3], axis=1)
    assert other["classification_error"] == pytest.approx(np.mean(lowest != truth))
    assert other["code_neighbors_accuracy"] == results["code_neighbors_accuracy"]
    assert evaluation.judge(gan, 20)[0]["classification_error"] == results["classification_error"]


def test_no_samples_are_drawn_where_nobody_looks_at_them(tmp_path, monkeypatch):
    gan, evaluation = make_gan(), Evaluation("error", cache_dir=tmp_path)
    evaluation.set_reals({"test": tf.data.Dataset.from_tensor_slices(data("test")).batch(7)}, gan)
    monkeypatch.setattr(gan, "generate", None)
    results, _ = evaluation.judge(gan)
    assert results["classification_error"] == expected_results()["classification_error"]
    assert evaluation.metrics[0].states["real"].count == 40


def test_the_callback_logs_them(tmp_path):
    gan = make_gan(num_classes=3)
    gan.compile()
    splits = {"train": data("train", 60), "test": data("test")}
    callback = kgan.callbacks.Evaluate("error,codes", splits, cache_dir=tmp_path)
    history = gan.fit(*data("train"), epochs=2, callbacks=[callback], verbose=0).history
    for name in ("classification_error", "code_neighbors_accuracy"):
        assert history[name] == [expected_results()[name]] * 2


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_keras_evaluate(num_classes, jit_compile):
    gan = make_gan(num_classes=num_classes)
    metrics = [kgan.metrics.ClassificationError(), kgan.metrics.Clustering()]
    gan.compile(metrics=metrics, jit_compile=jit_compile)
    for _ in range(2):
        logs = gan.evaluate(*data("test"), batch_size=16, verbose=0, return_dict=True)
        for name in ("classification_error", "clustering_nmi"):
            assert logs[name] == expected_results()[name]
    history = gan.fit(*data("train"), validation_data=data("test"), verbose=0).history
    assert history["val_classification_error"] == [expected_results()["classification_error"]]


def test_keras_evaluate_on_two_replicas(two_replicas):
    with two_replicas.scope():
        gan = make_gan()
        gan.compile(metrics=[kgan.metrics.ClassificationError()])
    logs = gan.evaluate(*data("test"), batch_size=16, verbose=0, return_dict=True)
    assert logs["classification_error"] == expected_results()["classification_error"]


def save_images(folder, seed, n=8):
    """Writes noise of three classes as PNG files, and returns what they hold, class after class."""
    rng, pixels = np.random.default_rng(seed), []
    for name in "abc":
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels.append(rng.integers(0, 256, SHAPE[:2], "uint8"))
            Image.fromarray(pixels[-1]).save(folder / name / f"{i}.png")
    return np.reshape(pixels, (3 * n, 16)) / 127.5 - 1, np.repeat([0, 1, 2], n)


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs the program: arguments -> exit code, standard output, standard error."""

    def run(*argv):
        values = flags.FlagValues()
        evaluate.define_flags(values)
        monkeypatch.setattr(evaluate, "FLAGS", values)
        return evaluate.main(values(["evaluate", *map(str, argv)])), *capsys.readouterr()

    return run


def test_the_program(tmp_path, program):
    training, classes = save_images(tmp_path / "data" / "train", 0)
    test, truth = save_images(tmp_path / "data" / "test", 1)
    make_gan().save(tmp_path / "model.keras")
    dataset = f"--dataset={tmp_path / 'data'}"
    code, out, _ = program(tmp_path, dataset, "--metrics=error,clusters,codes")
    assert code == 0 and "data test (24)" in out
    said = np.argmax(test[:, :3], axis=1)
    expected = {
        "classification_error": np.mean(said != truth),
        "clustering_nmi": sklearn.metrics.normalized_mutual_info_score(truth, said),
        "code_neighbors_accuracy": np.mean(one_nearest(test, training, classes) == truth),
    }
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert {name: report[name] for name in expected} == pytest.approx(expected)
    assert report["evaluation"]["splits"] == {"test": 24, "train": 24}
    code, _, err = program(tmp_path, dataset, "--metrics=codes", "--split=train")
    assert code == 2 and "with the train images others than these" in err


def test_the_program_needs_a_run(tmp_path, program):
    save_images(tmp_path, 0)
    code, _, err = program(tmp_path, f"--against={tmp_path}", "--metrics=error")
    assert code == 2 and "reads real images, so that it needs a run. Received" in err


def test_a_saved_gan_keeps_them(tmp_path):
    metric = kgan.metrics.Clustering(max_samples=7)
    gan = make_gan()
    gan.compile(metrics=[metric])
    gan.save(tmp_path / "model.keras")
    (copy,) = keras.models.load_model(tmp_path / "model.keras").compile_arguments["metrics"]
    assert isinstance(copy, kgan.metrics.Clustering) and copy.max_samples == 7


# --- What does not fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "needs"),
    [
        (ALL[0], "classifies images, such as kgan.games.ACGAN"),
        (ALL[1], "classifies images, such as kgan.games.ACGAN"),
        (ALL[2], "encodes images, such as kgan.games.BiGAN"),
    ],
)
def test_a_gan_that_says_nothing_of_images(cls, needs, tmp_path):
    message = f"^{cls.__name__} needs a GAN that {needs}. Received: GAN$"
    gan, evaluation = make_gan(kgan.GAN), Evaluation([cls()], cache_dir=tmp_path)
    for judge in (
        lambda: evaluation.check(gan),
        lambda: evaluation.set_reals({"train": data("train"), "test": data("test")}, gan),
        lambda: evaluation.metrics[0].check_gan(gan),
    ):
        with pytest.raises(ValueError, match=message):
            judge()
    if cls is not kgan.metrics.CodeNeighbors:
        with pytest.raises(ValueError, match=message):
            gan.compile(metrics=[cls()])


def test_a_gan_that_refuses(tmp_path):
    class Refusing(Reader):
        def classify(self, images):
            raise ValueError("no clusters")

    gan = make_gan(Refusing)
    with pytest.raises(ValueError, match="no clusters"):
        gan.compile(metrics=[kgan.metrics.Clustering()])
    with pytest.raises(ValueError, match="no clusters"):
        Evaluation("clusters", cache_dir=tmp_path).check(gan)


def test_the_games_of_the_messages_have_what_they_say():
    for reads, (_, game) in readings.Reading._does.items():
        assert hasattr(getattr(kgan.games, game.removeprefix("kgan.games.")), reads)


def test_keras_has_one_data_set_only():
    message = "CodeNeighbors compares test images with training.*kgan.callbacks.Evaluate.*Received"
    with pytest.raises(ValueError, match=message):
        make_gan().compile(metrics=[kgan.metrics.CodeNeighbors()])


def test_a_data_set_without_test_images():
    find = functools.partial(kgan.data.ImageSource.find, "digits")
    assert set(datasets_for([kgan.metrics.ClassificationError()], find)) == {"test"}
    with pytest.raises(ValueError, match="CodeNeighbors compares with images that were held out"):
        datasets_for([kgan.metrics.CodeNeighbors()], find)


def test_missing_labels(tmp_path):
    gan = make_gan()
    gan.compile(metrics=[kgan.metrics.ClassificationError()])
    with pytest.raises(ValueError, match="ClassificationError needs the class of each image"):
        gan.evaluate(images(), verbose=0)
    with pytest.raises(ValueError, match="ClassificationError needs the class.*no labels"):
        Evaluation("error", cache_dir=tmp_path).set_reals(images(), gan)


def test_splits_that_do_not_fit(tmp_path):
    evaluation = Evaluation("codes", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="CodeNeighbors needs the train images.*a single data set"):
        evaluation.set_reals(data("test"))
    evaluation.metrics[0].split = "train"
    with pytest.raises(ValueError, match="with the train images others.*Received: split='train'"):
        evaluation.set_reals({"train": data("train")})


@pytest.mark.parametrize("name", ["error", "clusters", "codes"])
def test_images_alone_say_nothing(name, tmp_path):
    evaluation = Evaluation(name, cache_dir=tmp_path)
    evaluation.set_reals({"train": data("train"), "test": data("test")})
    with pytest.raises(ValueError, match="reads real images, so that it needs the GAN. Received"):
        evaluation.judge_images(images())


@pytest.mark.parametrize("cls", ALL[1:])
def test_bad_numbers_are_named(cls):
    with pytest.raises(ValueError, match="`max_samples` must be a positive integer"):
        cls(max_samples=0)
