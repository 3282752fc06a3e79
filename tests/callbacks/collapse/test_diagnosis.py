"""Histories made by hand, of which everybody would say what is wrong."""

import dataclasses
import math

import numpy as np
import pytest

from kgan.callbacks import Reading, diagnose
from kgan.callbacks.collapse import diagnosis

WELL = Reading(
    step=0,
    spread=1.0,
    variety=0.9,
    distance=0.02,
    accuracy=0.7,
    score_gap=0.5,
    score_size=2.0,
    generator_gradient=1.0,
    discriminator_gradient=1.0,
)
UNTRAINED = {"spread": 0.1, "variety": 0.1, "distance": 1.2, "accuracy": 0.9}


def readings(n, begin=10, every=10, noise=0.0, **changes):
    """Readings of `every` steps; a change may be a function of the index."""
    random = np.random.default_rng(0)
    result = []
    for i in range(n):
        values = {k: v(i) if callable(v) else v for k, v in changes.items()}
        reading = dataclasses.replace(WELL, step=begin + every * i, **values)
        if noise:
            moved = reading.distance + noise * random.normal()
            reading = dataclasses.replace(reading, distance=moved)
        result.append(reading)
    return result


def after(n, **changes):
    """100 healthy readings, then so many others."""
    return readings(100) + readings(n, begin=1010, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accuracy": 1.0},  # many a good discriminator separates all
        {"accuracy": 0.5},
        {"score_size": 1e6},  # a critic's scores may lie anywhere
        {"distance": 0.1},
        {"variety": 0.5},  # blurred, but not copies
        {"spread": 0.7},
        {"noise": 0.1},
    ],
    ids=str,
)
def test_healthy(changes):
    assert diagnose(readings(150, **changes)) is None


CASES = {
    "mode_collapse": [
        {"spread": 0.05, "variety": 0.02, "distance": 0.9, "accuracy": 0.97},
        {"variety": 0.05},  # copies, spread over all of the data
        {"spread": 0.3, "variety": 0.9, "distance": 0.6},  # some of many modes
        {"spread": 0.8, "distance": 0.5},
    ],
    "discriminator_won": [{"distance": 0.6, "accuracy": 1.0}],
    "generator_won": [{"distance": 0.6, "accuracy": 0.5}, {"distance": 0.6, "accuracy": 0.0}],
    "divergence": [
        {"distance": 3.0, "accuracy": 0.8, "spread": 4.0},
        {"distance": 0.6, "accuracy": 1.0, "score_size": 1e3},
        {"distance": 0.6, "generator_gradient": 1e3},
        {"distance": 0.6, "discriminator_gradient": 1e3},
    ],
    "oscillation": [{"distance": 0.6, "accuracy": lambda i: 0.95 if i % 6 < 3 else 0.05}],
}


@pytest.mark.parametrize(
    "kind, changes", [(kind, one) for kind, cases in CASES.items() for one in cases]
)
def test_says_what_is_wrong_and_since_when(kind, changes):
    found = diagnose(after(20, **changes))
    assert found.kind == kind
    assert found.since_step == 1010
    assert found.step == 1200
    assert found.advice == diagnosis.ADVICE[kind]


@pytest.mark.parametrize("kind", CASES)
def test_a_message_has_the_evidence_and_the_advice(kind):
    found = diagnose(after(20, **CASES[kind][0]))
    message = str(found)
    assert message.startswith(kind.replace("_", " ").capitalize() + " since about step 1,0")
    assert "step 1,200: " in message and "(before: 0.02)" in message
    assert found.evidence in message and message.endswith(diagnosis.ADVICE[kind])


def test_trouble_must_last():
    sick = {"spread": 0.05, "variety": 0.02, "distance": 0.9}
    spoke = [n for n in range(1, 40) if diagnose(after(n, **sick))]
    # Half of 20 readings, where the medians lie between both.
    assert spoke == list(range(10, 40))
    # Three well readings of the last five end it.
    ends = [n for n in range(1, 12) if not diagnose(after(20, **sick) + readings(n, begin=1210))]
    assert ends == list(range(3, 12))


@pytest.mark.parametrize("field", ["distance", "score_size", "generator_gradient"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_is_told_at_once(field, value):
    found = diagnose(readings(3) + readings(2, begin=40, **{field: value}))
    assert (found.kind, found.since_step, found.step) == ("divergence", 40, 50)
    assert "finite" in found.evidence


def test_one_bad_number_that_has_passed_is_forgotten():
    history = readings(80) + readings(1, begin=810, score_size=math.inf)
    assert diagnose(history + readings(40, begin=820)) is None


def test_a_start_is_not_judged():
    never = readings(59, **UNTRAINED)
    assert all(diagnose(never[:n]) is None for n in range(60))
    # 60 readings, but of 60 steps only.
    assert diagnose(readings(60, begin=1, every=1, **UNTRAINED)) is None
    found = diagnose(readings(60, **{**UNTRAINED, "accuracy": 1.0}))
    assert (found.kind, found.since_step) == ("discriminator_won", 10)
    assert "before" not in found.evidence


@pytest.mark.parametrize("signal", ["distance", "variety", "spread"])
def test_a_slow_start_is_let_alone_until_it_learns_no_more(signal):
    def slowly(i):  # for 600 steps, and then no further
        way = min(i, 60) / 60
        return {"distance": 1.2 - 0.8 * way, "variety": 0.24 * way, "spread": 0.45 * way}[signal]

    history = readings(200, **{"accuracy": 0.9, signal: slowly})
    assert all(diagnose(history[:n]) is None for n in range(80))
    assert diagnose(history) is not None


def test_a_resumed_run_is_judged_by_what_is_seen():
    assert diagnose(readings(59, begin=50_000, **UNTRAINED)) is None
    assert diagnose(readings(60, begin=50_000, **UNTRAINED)).since_step == 50_000


def test_all_kinds_have_advice():
    assert set(CASES) == set(diagnosis.ADVICE)


def test_a_run_that_was_well_is_not_let_alone_while_it_comes_back():
    coming_back = {"distance": lambda i: 1.2 - 0.008 * i}
    assert all(diagnose(after(n, **coming_back)) for n in range(20, 100))
