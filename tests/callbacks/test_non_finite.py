import keras
import numpy as np
import pytest

from kgan.callbacks import Checkpoint, NonFiniteLossError, TerminateOnNonFinite
from kgan.penalties import Penalty


class Immediate(keras.callbacks.Callback):
    """Looks at every batch, so that Keras calls all callbacks in turn."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)


def with_bad_image(images, batch, value=np.nan):
    images = images.copy()
    images[8 * batch] = value
    return images


def fail(fit, *args, shuffle=False, **kwargs):
    with pytest.raises(NonFiniteLossError) as info:
        fit(*args, shuffle=shuffle, **kwargs)
    return info.value


@pytest.mark.parametrize("immediate", [True, False])
def test_names_the_step_the_epoch_and_the_player(fit, images, immediate):
    others = [Immediate()] if immediate else []
    fit([TerminateOnNonFinite(), *others], epochs=2, shuffle=False)
    error = fail(
        fit,
        [TerminateOnNonFinite(), *others],
        x=with_bad_image(images, 3),
        epochs=4,
        initial_epoch=2,
    )
    # Twelve steps of two epochs, then the fourth batch.
    assert (error.step, error.epoch) == (16, 3)
    assert "since step 16, in epoch 3" in str(error)
    assert "discriminator's is not" in str(error)
    assert "learning rate" in str(error)
    assert "Received: " in str(error)
    assert isinstance(error, RuntimeError)


def test_stops_at_that_step(fit, gan, images):
    later = Immediate()
    fail(fit, [TerminateOnNonFinite(), later], x=with_bad_image(images, 3))
    assert later.batches == [0, 1, 2]
    assert int(gan.generator_optimizer.iterations) == 4


def test_no_epoch_ends_unchecked(fit, images, tmp_path):
    fail(
        fit,
        [TerminateOnNonFinite(), Checkpoint(tmp_path)],
        x=with_bad_image(images, 5),
    )
    assert list(tmp_path.iterdir()) == []


class Infinite(Penalty):
    """Is infinite, at an image of ones."""

    def __init__(self):
        super().__init__(weight=1.0)

    def call(self, round):
        worst = keras.ops.max(round.real["images"])
        return keras.ops.where(worst > 1.5, np.float32(np.inf), np.float32(0))


def test_an_infinite_loss_names_its_player_only(fit, images, make_gan):
    gan = make_gan(penalties=[Infinite()])
    error = fail(
        fit, [TerminateOnNonFinite()], gan=gan, x=with_bad_image(images, 1, value=2.0), epochs=1
    )
    assert set(error.losses) == {"discriminator_loss", "infinite"}
    assert "finite; the discriminator's is not since step 2, in epoch 1" in str(error)
    assert "infinite=inf" in str(error)


def test_several_steps_an_execution_give_a_range(fit, images, make_gan):
    gan = make_gan(steps_per_execution=3)
    error = fail(fit, [TerminateOnNonFinite()], gan=gan, x=with_bad_image(images, 4))
    assert "one of the steps 4 to 6, in epoch 1" in str(error)
    assert error.step == 6


def test_names_the_last_checkpoint(fit, images, tmp_path):
    callbacks = [TerminateOnNonFinite(tmp_path), Checkpoint(tmp_path)]
    fit(callbacks, epochs=1)
    error = fail(fit, callbacks, x=with_bad_image(images, 0), epochs=2, initial_epoch=1)
    assert "step-00000006.keras" in str(error)
    assert "checkpoint" not in str(fail(fit, [TerminateOnNonFinite()], x=images, epochs=1))


def test_healthy_training_goes_on(fit, gan):
    fit([TerminateOnNonFinite()], epochs=2)
    assert int(gan.generator_optimizer.iterations) == 12
