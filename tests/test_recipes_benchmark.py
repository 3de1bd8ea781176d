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
    np.testing.assert_allclose([factor(step, 20) for step in range(4)], [0, 0.5, 1, 1])


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
    assert [seed for seed, _ in counted] == 2 * [0, 0, 0, 1, 2, 3, 4, 5]
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
    assert [seed for seed, _ in counted] == [0, 0, 0, 1, 2, 3, 4, 5]


def test_a_row_made_of_results_can_be_repeated_in_a_new_file(counted, tmp_path):
    stored = json.loads(benchmark.OUT.read_text())
    out = tmp_path / "again.json"
    benchmark.main(["batch 4, seconds", "--out", str(out)])
    results = json.loads(out.read_text())
    assert set(results) == {"batch 4, seconds", "floor"}
    assert results["batch 4, seconds"]["steps"] == stored["batch 4, seconds"]["steps"]


def test_a_name_that_is_no_row_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["flop", "--out", str(tmp_path / "table.json")])
    assert "there is no row flop" in capsys.readouterr().err


def test_other_steps_or_rates_are_another_row(counted):
    entry = {"rates": {}, "runs": {"1": {}}, "rate": 0.01, "steps": 100}
    results = {"row": entry}
    row = ("batch", (0.01,), {"steps": 200}, "baseline")
    benchmark.complete("row", row, [1], results, lambda: None)
    assert entry["steps"] == 200
    assert entry["runs"]["1"]["test"] == pytest.approx(0.51)
    benchmark.complete("row", row, [1], results, lambda: None)
    benchmark.complete("row", ("batch", (0.02,), *row[2:]), [1], results, lambda: None)
    assert counted == [(1, 0.01), (1, 0.02)]


def test_only_aids_that_help_are_trained_again(counted):
    def runs(*scores):
        scored = zip("12345", scores, strict=True)
        return {seed: {"test": score, "val": score, "seconds": 1.0} for seed, score in scored}

    rows = benchmark.single_rows() | benchmark.longer(benchmark.single_rows())
    known = {
        name: {"rate": 0.01, "runs": runs(0.5, 0.51, 0.52, 0.53, 0.54)}
        for name, row in rows.items()
    }
    known["flip"]["runs"] = runs(0.52, 0.53, 0.54, 0.55, 0.561)
    known["colour"]["runs"] = runs(0.7, 0.51, 0.52, 0.53, 0.54)  # one start alone
    known["width 16"]["runs"] = runs(0.62, 0.63, 0.64, 0.65, 0.661)  # no aid
    results = {}
    benchmark.again(known, results, lambda: None)
    longer = ["baseline, 3 times the steps", "flip, 3 times the steps"]
    assert sorted(results["again"]) == sorted(["baseline", "flip", *longer])
    assert list(results["again"]["flip"]["runs"]) == ["6", "7", "8", "9", "10"]
    assert len(counted) == 20


def test_steps_in_the_same_seconds():
    results = {
        "short": {"runs": {"1": {"seconds": 3.0}}},  # a second, and 2 for 120 steps
        "long": {"steps": 360, "runs": {"1": {"seconds": 7.0}}},
    }
    assert benchmark.steps_in(5.0, results, "short", "long") == 240


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


@pytest.mark.parametrize(("pictures", "scored"), [(20, 20), (160, 100)])
def test_train_is_scored_on_pictures_that_were_trained_on(monkeypatch, pictures, scored):
    counts = []

    def score(model, samples, target):
        counts.append(len(samples.images))
        return 0.5, []

    monkeypatch.setattr(training, "score", score)
    monkeypatch.setattr(training, "compiled", lambda *_: (FakeModel(), []))
    monkeypatch.setattr(training, "renew", lambda *_: None)
    training.train(1, steps=1, pictures=pictures)
    assert counts == [scored, 60, 100]


class FakeModel:
    """What `train` asks of a model."""

    optimizer = type("Optimizer", (), {})()

    def reset_metrics(self):
        pass

    def train_on_batch(self, images, masks, return_dict):
        return {"loss": 0.0}


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
