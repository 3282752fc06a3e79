"""The program of all zoo modules, in this process and with a tiny module."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.callbacks.collapse import Diagnosis, watch
from kgan.data.edges import EdgePairs
from kgan.zoo import options, runner
from tests.zoo import tiny


def train(out, *argv):
    # Determinism cannot be switched off again in a process; killed runs are tested in their own.
    return runner.run(tiny, [f"--out={out}", "--nodeterministic", *argv])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert train(out) == 0
    return out


def test_a_run_leaves_what_design_promises(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "config.json",
        "model.keras",
        "checkpoints",
        "samples",
        "metrics.jsonl",
        "curves.png",
        "logs",
        "export",
    }
    assert (finished / "export" / "1" / "saved_model.pb").exists()
    assert (finished / "samples" / "epoch-0003.png").exists()
    assert (finished / "samples" / "animation.gif").exists()
    assert len((finished / "metrics.jsonl").read_text().splitlines()) == 3
    assert kgan.load_gan(finished).generate(2, seed=1).shape == (2, 8, 8, 1)


def test_config_tells_flags_recipe_versions_and_machine(finished):
    config = json.loads((finished / "config.json").read_text())
    assert config["module"] == "tiny"
    assert config["command"] == "python -m kgan.zoo.tiny --dataset=digits --deterministic=false"
    assert config["flags"]["seed"] == 0 and config["flags"]["dataset"] == "digits"
    assert config["recipe"]["batch_size"] == 256
    assert config["steps"] == 3 * (1797 // 256)
    assert config["versions"]["kgan"] == kgan.__version__
    assert config["machine"]["cores"] >= 1


def test_a_finished_run_resumes_to_nothing(finished, capsys):
    before = (finished / "metrics.jsonl").read_text()
    assert train(finished, "--resume") == 0
    assert (finished / "metrics.jsonl").read_text() == before
    assert [path.name for path in (finished / "export").iterdir()] == ["1"]
    assert "SavedModel" in capsys.readouterr().out


def test_one_seed_makes_a_run_repeatable(tmp_path, finished):
    train(tmp_path / "again", "--noexport")
    train(tmp_path / "other", "--noexport", "--seed=1")
    first, again, other = (
        kgan.load_gan(path).generate(4, seed=1)
        for path in (finished, tmp_path / "again", tmp_path / "other")
    )
    np.testing.assert_allclose(again, first, atol=1e-4)
    assert not np.allclose(other, first, atol=1e-2)


def test_steps_resume_in_the_middle_of_an_epoch(tmp_path, finished):
    """10 steps, then on to all 21 of the whole run: as good as never having stopped."""
    out = tmp_path / "run"
    train(out, "--steps=10", "--noexport")
    config = json.loads((out / "config.json").read_text())
    config["flags"]["steps"] = None
    (out / "config.json").write_text(json.dumps(config))
    train(out, "--resume", "--noexport")
    whole, resumed = (kgan.load_gan(path) for path in (finished, out))
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    rows = kgan.callbacks.read_metrics(out / "metrics.jsonl")
    assert [row["step"] for row in rows] == [7, 14, 21]


def test_flags_replace_the_recipe(tmp_path):
    train(
        tmp_path / "run",
        "--steps=1",
        "--batch_size=128",
        "--generator_learning_rate=0.5",
        "--noexport",
        "--image_size=12x10",
        "--channels=3",
    )
    gan = kgan.load_gan(tmp_path / "run")
    assert float(gan.generator_optimizer.learning_rate) == 0.5
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert int(gan.images_seen) == 128
    assert gan.image_shape == (12, 10, 3)
    assert not (tmp_path / "run" / "export").exists()


def test_flags_replace_the_game(tmp_path):
    out = tmp_path / "run"
    train(
        out,
        "--steps=2",
        "--loss=least_squares:a=-1,b=1,c=0",
        "--penalty=r1:10,every=2",
        "--penalty=r2",
        "--augment=diffaugment",
        "--dynamics=top_k:0.75",
        "--updates=alternating",
        "--noexport",
    )
    gan = kgan.load_gan(out)
    assert (type(gan.loss), gan.loss.a) == (kgan.losses.LeastSquares, -1)
    assert [(p.name, p.weight, p.every) for p in gan.penalties] == [("r1", 10, 2), ("r2", 10.0, 1)]
    assert [a.name for a in gan.augment] == ["diff_augment"]
    assert gan.dynamics[0].final_fraction == 0.75
    assert gan.updates == "alternating"
    command = json.loads((out / "config.json").read_text())["command"]
    assert "'--penalty=r1:10,every=2' --penalty=r2" in command.replace('"', "'") or (
        "--penalty=r1:10,every=2 --penalty=r2" in command
    )
    train(out, "--resume", "--noexport")


def test_a_dry_run_shows_the_game(tmp_path, capsys):
    train(tmp_path / "run", "--dry_run", "--loss=hinge", "--penalty=r1:10", "--penalty=r2")
    shown = capsys.readouterr().out
    assert "game  loss=hinge, penalty=r1:10 + r2; the rest is the recipe's" in shown
    train(tmp_path / "run", "--dry_run")
    assert "recipe's" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--loss=hing", "Did you mean 'hinge'.*Received: 'hing'"),
        ("--penalty=r3:10", "Unknown penalty.*Received: 'r3'"),
        ("--penalty=r1:-1", "--penalty: The weight of R1 must be a positive number. Received: -1"),
        ("--augment=difaugment", "Did you mean 'diff_augment'"),
        ("--dynamics=top_k:7", "final_fraction.*Received: 7"),
        ("--penalty=r1:nan", "--penalty: The weight of R1 must be .* Received: nan"),
        ("--penalty=r1:evry=4", "--penalty: R1 takes .* Did you mean 'every'.*'r1:evry=4'"),
        ("--loss=least_squares:a=foo", "--loss: a must be a number. Received: 'foo'"),
        ("--auxiliary_loss=auxiliary_classifier", "needs .*labels"),
        ("--dynamics=growth", "needs players that grow"),
        ("--conditional --loss=multi_hinge", "class"),
        ("--metrics=fdd", "--metrics: Unknown metric"),
        ("--metrics=fd --features=pixel", "--features: .*Did you mean 'pixels'"),
        ("--metrics=icfd --features=pixels", "needs the class of each sample"),
        ("--metrics=fd --features=mnist", "28x28"),
        ("--metrics=memo", "held out of training. Received: digits"),
    ],
)
@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_bad_game_leaves_no_run(tmp_path, flag, message, dry_run):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *flag.split(), *dry_run)
    assert not (tmp_path / "run").exists()


def test_a_value_of_the_wrong_type_is_one_clear_line(tmp_path, monkeypatch):
    def refuse(text):
        raise TypeError("no such type")

    monkeypatch.setitem(runner.COMPONENTS, "penalty", ("penalties", refuse))
    with pytest.raises(ValueError, match="--penalty: no such type. Received: 'r1:x'"):
        train(tmp_path / "run", "--penalty=r1:x")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["none"], "penalty=none; "),
        (["none", "weight_clipping:0.01"], "penalty=weight_clipping:0.01; "),
    ],
)
def test_what_is_compiled_is_shown(tmp_path, capsys, values, shown):
    train(tmp_path / "run", "--dry_run", *(f"--penalty={value}" for value in values))
    assert f"game  {shown}the rest" in capsys.readouterr().out


def test_a_dry_run_of_a_run_that_goes_on_leaves_it_alone(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert train(finished, "--resume", "--dry_run") == 0
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_several_discriminator_steps_take_as_many_images(tmp_path):
    train(tmp_path / "run", "--steps=2", "--discriminator_steps=3", "--noexport")
    gan = kgan.load_gan(tmp_path / "run")
    assert (int(gan.images_seen), int(gan.discriminator_optimizer.iterations)) == (2 * 3 * 256, 6)


def test_samples_are_measured_where_the_logs_show_it(tmp_path):
    out = tmp_path / "run"
    argv = ["--metrics=fd,prdc,parzen", "--features=pixels", "--evaluation_samples=100"]
    train(out, "--epochs=2", "--noexport", *argv, "--evaluate_every_epochs=2")
    first, second = kgan.callbacks.read_metrics(out / "metrics.jsonl")
    names = {"frechet_distance", "recall", "parzen_log_likelihood"}
    assert not names & first.keys() and names < second.keys()
    # What is measured is no part of the training: it may be something else when a run goes on.
    train(out, "--resume", "--metrics=kd", "--noexport")


def test_measures_do_not_change_the_training(tmp_path, finished):
    argv = ["--metrics=fd", "--features=pixels", "--evaluation_samples=50"]
    train(tmp_path / "run", "--noexport", *argv)
    gans = [kgan.load_gan(path) for path in (finished, tmp_path / "run")]
    for a, b in zip(*(gan.get_weights() for gan in gans), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def collapses_at(step, since_step):
    """A diagnosis of any run at its first look after a step, once."""
    told = []

    def diagnose(history):
        if told or history[-1].step < step:
            return None
        told.append(Diagnosis("divergence", since_step, step, "made up", "None."))
        return told[0]

    return diagnose


def test_a_run_that_collapses_stops_if_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watch, "diagnose", collapses_at(step=10, since_step=5))
    with pytest.warns(kgan.callbacks.CollapseWarning, match="made up"):
        assert train(tmp_path / "run", "--collapse=stop") == runner.INTERRUPTED
    assert "Stopped by the collapse watch after step 10 of 21" in capsys.readouterr().out
    assert not (tmp_path / "run" / "model.keras").exists()
    assert train(tmp_path / "run", "--resume", "--collapse=none") == 0
    assert kgan.load_gan(tmp_path / "run").steps_trained == 21


def test_a_run_that_collapses_goes_on_from_before(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "diagnose", collapses_at(step=20, since_step=18))
    with pytest.warns(kgan.callbacks.CollapseWarning, match=r"goes on from .*step-00000007"):
        assert train(tmp_path / "run", "--collapse=restore") == 0
    assert kgan.load_gan(tmp_path / "run").steps_trained == 21


def test_none_takes_away_the_recipes(tmp_path):
    """DCGAN's recipe for digits has R1."""
    from kgan.zoo import dcgan

    out = tmp_path / "run"
    argv = [f"--out={out}", "--steps=1", "--nodeterministic", "--noexport", "--penalty=none"]
    assert runner.run(dcgan, argv) == 0
    assert kgan.load_gan(out).penalties == []


