import json

import numpy as np
import pytest
from absl import flags

import kgan
from kgan import evaluate
from kgan.data.edges import EdgePairs, edges
from kgan.report.run import Run
from kgan.zoo import cogan, runner
from kgan.zoo.learned import find_for_run
from kgan.zoo.recipe import Task

TINY = ("generator_width=4", "discriminator_width=4", "batch_size=64")


def build(recipe, shape=(16, 32, 1)):
    return cogan.build(recipe, Task(image_shape=shape, num_classes=None, steps=10))


def test_default_is_the_paper():
    assert cogan.DEFAULT.batch_size == 128
    gan = build(cogan.DEFAULT)
    assert isinstance(gan, kgan.games.CoGAN)
    assert gan.latent_dim == 100
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


def test_couples_share_all_but_the_generators_last_and_the_discriminators_first_layer():
    gan = build(cogan.DEFAULT.but(generator_width=8, discriminator_width=8))
    shared = {id(v) for v in gan.discriminator.get_layer("shared").trainable_variables}
    own = {v.path for v in gan.discriminator_variables if id(v) not in shared}
    assert own == {"first/kernel", "first/bias", "second/kernel", "second/bias"}
    images = gan.generator.get_layer("both")
    assert images.image_shape == (16, 16, 2)  # The channels of both are made by the last layer.


def test_images_are_seen_beside_their_edges():
    source = cogan.prepare(kgan.data.ImageSource.find("digits", image_size="16"), cogan.DIGITS)
    assert isinstance(source, EdgePairs) and source.image_shape == (16, 32, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of three steps."""
    folder = tmp_path_factory.mktemp("cogan") / "run"
    settings = [f"--set={setting}" for setting in TINY]
    code = runner.run(
        cogan, [f"--out={folder}", "--dataset=digits", "--steps=3", "--noexport", *settings]
    )
    assert code == 0
    return folder


def test_a_run_is_evaluated_against_pairs(run, monkeypatch, capsys):
    values = flags.FlagValues()
    evaluate.define_flags(values)
    monkeypatch.setattr(evaluate, "FLAGS", values)
    arguments = ["evaluate", str(run), "--metrics=fd,parzen", "--features=pixels", "--n=1100"]
    assert evaluate.main(values(arguments)) == 0, capsys.readouterr().err
    report = json.loads((run / "metrics.json").read_text())
    gan = kgan.load_gan(run)
    reals = EdgePairs(kgan.data.ImageSource.find("digits", image_size=16))
    metric = kgan.metrics.FrechetDistance(features="pixels")
    images, _ = next(iter(reals.dataset(1797, shuffle=False)))
    metric.update_state(np.array(images), gan.generate(1100, seed=0))
    assert report["frechet_distance"] == pytest.approx(float(metric.result()), rel=1e-3)
    assert "parzen_log_likelihood" in " ".join(report)


def test_a_run_finds_the_images_that_its_gan_saw(run):
    config = json.loads((run / "config.json").read_text())
    gan = kgan.load_gan(run)
    source = find_for_run(gan, config)("digits")
    assert source.image_shape == gan.image_shape == (16, 32, 1)
    for data in (source, Run(run).data("train")):
        images, _ = next(iter(data.dataset(4, shuffle=False)))
        np.testing.assert_array_equal(images[:, :, 16:], edges(images[:, :, :16]))
    plain = find_for_run(gan, {"module": "dcgan", "flags": {}})("digits")
    assert isinstance(plain, kgan.data.ImageSource) and plain.image_shape == (16, 32, 1)
    assert find_for_run(gan, {})("digits").image_shape == (16, 32, 1)
