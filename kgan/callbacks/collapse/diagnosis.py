"""From a run's last signals to what is wrong with it, since when, and what people do about it."""

import dataclasses
import math
import statistics

# How many readings the watch keeps, and so how far back a comparison goes.
HISTORY = 300
# Trouble must last: a step may be bad by chance, and healthy games stumble for some dozens.
LASTING = 20
# How many readings make a median for its beginning.
SMOOTHING = 5
# Until this step of a run all but NaN is passed over: every generator begins far from the data.
WARM_UP_STEPS = 500

# What a fake may lack before it is a symptom, each in units of the reals beside it.
# Distance: 0 is like the reals and 1 all fakes the same; healthy games stay under 0.15.
FAR = 0.3
# Spread: fakes that vary half as much as the reals have lost most of what there is.
NARROW = 0.5
# Nearest neighbours: fakes that are this much nearer to each other than reals are copies.
COPIES = 0.25
# A discriminator that is this often right has nothing more to learn from its generator, and one
# that is right no more than a coin has nothing to teach.
WON, LOST = 0.95, 0.55
# A run that has never been well is let alone as long as its symptoms lose a tenth in the time of
# twice as many readings as trouble must last.
LEARNING = 0.9
# Scores or gradients that grow by this factor do not come back.
EXPLOSION = 100.0
# The fewest swings from one player's lead to the other's, among lasting readings.
SWINGS = 4