def test_data_is_augmented_also_when_a_run_goes_on(tmp_path, monkeypatch):
    asked = []
    stream = kgan.data.ImageSource.stream

    def spy(source, *args, **options):
        asked.append((options["initial_step"], options["augment"]))
        return stream(source, *args, **options)

    monkeypatch.setattr(kgan.data.ImageSource, "stream", spy)
    out = tmp_path / "run"
    train(out, "--steps=2", "--data_augment=random_crop,vertical_flip", "--noexport")
    config = json.loads((out / "config.json").read_text())
    assert "--data_augment=random_crop,vertical_flip" in config["command"]
    config["flags"]["steps"] = 3
    (out / "config.json").write_text(json.dumps(config))
    train(out, "--resume", "--noexport")
    assert asked == [(0, "random_crop,vertical_flip"), (2, "random_crop,vertical_flip")]


def test_a_flag_that_is_younger_than_the_run_has_its_default(tmp_path):
    out = tmp_path / "run"
    train(out, "--steps=1", "--noexport")
    config = json.loads((out / "config.json").read_text())
    config["flags"]["steps"] = 2
    del config["flags"]["data_augment"]
    (out / "config.json").write_text(json.dumps(config))
    train(out, "--resume", "--noexport")
    assert int(kgan.load_gan(out).images_seen) == 2 * 256


