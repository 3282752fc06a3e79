"""How good the samples are, epoch after epoch, in Keras's logs."""

import math
import time
import warnings

import keras

from kgan.callbacks.metrics_log import EVALUATION_SECONDS
from kgan.callbacks.samples import check_count
from kgan.metrics.evaluation import Evaluation


class Evaluate(keras.callbacks.Callback):
    """Compares samples of the averaged generator with reals, and logs what the metrics say.

    The results stand in the logs of the epoch for `History`, the progress bar and every callback
    that comes after this one in the list: put it before `ModelCheckpoint`, `EarlyStopping`,
    `MetricsLog`, `Curves` and `TensorBoard`. Keras cannot know what is good in a log that is not
    its own: `EarlyStopping("frechet_distance", mode="min")`. An epoch that is not evaluated has
    no such logs, of which Keras's callbacks warn, nor has one that is broken off: who ends a
    process does not wait for numbers.

    Metrics that judge what the GAN says of reals (`"error"`, `"clusters"`, `"codes"`) ask it anew
    at each evaluation.

    Each evaluation draws the same latents, and training goes on as if there had been none. A
    metric that has nothing to say of these samples, all alike or NaN perhaps, logs NaN and warns.

    Args:
        metrics: as in `kgan.metrics.Evaluation`: `["fd", "prdc"]`, or objects.
        dataset: the reals, as of `kgan.metrics.Evaluation.set_reals`: best all of them in a fixed
            order, as `kgan.data.load(…, shuffle=False, drop_remainder=False)` gives them; a dict
            by split for metrics that need several. A dataset that counts its iterations, as those
            of `kgan.data` do, should be another object than the one that is trained on.
        every: int >= 1, evaluates when the epoch is a multiple. Defaults to 1.
        n: int >= 1, how many samples. Defaults to 10,000.
        features: the network of metrics that have none, or `"auto"`, as in
            `kgan.metrics.Evaluation`. Defaults to `"auto"`.
        seed: int >= 0, of the latents. Defaults to 0.
        batch_size: int >= 1, how many images a network sees at once. Defaults to 128.
        cache_dir: str, path or None, where features of the reals are kept. Defaults to
            `kgan/features` in Keras's home.

    Raises:
        ValueError: if an argument is out of range, or a metric is unknown; when training begins,
            if the reals do not fit the metrics or the GAN.

    Example:
    >>> reals = kgan.data.load("digits", shuffle=False, drop_remainder=False)
    >>> callback = kgan.callbacks.Evaluate(["fd"], reals, n=200, features="pixels")
    >>> history = gan.fit(dataset, epochs=2, callbacks=[callback], verbose=0)
    >>> len(history.history["frechet_distance"])
    2
    """

    def __init__(
        self,
        metrics,
        dataset,
        every=1,
        n=10_000,
        features="auto",
        seed=0,
        batch_size=128,
        cache_dir=None,
    ):
        super().__init__()
        self.every = check_count("every", every)
        self.n = check_count("n", n)
        if not (isinstance(seed, int) and seed >= 0):
            raise ValueError(f"seed must be an int of 0 or more. Received: {seed!r}")
        self.seed = seed
        self.dataset = dataset
        check_count("batch_size", batch_size)
        self.evaluation = Evaluation(metrics, features, batch_size, cache_dir)

    def on_train_begin(self, logs=None):
        """Takes in the reals, so that what does not fit is an error before hours of training."""
        if self.evaluation.splits:
            self.evaluation.check(self.model)
        else:
            self.evaluation.set_reals(self.dataset, self.model)

    def on_epoch_begin(self, epoch, logs=None):
        """Notes where the epoch begins."""
        self._steps_before = self.model.steps_trained

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates, if it is this epoch's turn, and adds the results to the logs."""
        if (epoch + 1) % self.every or self._is_broken_off():
            return
        began = time.perf_counter()
        results, failures = self.evaluation.judge(self.model, self.n, self.seed)
        for name, message in failures.items():
            warnings.warn(f"{name} is NaN after epoch {epoch + 1}: {message}", stacklevel=2)
        if logs is not None:
            logs.update(results)
        # Keras gives all callbacks of a fit one dict: the clock of MetricsLog looks there.
        seconds = self.params.get(EVALUATION_SECONDS, 0.0) + time.perf_counter() - began
        self.params[EVALUATION_SECONDS] = seconds

    def _is_broken_off(self):
        steps = self.model.steps_trained - self._steps_before
        return self.model.stop_training and steps < (self.params["steps"] or math.inf)