ADVICE = {
    "mode_collapse": (
        "People let the discriminator see several samples at once (pack=2, minibatch standard "
        "deviation), penalise its gradient (r1, gradient_penalty), use a relativistic or "
        "Wasserstein loss, and lower the generator's learning rate."
    ),
    "discriminator_won": (
        "People lower the discriminator's learning rate or give the generator more, penalise the "
        "discriminator's gradient (r1, gradient_penalty), augment what it sees "
        "(kgan.augment), or use a loss that does not saturate (non_saturating, hinge)."
    ),
    "generator_won": (
        "People raise the discriminator's learning rate, its width or discriminator_steps, check "
        "that its weights still move, and weaken its penalty."
    ),
    "divergence": (
        "People lower both learning rates, penalise the discriminator's gradient (r1, "
        "gradient_penalty), clip gradients, and use bfloat16 or float32 in the place of float16."
    ),
    "oscillation": (
        "People lower both learning rates and Adam's beta_1 (to 0.5 or 0), penalise the "
        "discriminator's gradient (r1), and train the generator's average longer."
    ),
}


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a run.

    Args:
        kind: str, a key of `ADVICE`: `"mode_collapse"`, `"discriminator_won"`,
            `"generator_won"`, `"divergence"` or `"oscillation"`.
        since_step: int, the generator update at which it began to show.
        step: int, the one at which it was found.
        evidence: str, the signals that tell, in numbers.
        advice: str, what people do about it.
    """

    kind: str
    since_step: int
    step: int
    evidence: str
    advice: str

    def __str__(self):
        """Returns all of it in one line."""
        what = self.kind.replace("_", " ").capitalize()
        since = f"since about step {self.since_step:,}, seen at step {self.step:,}"
        return f"{what} {since}: {self.evidence}. {self.advice}"


def diagnose(history):
    """Returns what is wrong at the end of a history, a `Diagnosis`, or None if nothing is.

    Numbers that are not finite are told at once. All else is judged by medians of 20 readings:
    fakes are sick if they are far from the reals, vary much less, or are copies of each other.
    Which kind of trouble it is, the scores and gradients tell. Nothing is told before there are 60
    readings and 500 steps, and as long as a run that has never been well still learns. A generator
    that leaves out a few of many modes is not noticed: half of 25 Gaussians may be missing.

    Args:
        history: list of `kgan.callbacks.Reading`, oldest first.

    Example:
    >>> kgan.callbacks.diagnose([]) is None
    True
    """
    if not history:
        return None
    if not history[-1].is_finite:
        return _divergence(history)
    # What is not finite has passed: one step of float16, whose scale was too high.
    history = [reading for reading in history if reading.is_finite]
    if len(history) < 3 * LASTING or history[-1].step <= WARM_UP_STEPS:
        return None
    if _severity(history[-LASTING:]) <= 1 or _still_learns(history):
        return None
    since = _since(history)
    if since is None:
        return None
    before, recent = history[:since], history[since:][-LASTING:]
    kind = _kind(before, recent)
    return Diagnosis(
        kind,
        since_step=history[since].step,
        step=history[-1].step,
        evidence=_evidence(before, recent),
        advice=ADVICE[kind],
    )


def _median(readings, name):
    return statistics.median(getattr(reading, name) for reading in readings)


def _severity(readings):
    """Returns how bad the worst symptom of the fakes is: above 1 they are sick."""
    return max(
        _median(readings, "distance") / FAR,
        (1 - _median(readings, "spread")) / (1 - NARROW),
        (1 - _median(readings, "variety")) / (1 - COPIES),
    )


def _still_learns(history):
    """Whether a run that has never been well is getting better."""
    windows = [history[i : i + LASTING] for i in range(0, len(history) - LASTING + 1, LASTING)]
    if any(_severity(window) <= 1 for window in windows):
        return False
    earlier = history[-3 * LASTING : -2 * LASTING]
    return _severity(history[-LASTING:]) < LEARNING * _severity(earlier)


def _since(history):
    """Returns the index of the reading from which on it has been sick, or None if it is no more."""
    for end in range(len(history), SMOOTHING - 1, -1):
        if _severity(history[end - SMOOTHING : end]) <= 1:
            # Less than half of these were sick, the last ones.
            return end - SMOOTHING // 2 if end < len(history) else None
    return 0


def _kind(before, recent):
    if before and _growth(before, recent) > EXPLOSION:
        return "divergence"
    if _swings(recent) >= SWINGS:
        return "oscillation"
    accuracy = _median(recent, "accuracy")
    # A generator that never got anywhere draws little, but that is not what holds it back.
    is_narrow = _median(recent, "spread") < NARROW or _median(recent, "variety") < COPIES
    if accuracy >= WON and not (before and is_narrow):
        return "discriminator_won"
    if is_narrow:
        return "mode_collapse"
    if accuracy <= LOST:
        return "generator_won"
    # Neither has won: the fakes have left out a part of the data, or left the data.
    return "mode_collapse" if _median(recent, "spread") < 1 else "divergence"


def _growth(before, recent):
    """Returns by which factor a score or a gradient has grown most."""
    names = "score_size", "generator_gradient", "discriminator_gradient"
    pairs = [(_median(recent, name), _median(before, name)) for name in names]
    return max((now / then for now, then in pairs if then > 0), default=1.0)


def _swings(readings):
    """Returns how often the lead went from one player to the other, half-way at least."""
    leads = [math.copysign(1, r.accuracy - 0.5) for r in readings if abs(r.accuracy - 0.5) > 0.25]
    return sum(a != b for a, b in zip(leads, leads[1:], strict=False))


def _evidence(before, recent):
    """Returns the signals now and, where there was a before, then."""
    shown = {
        "distance": "the fakes' distance from the reals is {} (0 is none)",
        "spread": "their spread {} of the reals'",
        "variety": "their nearest neighbours' distance {} of the reals'",
        "accuracy": "the discriminator is right in {} of pairs",
        "score_size": "the largest score is {}",
        "generator_gradient": "the generator's gradient {}",
        "discriminator_gradient": "the discriminator's {}",
    }
    parts = []
    for name, words in shown.items():
        value = f"{_median(recent, name):.3g}"
        if before:
            value += f" (before: {_median(before[-3 * LASTING :], name):.3g})"
        parts.append(words.format(value))
    return ", ".join(parts)


def _divergence(history):
    first = len(history)
    while first > 0 and not history[first - 1].is_finite:
        first -= 1
    return Diagnosis(
        "divergence",
        since_step=history[first].step,
        step=history[-1].step,
        evidence="an image, a score or a gradient is no finite number",
        advice=ADVICE["divergence"],
    )