def test_conditional(tmp_path):
    train(tmp_path / "run", "--steps=1", "--conditional", "--noexport")
    assert kgan.load_gan(tmp_path / "run").num_classes == 10


def test_a_paper_that_needs_labels_or_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "CONDITIONAL", "always", raising=False)
    train(tmp_path / "run", "--steps=1", "--noexport")
    assert kgan.load_gan(tmp_path / "run").num_classes == 10
    with pytest.raises(ValueError, match="It needs the data's labels. Received: --nocond"):
        train(tmp_path / "other", "--noconditional")
    monkeypatch.setattr(tiny, "CONDITIONAL", "never")
    with pytest.raises(ValueError, match="no conditional form of it. Received: --conditional"):
        train(tmp_path / "other", "--conditional")


def test_classes_without_labels(tmp_path):
    with pytest.raises(ValueError, match="no classes. Received: --num_classes=10"):
        train(tmp_path / "run", "--noconditional", "--num_classes=10")
    images = tmp_path / "images"
    images.mkdir()
    for i in range(40):
        keras.utils.save_img(images / f"{i}.png", np.full((8, 8, 1), i))
    with pytest.raises(ValueError, match="data set with two classes or more. .*, which has none"):
        train(tmp_path / "run", f"--dataset={images}", "--num_classes=5")
    assert not (tmp_path / "run").exists()


