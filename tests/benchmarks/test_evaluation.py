"""What `benchmarks/evaluation.py` takes apart is what an evaluation computes."""

import pytest

import kgan


@pytest.fixture
def gan():
    return kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape=(28, 28, 1), latent_dim=4, units=[8]),
        kgan.backbones.MLPDiscriminator(image_shape=(28, 28, 1), units=[8]),
    )


@pytest.mark.slow
def test_the_parts_make_the_distance_of_the_whole(load, gan, tmp_path):
    benchmark = load("evaluation")
    reals = kgan.data.load("digits", 300, image_size=28, shuffle=False, drop_remainder=False)
    parts = benchmark.Parts(gan, reals, n=300)
    parts.compare()
    metric = kgan.metrics.get("fd:features=mnist")
    for images, _ in reals:
        metric.update_state(real=images)
    metric.update_state(fake=gan.generate(300, seed=0))
    assert parts.results["frechet_distance"] == pytest.approx(metric.result(), rel=1e-4)


@pytest.mark.slow
def test_the_script_runs(run):
    status, record, text = run("evaluation", "--samples=200")
    assert status == 0 and record["num_samples"] == 200
    rows = record["rows"]
    assert [row["metrics"] for row in rows] == ["fd", "fd,kd,prdc"]
    assert rows[0]["evaluation"] <= rows[0]["slowest_evaluation"]
    for name in ("drawing", "features", "distance"):
        assert 0 < rows[0][name] < 2 * rows[0]["slowest_evaluation"] and name not in rows[1]
    assert "| drawing | features | distance |" in text
