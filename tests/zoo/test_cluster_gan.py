import pytest

import kgan
from kgan.games import ClusterGAN
from kgan.zoo import cluster_gan
from kgan.zoo.recipe import Task


def build(recipe):
    return cluster_gan.build(recipe, Task(image_shape=(16, 16, 1), num_classes=None, steps=10))


def test_default_is_the_paper():
    gan = build(cluster_gan.RECIPES["default"])
    assert isinstance(gan, ClusterGAN)
    assert (gan.latent_dim, gan.clusters, gan.latent_scale) == (40, 10, 0.1)
    assert (gan.latent_weight, gan.cluster_weight) == (10, 10)
    assert isinstance(gan.loss, kgan.losses.Wasserstein) and gan.discriminator_steps == 5
    (penalty,) = gan.penalties
    assert isinstance(penalty, kgan.penalties.GradientPenalty) and penalty.weight == 10
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(1e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.9)


@pytest.mark.parametrize("name", sorted(cluster_gan.RECIPES))
def test_the_encoder_looks_as_the_critic_does(name):
    gan = build(cluster_gan.RECIPES[name])
    assert gan.encoder.width == gan.discriminator.width
    assert gan.encoder.output_shape == (None, 40)


def test_settings_reach_the_game():
    given = ["clusters=5", "cluster_weight=2", "latent_weight=3", "latent_scale=0.2"]
    gan = build(cluster_gan.RECIPES["mnist"].but_as_given(given))
    assert (gan.clusters, gan.cluster_weight, gan.latent_weight) == (5, 2, 3)
    assert gan.latent_dim == 35
    assert gan.latent_scale == 0.2


def test_the_numbers_to_reach():
    published = cluster_gan.PUBLISHED["mnist"]
    values = {name: one.value for name, one in published.items()}
    assert values == {"clustering_accuracy": 0.95, "clustering_nmi": 0.89}
