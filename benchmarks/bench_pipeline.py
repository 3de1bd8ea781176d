"""Set the input pipeline beside a small U-Net's training step, in turn, in the same run."""

import tempfile
import time

import numpy as np

from segbook import datasets, losses, models, pipeline, worlds

BATCH = 16
AUGMENT = pipeline.chain(
    pipeline.photometric(brightness=0.1, contrast=0.2, saturation=0.2, gamma=0.2),
    pipeline.warp(scale=(0.5, 2), rotate=10),
)


def compare(name, samples, rounds=15):
    """Print how many batches the pipeline makes while the model takes one step.

    Args:
        name: What the samples are.
        samples: `Samples`.
        rounds: Batches and steps to time; the median counts, the first two do not.
    """
    model = models.unet(samples.task.num_classes, width=16, depth=3, batch_norm=True)
    model.compile("adam", losses.CrossEntropy())
    augmented = stream(pipeline.Epochs(samples, BATCH, AUGMENT))
    plain = stream(pipeline.Epochs(samples, BATCH))
    ready = next(plain)
    seconds = {"augmented": [], "plain": [], "step": []}
    for _ in range(rounds + 2):
        for kind, work in (
            ("augmented", lambda: next(augmented)),
            ("plain", lambda: next(plain)),
            ("step", lambda: model.train_on_batch(*ready)),
        ):
            start = time.perf_counter()
            work()
            seconds[kind].append(time.perf_counter() - start)
    middle = {kind: float(np.median(times[2:])) for kind, times in seconds.items()}
    print(
        f"{name}: a training step takes {middle['step'] * 1e3:.0f} ms; the time for "
        f"{middle['step'] / middle['augmented']:.1f} augmented batches, "
        f"{middle['step'] / middle['plain']:.0f} plain ones"
    )


def stream(epochs):
    """Yield full batches for ever, each made when it is asked for: nothing is prepared ahead."""
    while True:
        for index in range(len(epochs.samples) // BATCH):
            yield epochs[index]
        epochs.on_epoch_end()


def main():
    """Compare on street scenes at 96x96 and, where it is, CamVid at 180x240 from its cache."""
    compare("streets at 96x96", worlds.streets(320, size=96))
    with tempfile.TemporaryDirectory() as cache:
        try:
            samples = datasets.camvid("train", size=(180, 240), cache=cache, lazy=True)
        except datasets.MissingData as error:
            print(error)
            return
        compare("CamVid at 180x240 from the cache", samples, rounds=5)


if __name__ == "__main__":
    main()