def test_more_classes_than_the_data_has(tmp_path):
    train(tmp_path / "run", "--steps=1", "--num_classes=12", "--noexport")
    assert kgan.load_gan(tmp_path / "run").num_classes == 12
    with pytest.raises(ValueError, match="at least the data's 10. Received: 9"):
        train(tmp_path / "other", "--num_classes=9")


def test_any_setting_of_the_recipe_can_be_replaced(tmp_path):
    settings = ["--set=batch_size=100", "--set=latent_dim=7"]
    train(tmp_path / "run", "--steps=1", *settings, "--noexport")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["recipe"]["batch_size"] == 100 and config["recipe"]["latent_dim"] == 7
    assert "--set=batch_size=100 --set=latent_dim=7" in config["command"]
    train(tmp_path / "run", "--resume", *settings, "--noexport")
    with pytest.raises(ValueError, match="--set: .*Did you mean 'latent_dim'"):
        train(tmp_path / "other", "--set=latent=7")


def test_a_module_may_change_what_its_gan_sees(tmp_path, monkeypatch):
    def prepare(source, recipe):
        assert recipe.batch_size == 256
        return type(source).find("digits", image_size=4)

    monkeypatch.setattr(tiny, "prepare", prepare, raising=False)
    train(tmp_path / "run", "--steps=1", "--noexport", "--metrics=fd", "--features=pixels")
    assert kgan.load_gan(tmp_path / "run").image_shape == (4, 4, 1)


def test_other_splits_are_changed_alike(tmp_path, monkeypatch):
    source = kgan.data.ImageSource.find("digits")
    monkeypatch.setattr(tiny, "prepare", lambda found, recipe: EdgePairs(found), raising=False)
    training = runner.Training(tiny, options.parse([])[1], runner.RunFolder(tmp_path / "run"))
    assert training.source.image_shape == (8, 16, 1)
    asked = {}

    def find(dataset, **kwargs):
        asked.update(kwargs)
        return source

    monkeypatch.setattr(kgan.data.ImageSource, "find", find)
    assert training._find("test").image_shape == (8, 16, 1)
    assert asked["split"] == "test" and asked["image_size"] is None


