"""What `benchmarks/inference.py` calls draws samples, and its numbers hang together."""

import numpy as np
import pytest

WAYS = ["SavedModel", "SavedModel, by seed", "gan.generate", "gan.predict"]


@pytest.mark.slow
def test_all_ways_draw_the_same_kind_of_samples(load, tmp_path):
    inference = load("inference")
    gan = inference.build("dcgan", "digits")
    ways = inference.ways_of(gan, str(gan.export(tmp_path)), batch_size=3)
    assert list(ways) == WAYS
    samples = {name: way() for name, way in ways.items()}
    assert {images.shape for images in samples.values()} == {(3, 28, 28, 1)}
    # The two that take seeds count them, and a SavedModel's images are in [0, 1].
    np.testing.assert_allclose(
        samples["gan.generate"], 2 * ways_of_seed(inference, gan, tmp_path, 1) - 1, atol=1e-5
    )


def ways_of_seed(inference, gan, folder, seed):
    draw = inference.ways_of(gan, str(folder / "1"), batch_size=3)["SavedModel, by seed"]
    for _ in range(seed):
        draw()
    return draw()


@pytest.mark.slow
def test_the_script_runs(run):
    flags = ("--models=dcgan", "--recipe=digits", "--batch_sizes", "1", "2")
    status, record, text = run("inference", *flags)
    assert status == 0
    assert [row["way"] for row in record["rows"]] == WAYS * 2
    for row in record["rows"]:
        assert row["calls"] >= 5 and row["p50_ms"] <= row["p99_ms"]
        # Calls take turns, so that their seconds are the sum of their latencies.
        mean_ms = 1e3 * row["batch_size"] / row["samples_per_second"]
        assert mean_ms <= row["p99_ms"] * 1.5
        assert f"| dcgan | {row['batch_size']} | {row['way']} | {row['calls']} |" in text
