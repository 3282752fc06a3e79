"""Every public name is documented, and every example in a docstring gives what it says."""

import doctest
import importlib
import inspect
import os
import pathlib
import pkgutil
import tempfile

import keras
import numpy as np
import pytest

import kgan

MODULES = [
    module.name
    for module in pkgutil.walk_packages(kgan.__path__, "kgan.")
    if not module.name.endswith("__main__")
]


def public_names(module):
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and not name.startswith("_") and (inspect.isclass(value) or callable(value)):
            yield name, value


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with what examples read: a run that has ended, and the metrics of another."""
    folder = tmp_path_factory.mktemp("examples")
    generator = kgan.backbones.DCGANGenerator((8, 8, 1), latent_dim=4, width=2)
    discriminator = kgan.backbones.DCGANDiscriminator((8, 8, 1), width=2)
    gan = kgan.GAN(generator, discriminator, seed=1)
    gan.compile("adam", "adam")
    dataset = kgan.data.load("digits", batch_size=64).take(2)
    log = kgan.callbacks.MetricsLog(folder / "runs" / "mine" / "metrics.jsonl")
    gan.fit(dataset, shuffle=False, callbacks=[log], verbose=0)
    (folder / "runs" / "dcgan_mnist").mkdir()
    gan.save(folder / "runs" / "dcgan_mnist" / "model.keras")
    return folder, {"gan": gan, "dataset": dataset}


@pytest.fixture
def names(trained, monkeypatch):
    """What examples use without making it."""
    folder, made = trained
    monkeypatch.chdir(folder)
    libraries = {"kgan": kgan, "keras": keras, "np": np, "os": os}
    return {**libraries, "tempfile": tempfile, "pathlib": pathlib, **made}


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    for public, value in public_names(module):
        assert inspect.getdoc(value), f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, names):
    examples = doctest.DocTestFinder(recurse=True, exclude_empty=True).find(
        importlib.import_module(name), extraglobs=names
    )
    shown = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in examples:
        runner.run(example, out=shown.append)
    assert runner.failures == 0, "".join(shown)