def test_mixed_precision(tmp_path):
    train(tmp_path / "run", "--steps=1", "--mixed_precision=bfloat16", "--noexport")
    gan = kgan.load_gan(tmp_path / "run")
    assert gan.generator.dtype_policy.name == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("bfloat16", "kind"), [(0.0123, "bfloat16"), (0.0301, "none")], ids=["faster", "slower"]
)
def test_auto_precision_measures_and_is_the_same_run(tmp_path, monkeypatch, capsys, bfloat16, kind):
    made = []

    def measure(make, data):
        made.extend(make() for _ in range(2))
        made[0].fit(data.take(1), verbose=0)
        return {"float32": 0.0198, "mixed_bfloat16": bfloat16}

    monkeypatch.setattr(kgan.precision, "seconds_per_step", measure)
    argv = ["--steps=3", "--noexport", "--conditional", "--penalty=r1:1"]
    keras.utils.clear_session()  # as in a process of its own
    train(tmp_path / "named", *argv, f"--mixed_precision={kind}")
    keras.utils.clear_session()
    capsys.readouterr()
    train(tmp_path / "auto", *argv, "--mixed_precision=auto")
    expected = {
        "bfloat16": "precision  bfloat16, measured 12.3 ms a step against 19.8 in float32\n",
        "none": "precision  float32, measured 19.8 ms a step against 30.1 in bfloat16\n",
    }
    assert expected[kind] in capsys.readouterr().out
    configs = [
        json.loads((tmp_path / run / "config.json").read_text()) for run in ("named", "auto")
    ]
    assert configs[1]["precision"]["milliseconds_per_step"]["float32"] == pytest.approx(19.8)
    assert configs[0].pop("precision") is None and configs[1].pop("precision")
    assert configs[0] == configs[1]
    named, auto = (kgan.load_gan(tmp_path / run) for run in ("named", "auto"))
    assert named.get_config() == auto.get_config()
    for a, b in zip(named.weights, auto.weights, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(a, b)
    # Resumed, it is not measured again, by the same command or without the flag.
    monkeypatch.setattr(kgan.precision, "seconds_per_step", None)
    train(tmp_path / "auto", "--resume", *argv, "--mixed_precision=auto")
    assert expected[kind] in capsys.readouterr().out
    train(tmp_path / "auto", "--resume")
    with pytest.raises(ValueError, match="--mixed_precision=auto"):
        train(tmp_path / "named", "--resume", "--mixed_precision=auto")


def test_auto_precision_really_measures(tmp_path, capsys):
    train(tmp_path / "run", "--steps=1", "--noexport", "--mixed_precision=auto", "--dry_run")
    assert "ms a step against" in capsys.readouterr().out


def test_workers_cannot_choose_each_a_precision(tmp_path):
    with pytest.raises(ValueError, match="by name.*Received: --mixed_precision=auto"):
        train(tmp_path / "run", "--mixed_precision=auto", "--strategy=multi_worker")


def test_rematerialize(tmp_path):
    train(tmp_path / "less", "--steps=2", "--noexport", "--rematerialize")
    config = json.loads((tmp_path / "less" / "config.json").read_text())
    assert "--rematerialize" in config["command"]
    assert kgan.load_gan(tmp_path / "less").compile_arguments["rematerialize"] is True
    with pytest.raises(ValueError, match="rematerialize"):
        train(tmp_path / "less", "--resume", "--norematerialize")


def test_micro_batches(tmp_path):
    train(tmp_path / "split", "--steps=2", "--noexport", "--loss=hinge", "--micro_batches=4")
    config = json.loads((tmp_path / "split" / "config.json").read_text())
    assert config["flags"]["micro_batches"] == 4 and "--micro_batches=4" in config["command"]
    assert kgan.load_gan(tmp_path / "split").micro_batches == 4
    with pytest.raises(ValueError, match="--micro_batches=2 .the run has 4"):
        train(tmp_path / "split", "--resume", "--micro_batches=2")
    with pytest.raises(ValueError, match="divide the 256 images.*--micro_batches=3"):
        train(tmp_path / "other", "--micro_batches=3")


def test_several_discriminator_steps_are_fed_that_many_batches(tmp_path, monkeypatch):
    several = dataclasses.replace(tiny.RECIPES["default"], discriminator_steps=3)
    monkeypatch.setitem(tiny.RECIPES, "default", several)
    train(tmp_path / "run", "--steps=2", "--noexport")
    assert int(kgan.load_gan(tmp_path / "run").images_seen) == 2 * 3 * 256


def test_mirrored_strategy(tmp_path, two_replicas, monkeypatch):
    # Strategies of one process share collective keys, so the program gets the tests' own.
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: two_replicas)
    train(tmp_path / "run", "--steps=2", "--strategy=mirrored", "--noexport")
    train(tmp_path / "run", "--resume", "--noexport")
    assert int(kgan.load_gan(tmp_path / "run").images_seen) == 2 * 256


