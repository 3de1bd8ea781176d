"""The benchmark on CamVid resumes, scores and refuses what is wrong, on a few drawn pictures."""

import json

import keras
import numpy as np
import pytest
from pictures import save

from benchmarks import camvid as benchmark
from benchmarks import camvid_recipe as recipe
from benchmarks.camvid_recipe import ALONE, ON_LITE0, Run, build, split
from segbook import worlds
from segbook.backbones import small_encoder
from segbook.training import nested_layers

SIZE = (48, 64)
NAMES = {
    "train": ["0001TP_006690", "0001TP_006720", "0006R0_f00930", "0016E5_00390", "0016E5_00420"],
    "val": ["0016E5_07959", "0016E5_07961"],
}


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Lay a few drawn streets out as CamVid, and let a tiny encoder stand for Lite0."""
    for number, (part, names) in enumerate(NAMES.items()):
        samples = worlds.streets(len(names), SIZE, seed=number)
        for name, image, mask in zip(names, samples.images, samples.masks, strict=True):
            folder = tmp_path / "camvid"
            save(folder / part / f"{name}.png", (255 * image).astype("uint8"))
            save(folder / f"{part}annot" / f"{name}.png", np.where(mask == 255, 11, mask))
    monkeypatch.setenv("SEGBOOK_DATA", str(tmp_path))
    for module in (benchmark, recipe):
        monkeypatch.setattr(module, "FULL", SIZE)
    monkeypatch.setattr(benchmark, "OFTEN", 2)
    monkeypatch.setattr(
        recipe,
        "efficientnet_lite0",
        lambda weights, output_stride: small_encoder(width=4, output_stride=output_stride),
    )
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def tiny_run(**options):
    return Run("fcn8s", "scratch", **{"size": SIZE, "epochs": 4, "batch": 2, **options})


@pytest.mark.slow
def test_families_are_of_comparable_size():
    for family in (*ON_LITE0, *ALONE):
        model, _ = build(Run(family, "scratch"))
        assert 3.3e6 < model.count_params() < 3.8e6, family


@pytest.mark.slow
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(drawn, monkeypatch):
    run = tiny_run(loss="ce+lovasz", hold_out="0006R0")
    ends, folders = [], [drawn / "at once", drawn / "in two"]
    begin = benchmark.Record.on_epoch_begin

    def killed(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    for folder, interrupted in zip(folders, (False, True), strict=True):
        if interrupted:
            monkeypatch.setattr(benchmark.Record, "on_epoch_begin", killed)
            with pytest.raises(KeyboardInterrupt):
                benchmark.complete(run, folder)
            monkeypatch.setattr(benchmark.Record, "on_epoch_begin", begin)
            assert len(benchmark.results_in(folder)[run.name]["epochs"]) == 3
        benchmark.complete(run, folder)
        entry = benchmark.results_in(folder)[run.name]
        ends.append((entry, keras.saving.load_model(folder / f"{run.name}.keras", compile=False)))
    (once, model), (twice, resumed) = ends
    for one, other in zip(once["epochs"], twice["epochs"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)
    for one, other in zip(model.weights, resumed.weights, strict=True):
        np.testing.assert_allclose(
            one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5, err_msg=one.path
        )
    assert once["scores"]["0006R0"]["mean_iou"] == twice["scores"]["0006R0"]["mean_iou"]
    assert [path.name for path in folders[1].glob("*.backup")] == []


@pytest.mark.slow
def test_the_command_writes_results_and_repeats_nothing(drawn, monkeypatch, capsys):
    command = ["fcn8s", "--start", "scratch", "--size", "32x48", "--epochs", "1", "--batch", "2"]
    command += ["--encoder-rate", "0.5", "--out", str(drawn)]
    benchmark.main(command)
    floor, entry = json.loads((drawn / "results.json").read_text()).values()
    assert floor["scores"]["val"]["mean_iou"] > 0.3
    assert entry["run"]["size"] == [32, 48]
    assert entry["costs"]["weights"] > 0
    assert entry["costs"]["multiply_adds"] > 0
    (score,) = entry["scores"].values()
    assert 0 <= score["boundary_iou"] <= 1
    assert set(score["iou"]) == set(benchmark.camvid("val").task.class_names)
    assert "val     fcn8s-scratch-size=32x48" in capsys.readouterr().out
    monkeypatch.setattr(benchmark, "train", None)
    benchmark.main(command)


def test_a_drive_is_held_out_of_all_that_is_trained_on(drawn):
    counts = {
        ("train", ""): (5, 2),
        ("train+val", "0006R0"): (6, 1),
        ("train+val", "0016E5"): (3, 4),
        ("train", "0001TP"): (3, 2),
    }
    for (train_on, hold_out), (trained, scored) in counts.items():
        samples, (name, judged) = split(tiny_run(train_on=train_on, hold_out=hold_out))
        assert (len(samples), len(judged), name) == (trained, scored, hold_out or "val")
    assert split(tiny_run(train_on="train+val"))[1] is None
    with pytest.raises(
        ValueError, match="hold_out='0006' must be one of the drives 0001TP, 0006R0"
    ):
        split(tiny_run(hold_out="0006"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "unet3"}, "family='unet3' must be of ccnet, colour_table, danet"),
        ({"family": "segnet"}, "start='imagenet' must be of scratch"),
        ({"family": "unet", "loss": "ce+lovas"}, r"loss='ce\+lovas' must be of ce, dice"),
        ({"family": "unet", "freeze": "all"}, "freeze='all' must be of"),
    ],
)
def test_what_is_unknown_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Run(**options)


def test_names_say_what_differs_from_the_recipe():
    assert Run("unet").name == "unet-imagenet"
    other = Run("unet", "scratch", (180, 240), 1, scale=(0.7, 2.0))
    assert other.name == "unet-scratch-size=180x240-seed=1-scale=0.7x2.0"


def test_freezing_and_rates_reach_the_encoder_alone(drawn):
    run = tiny_run(freeze="early+batch_norm", encoder_rate=0.1)
    model, encoder = build(run)
    recipe.compile_run(run, model, encoder, 10, split(run)[0].masks)
    names = {variable.path.split("/")[0] for variable in encoder.trainable_variables}
    assert names == {f"block{stage}_conv{i}" for stage in (3, 4, 5) for i in (1, 2)}
    for layer in nested_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            assert layer.trainable == (layer not in encoder.layers)
    assert set(model.optimizer.factors) == {v.path for v in encoder.trainable_variables}
