"""Train the families of the book on CamVid by one recipe, and score them.

    python -m benchmarks.camvid deeplab_v3plus --hold-out 0006R0
    python -m benchmarks.camvid all --start scratch imagenet --size 180x240 --seed 0 1 2

CamVid must be there: `datasets.download_camvid()`. What a run reaches is written to one JSON file
after each epoch. A run that was interrupted goes on after its last whole epoch, and one that is
done is not repeated, so the same command may be given again at any time. Without a family it prints
what there is. SegNet and SegFormer have no pretrained encoder and always start from scratch.
"""

from segbook.complexity import cost
from segbook.datasets import camvid
from segbook.datasets.disk.lock import alone
from segbook.layers import logits_like
from segbook import backend, baselines, metrics, pipeline, runtime
from segbook.training import nested_layers

import argparse
import contextlib
import dataclasses
import itertools
import json
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np

from benchmarks.camvid_recipe import (
    ALONE,
    FLOOR,
    FULL,
    NUM_CLASSES,
    ON_LITE0,
    Run,
    augmentation,
    build,
    compile_run,
    shrunk,
    split,
)

BAND = 12  # pixels: 2% of the diagonal, as in the paper on boundary IoU
AT_ONCE = 64  # pictures whose logits are in memory
OFTEN = 5  # epochs between two looks at the validation pictures
THIN = ("pole", "sign", "fence", "person", "bicyclist")


def train(run, folder, samples, judged):
    """Train a run, from its last whole epoch if it was interrupted, and save its model."""
    model, encoder = build(run)
    batches = pipeline.batches(samples, run.batch, augmentation(run), seed=run.seed)
    compile_run(run, model, encoder, run.epochs * len(batches), samples.masks)
    if judged:
        judged = pipeline.batches(judged[1], 4, shrunk(run), shuffle=False)
    backup = folder / f"{run.name}.backup"
    model.fit(
        untuned(batches),
        epochs=run.epochs,
        validation_data=judged and untuned(judged),
        validation_freq=OFTEN,
        callbacks=[
            Record(run, folder, batches),
            keras.callbacks.BackupAndRestore(
                backup, double_checkpoint=True, delete_checkpoint=False
            ),
            keras.callbacks.SwapEMAWeights(),  # what is validated is the average
        ],
        shuffle=False,  # the batches are shuffled
        verbose=1 if sys.stdout.isatty() else 2,
    )
    part = folder / f"{run.name}.part.keras"
    model.save(part)
    part.replace(folder / f"{run.name}.keras")
    shutil.rmtree(backup)


def untuned(batches):
    """Give `fit` the batches; on TensorFlow without the tuner, for which each epoch would wait.

    The tuner is joined at the end of an epoch, when its period, which doubles, has passed: 20 steps
    of 1.4 s ended 10 s late.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    images, masks = (
        tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batches.batch(0, 0)
    )
    dataset = tf.data.Dataset.from_generator(lambda: batches, output_signature=(images, masks))
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options).prefetch(1)


class Record(keras.callbacks.Callback):
    """Write what each epoch reached, and make batches and dropout depend on its number alone.

    `fit` goes on at the epoch that `BackupAndRestore` found, with weights and optimizer as they
    were then. The batches must be told, and the state of dropout is not saved.
    """

    def __init__(self, run, folder, batches):
        super().__init__()
        self.run, self.folder, self.batches = run, folder, batches

    def on_epoch_begin(self, epoch, logs=None):
        """Set batches and dropout to the epoch; start the clock."""
        self.batches.epoch = epoch
        for layer in nested_layers(self.model):
            if generator := getattr(layer, "seed_generator", None):
                seed = int(keras.ops.convert_to_numpy(generator.state)[0])
                generator.state.assign([seed, epoch * len(self.batches)])
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Add the epoch to the entry of the run."""
        reached = {key: round(float(value), 5) for key, value in (logs or {}).items()}
        reached["seconds"] = round(time.perf_counter() - self.start, 1)
        with entry_of(self.run, self.folder) as entry:
            entry["epochs"] = [*entry["epochs"][:epoch], reached]


def results_in(folder):
    """Read the results: entries by the name of their run."""
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


@contextlib.contextmanager
def entry_of(run, folder):
    """Give the entry of a run to be changed, alone; a kill leaves the file as it was."""
    path = folder / "results.json"
    with alone(path):
        results = results_in(folder)
        new = {"run": dataclasses.asdict(run), "epochs": [], "costs": {}, "scores": {}}
        yield results.setdefault(run.name, new)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1) + "\n")
        part.replace(path)


def costs(model, run):
    """Measure weights, multiply-adds, and the seconds that one picture takes on this machine."""
    picture = np.random.default_rng(0).random((1, *run.size, 3), "float32")
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        model.predict_on_batch(picture)
        seconds.append(time.perf_counter() - start)
    return {
        "weights": model.count_params(),
        "multiply_adds": cost(model, run.size).multiply_adds,
        "seconds_a_picture": round(float(np.median(seconds[1:])), 4),
    }


def at_full_size(model, run):
    """Give a model that takes and answers pictures of full size, whatever size it sees them in."""
    if run.size == FULL:
        return model
    image = keras.Input((None, None, 3))
    small = keras.layers.Resizing(*run.size, antialias=True)(image)
    return keras.Model(image, logits_like(model(small), image))