def test_each_device_takes_an_equal_part(tmp_path, two_replicas, monkeypatch):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: two_replicas)
    with pytest.raises(ValueError, match="--batch_size that 2 divides. Received: --batch_size=255"):
        train(tmp_path / "run", "--strategy=mirrored", "--batch_size=255")


def test_a_lost_worker_is_one_clear_line(monkeypatch):
    def lose(module, argv):
        raise tf.errors.UnavailableError(None, None, "Graph execution error:\n\nSocket closed\n")

    monkeypatch.setattr(runner, "run", lose)
    with pytest.raises(SystemExit, match="Another worker is gone.*--resume.*Error: Socket closed"):
        runner.main(tiny, [])


def test_dry_run_shows_and_writes_nothing(tmp_path, capsys):
    assert train(tmp_path / "run", "--dry_run") == 0
    shown = capsys.readouterr().out
    assert "Nobody 2014" in shown and "batch_size=256" in shown and "21 steps" in shown
    assert not (tmp_path / "run").exists()


def test_help_shows_every_flag(capsys):
    with pytest.raises(SystemExit) as caught:
        runner.main(tiny, ["--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert shown.index("Data:") < shown.index("--dataset") < shown.index("Training:")
    assert "--[no]resume" in shown


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--steps=1", "--epochs=1"], "--epochs or --steps, not both"),
        (["--dataset=digit"], "digits"),
        (["--batch_size=5000"], "1797.*5000"),
        (["--strategy=tpu"], "strategy.*mirrored"),
        (["--strategy=multi_worker"], "--strategy=multi_worker: .*Received: no TF_CONFIG"),
        (["--synchronized_batch_norm"], "--synchronized_batch_norm is for --strategy=mirrored"),
        (["--epoch=3"], "epoch"),
        (["--batch_size=0"], "batch_size"),
        (["digits"], "Flags begin with --. Received: 'digits'"),
        (["--image_size=big"], "image_size.*big"),
        (["--data_augment=random_crp"], "--data_augment: .*Did you mean 'random_crop'"),
        (["--data_augment=crops"], "Known: 'rand_augment', 'random_crop'.*Received: 'crops'"),
        (["--data_augment=rand_augment", "--channels=4"], "'rand_augment'.*4 channels"),
    ],
)
def test_bad_flags_are_one_clear_line(tmp_path, argv, message):
    with pytest.raises((ValueError, OSError), match=message):
        train(tmp_path / "run", *argv)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_conditional_needs_classes(tmp_path, dry_run):
    from PIL import Image

    (tmp_path / "images").mkdir()
    for i in range(300):
        Image.new("L", (8, 8), i % 256).save(tmp_path / "images" / f"{i}.png")
    with pytest.raises(ValueError, match="conditional GAN needs.*Received: --dataset"):
        train(tmp_path / "run", f"--dataset={tmp_path / 'images'}", "--conditional", *dry_run)


