import keras
import numpy as np
import pytest

import kgan
from tests.dynamics.test_dynamics import committee


def test_only_the_member_is_slowed(make_gan, fit):
    """Adam's first step moves each weight by its learning rate."""
    gan = make_gan(
        [kgan.dynamics.SlowMember(0.1)], discriminator=committee(), loss=kgan.losses.Mixed()
    )
    main, proxy = gan.discriminator.members
    before = main.get_weights(), proxy.get_weights()
    fit(gan, batch_size=32)
    moves = [
        np.median(np.abs(np.concatenate([np.ravel(a - b) for a, b in zip(old, new, strict=True)])))
        for old, new in zip(before, (main.get_weights(), proxy.get_weights()), strict=True)
    ]
    np.testing.assert_allclose(moves, [1e-2, 1e-3], rtol=1e-2)


def test_each_member_learns_as_if_alone(make_gan, fit):
    """The committee's sum of losses gives a member the gradients that it has by itself."""
    both = make_gan([], discriminator=committee(), loss=kgan.losses.Mixed("non_saturating"))
    member = keras.models.clone_model(both.discriminator.members[0])
    member.set_weights(both.discriminator.members[0].get_weights())
    alone = make_gan([], discriminator=member)
    alone.generator.set_weights(both.generator.get_weights())
    for gan in (both, alone):
        gan.generator_optimizer.learning_rate = 0.0
    fit(both, epochs=3)
    fit(alone, epochs=3)
    for a, b in zip(both.discriminator.members[0].get_weights(), member.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_needs_a_committee(make_gan):
    with pytest.raises(ValueError, match="Committee.*Received: member=-1"):
        make_gan([kgan.dynamics.SlowMember()])


def test_needs_a_member_that_is_there(make_gan):
    with pytest.raises(ValueError, match="Received: member=2"):
        make_gan([kgan.dynamics.SlowMember(member=2)], discriminator=committee())


@pytest.mark.parametrize("factor", [0, 1.0, "a", None])
def test_bad_factor(factor):
    with pytest.raises(ValueError, match=f"factor must.*Received: {factor!r}"):
        kgan.dynamics.SlowMember(factor)


@pytest.mark.parametrize("member", ["proxy", 0.0, True])
def test_bad_member(member):
    with pytest.raises(ValueError, match=f"member must be an integer. Received: {member!r}"):
        kgan.dynamics.SlowMember(member=member)
