"""The benchmark of recipes pairs, resumes, joins and chooses; one short training is repeatable."""

import json

import keras
import numpy as np
import pytest
from scipy import stats

from benchmarks import recipes as benchmark
from benchmarks import recipes_training as training
from segbook.training import Poly


@pytest.fixture
def counted(monkeypatch):
    """Let a number stand for each training; give the list of what was trained."""
    trained = []

    def train(seed, *, rate, **changes):
        trained.append((seed, rate))
        score = 0.5 + 0.01 * seed - abs(rate - 0.01)
        return {"train": score, "val": score, "test": score, "seconds": 1.0, "loss": 0.0, "iou": []}

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(benchmark, "floor", lambda: 0.4)
    return trained


@pytest.mark.parametrize(
    ("by_hand", "imported"),
    [
        (training.cosine, keras.optimizers.schedules.CosineDecay(1.0, 40)),
        (training.exponential, keras.optimizers.schedules.ExponentialDecay(1.0, 40, 0.01)),
        (training.poly, Poly(1.0, 40)),
        (
            training.in_steps,
            keras.optimizers.schedules.PiecewiseConstantDecay([19, 29], [1.0, 0.1, 0.01]),
        ),
        (
            training.staircase,
            keras.optimizers.schedules.ExponentialDecay(1.0, 1000, 0.96, staircase=True),
        ),
    ],
)
def test_schedules_are_those_of_keras(by_hand, imported):
    expected = [float(imported(step)) for step in range(40)]
    np.testing.assert_allclose([by_hand(step, 40) for step in range(40)], expected, rtol=1e-4)


def test_warm_up_rises_to_the_schedule():
    factor = training.after_warm_up(training.constant)
    np.testing.assert_allclose([factor(step, 20) for step in range(4)], [0.5, 1, 1, 1])


def test_interval_is_that_of_paired_differences():
    rng = np.random.default_rng(0)
    rows = {
        name: {"runs": {seed: {"test": value} for seed, value in zip("12345", values, strict=True)}}
        for name, values in zip("ab", rng.random((2, 5)), strict=True)
    }
    found = [rows["a"]["runs"][seed]["test"] - rows["b"]["runs"][seed]["test"] for seed in "12345"]
    expected = stats.ttest_1samp(found, 0).confidence_interval(0.95)
    np.testing.assert_allclose(benchmark.effect(rows, "a", "b"), [np.mean(found), *expected])


def test_a_row_chooses_its_rate_and_is_trained_once(counted, tmp_path):
    out = tmp_path / "table.json"
    for _ in range(2):
        benchmark.main(["baseline", "flip", "--out", str(out)])
    assert [seed for seed, _ in counted] == [0, 0, 0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    results = json.loads(out.read_text())
    assert results["baseline"]["rate"] == 0.01
    assert results["flip"]["against"] == "baseline"


def test_an_interruption_keeps_what_was_done(counted, tmp_path, monkeypatch):
    out, whole = tmp_path / "table.json", training.train

    def stops(seed, **changes):
        if seed == 3:
            raise KeyboardInterrupt
        return whole(seed, **changes)

    monkeypatch.setattr(training, "train", stops)
    with pytest.raises(KeyboardInterrupt):
        benchmark.main(["flip", "--out", str(out)])
    monkeypatch.setattr(training, "train", whole)
    benchmark.main(["flip", "--out", str(out)])
    assert [seed for seed, _ in counted] == [1, 2, 3, 4, 5]


def test_every_row_names_what_it_is_compared_with():
    rows = benchmark.table_of({})
    assert all(against in rows for _, _, _, against in rows.values())


def test_changes_are_joined():
    rows = benchmark.single_rows()
    names = ("dropout 0.2", "average of weights 0.95", "AdamW, decay 0.1", "cosine")
    joined = benchmark.joined(rows[name][2] for name in names)
    assert joined["build"].keywords == {"dropout": 0.2}
    assert joined["averaged"]
    assert joined["schedule"] is training.cosine
    assert joined["optimizer"].func is keras.optimizers.AdamW
    assert joined["optimizer"].keywords == {
        "ema_momentum": 0.95,
        "use_ema": True,
        "weight_decay": 0.1,
    }


def test_searches_try_as_many_points():
    space = {"a": [0, 1, 2], "b": [0, 1]}
    hand = benchmark.by_hand(space, lambda point: point["a"] - point["b"])
    assert max(hand, key=lambda pair: pair[0])[1] == {"a": 2, "b": 0}
    assert len(benchmark.at_random(space, lambda point: 0.0, len(hand))) == len(hand) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"build": benchmark.net(auxiliary=True), "auxiliary_weight": 0.4},
        benchmark.AVERAGE,
        {"build": benchmark.net(outputs=1), "target": training.is_car},
    ],
    ids=["baseline", "auxiliary", "average", "cars"],
)
def test_a_training_can_be_repeated(changes):
    first, second = (training.train(1, **changes, steps=3, pictures=16) for _ in range(2))
    for key in ("train", "val", "test", "loss"):
        assert first[key] == pytest.approx(second[key], abs=1e-3)