def test_another_run_is_not_overwritten(finished):
    with pytest.raises(FileExistsError, match="--resume goes on with it, --overwrite deletes it"):
        train(finished)


def test_a_folder_that_is_no_run_is_never_deleted(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for argv in ([], ["--overwrite"], ["--resume"]):
        with pytest.raises(FileExistsError, match="not a run"):
            train(tmp_path, *argv)
    assert (tmp_path / "thesis.tex").exists()


def test_overwrite_begins_anew(tmp_path):
    train(tmp_path / "run", "--steps=3", "--noexport")
    train(tmp_path / "run", "--steps=1", "--noexport", "--overwrite")
    rows = kgan.callbacks.read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1]


def test_overwrite_deletes_nothing_if_the_new_run_cannot_begin(tmp_path):
    train(tmp_path / "run", "--steps=1", "--noexport")
    for mistake in ("--dataset=digit", "--batch_size=5000"):
        with pytest.raises(ValueError):
            train(tmp_path / "run", "--overwrite", mistake)
    assert (tmp_path / "run" / "model.keras").exists()


def test_overwrite_and_dry_run_delete_nothing(tmp_path):
    train(tmp_path / "run", "--steps=1", "--noexport")
    train(tmp_path / "run", "--overwrite", "--dry_run")
    assert (tmp_path / "run" / "model.keras").exists()


def test_resume_names_the_flags_that_differ(finished):
    with pytest.raises(ValueError, match=r"--batch_size=64 \(the run has its recipe's\), --seed=3"):
        train(finished, "--resume", "--batch_size=64", "--seed=3")


def test_resume_refuses_another_module(finished):
    config = json.loads((finished / "config.json").read_text())
    config["module"] = "dcgan"
    with pytest.raises(ValueError, match="trained by kgan.zoo.dcgan"):
        runner._settings(tiny, {}, {}, config)


def test_resume_without_a_run_begins_one(tmp_path, capsys):
    train(tmp_path / "run", "--resume", "--steps=1", "--noexport")
    assert "a new one begins" in capsys.readouterr().out
    assert (tmp_path / "run" / "model.keras").exists()


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    """Three epochs of 7 steps; the rate turns the weights into NaN after the first epoch."""
    build = tiny.build

    def explosive(*args, **kwargs):
        gan = build(*args, **kwargs)
        gan.compile(
            gan.generator_optimizer,
            keras.optimizers.SGD(ExplodesAt(9)),
        )
        return gan

    monkeypatch.setattr(tiny, "build", explosive)
    with pytest.raises(
        kgan.callbacks.NonFiniteLossError, match=r"discriminator.*step-00000007\.keras"
    ):
        train(tmp_path / "run")
    checkpoints = kgan.callbacks.list_checkpoints(tmp_path / "run" / "checkpoints")
    assert [step for step, _ in checkpoints] == [7]
    assert np.isfinite(kgan.load_gan(checkpoints[0][1]).generate(2, seed=1)).all()


@keras.saving.register_keras_serializable(package="kgan_tests")
class ExplodesAt(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, step):
        self.step = step

    def __call__(self, step):
        return keras.ops.where(step < self.step, 1e-3, float("inf"))

    def get_config(self):
        return {"step": self.step}


@pytest.mark.parametrize(
    ("done", "total", "per_epoch", "expected"),
    [
        (0, 12, 4, [(0, 3, 4)]),
        (4, 12, 4, [(1, 3, 4)]),
        (5, 12, 4, [(1, 2, 3), (2, 3, 4)]),
        (0, 10, 4, [(0, 2, 4), (2, 3, 2)]),
        (9, 10, 4, [(2, 3, 1)]),
        (0, 3, 4, [(0, 1, 3)]),
        (12, 12, 4, []),
    ],
)
def test_epoch_segments(done, total, per_epoch, expected):
    assert runner.epoch_segments(done, total, per_epoch) == expected