def scores(answer, samples):
    """Score a function from pictures `(n, h, w, 3)` to logits `(n, h, w, C)`."""
    found = [
        metrics.MeanIoU(NUM_CLASSES),
        metrics.BoundaryIoU(NUM_CLASSES, BAND),
        metrics.PixelAccuracy(NUM_CLASSES),
    ]
    for first in range(0, len(samples), AT_ONCE):
        part = samples[first : first + AT_ONCE]
        logits = answer(part.images)
        for metric in found:
            metric.update_state(part.masks, logits)
    by_class = zip(samples.task.class_names, found[0].per_class()["iou"], strict=True)
    return {metric.name: round(float(metric.result()), 5) for metric in found} | {
        "iou": {name: None if np.isnan(iou) else round(float(iou), 5) for name, iou in by_class}
    }


def complete(run, folder, *, test=False):
    """Do what is still to do of a run: train it, measure its saved model, score it on test data."""
    entry = results_in(folder).get(run.name, {"costs": {}, "scores": {}})
    if entry["costs"] and (not test or "test" in entry["scores"]):
        return
    print(f"{run.name} ({runtime.start(run.seed)})", flush=True)
    samples, judged = split(run)
    judges = [judged] if judged else []
    if run.family == FLOOR:
        measured = {"weights": 0, "multiply_adds": 0, "seconds_a_picture": 0.0}
        answer = partial(baselines.color_table, samples)
    else:
        saved = folder / f"{run.name}.keras"
        if not saved.exists():
            train(run, folder, samples, judged)
        keras.utils.clear_session()
        model = keras.saving.load_model(saved, compile=False)
        measured = costs(model, run)
        answer = partial(at_full_size(model, run).predict, batch_size=4, verbose=0)
    if test:
        judges.append(("test", camvid("test")))
    reached = {name: scores(answer, pictures) for name, pictures in judges}
    with entry_of(run, folder) as entry:
        entry["costs"], entry["scores"] = measured, entry["scores"] | reached


def table(results):
    """Write the results as a table: a line for each recipe and set of pictures, over its seeds."""
    lines = {}
    for entry in results.values():
        run = Run(
            **{key: tuple(v) if isinstance(v, list) else v for key, v in entry["run"].items()}
        )
        for on, score in entry["scores"].items():
            key = dataclasses.replace(run, seed=0).name, on
            lines.setdefault(key, []).append((entry, score))
    rows = []
    for (name, on), found in lines.items():
        entry = found[0][0]
        means = sorted(score["mean_iou"] for _, score in found)
        thin = np.mean([[score["iou"][key] or 0 for key in THIN] for _, score in found])
        rows.append(
            f"{means[0]:.3f} to {means[-1]:.3f}  {thin:.3f} "
            f"{np.mean([score['boundary_iou'] for _, score in found]):.3f} "
            f"{np.mean([score['pixel_accuracy'] for _, score in found]):.3f} {len(found):>5} "
            f"{entry['costs']['weights'] / 1e6:8.2f} {entry['costs']['multiply_adds'] / 1e9:6.2f} "
            f"{1000 * entry['costs']['seconds_a_picture']:5.0f} "
            f"{sum(epoch['seconds'] for epoch in entry['epochs']) / 60:5.0f}  {on:7} {name}"
        )
    head = "mean IoU         thin  bound. pixels seeds  M weights   GMAC   ms   min  on      run"
    return "\n".join([head, *sorted(rows, reverse=True)])


def size(text):
    """Read a size such as "360x480"."""
    height, width = map(int, text.split("x"))
    return height, width


def main(arguments=None):
    """Train and score what the command line asks for, then print all results so far."""
    families = [*ON_LITE0, *ALONE]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "families", nargs="*", metavar="FAMILY", help=f"all, or {', '.join(families)}"
    )
    parser.add_argument("--start", nargs="+", choices=("imagenet", "scratch"), default=["imagenet"])
    parser.add_argument("--size", nargs="+", type=size, default=[FULL])
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    parser.add_argument("--test", action="store_true", help="score on the test split, too")
    parser.add_argument("--out", type=Path, default=Path("build/camvid"), help="folder of results")
    for field in dataclasses.fields(Run)[4:]:
        option = f"--{field.name.replace('_', '-')}"
        several = {"nargs": 2, "type": float} if field.name == "scale" else {"type": field.type}
        parser.add_argument(option, default=field.default, **several)
    given = vars(parser.parse_args(arguments))
    test, folder, chosen = given.pop("test"), given.pop("out"), given.pop("families")
    folder.mkdir(parents=True, exist_ok=True)
    if backend.gpu_count():
        keras.config.set_dtype_policy("mixed_float16")
    axes = [given.pop(axis) for axis in ("start", "size", "seed")]
    given["scale"] = tuple(given["scale"])
    floor = {key: given[key] for key in ("train_on", "hold_out")}
    if chosen:
        complete(Run(FLOOR, "scratch", **floor), folder, test=test)
    for family in families if chosen == ["all"] else chosen:
        for start, size_, seed in itertools.product(*axes):
            run = given | {"family": family, "start": start, "size": size_, "seed": seed}
            if family in ALONE:
                run |= {"start": "scratch", "freeze": "", "encoder_rate": 1.0}
            complete(Run(**run), folder, test=test)
    print(table(results_in(folder)))


if __name__ == "__main__":
    main()
