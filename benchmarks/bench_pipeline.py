"""Set the input pipeline beside the training step that it feeds, in turn, in the same run."""

import tempfile
import time

import numpy as np

from segbook import datasets, losses, models, pipeline, worlds

BATCH = 8
SIZE = 180, 240
AUGMENT = pipeline.chain(
    pipeline.photometric(brightness=0.1, contrast=0.2, saturation=0.2, gamma=0.2),
    pipeline.flip(),
    pipeline.warp(scale=(0.7, 2), rotate=5, mirror=0),
)


def network(num_classes):
    """Build the model whose step the pipeline is compared with: 3.3 million weights."""
    return models.deeplab_v3plus(
        num_classes, "efficientnet_lite0", weights="imagenet", width=128, rates=(3, 6, 9)
    )


def compare(name, samples, rounds=8):
    """Print what a batch costs beside a training step.

    Args:
        name: What the samples are.
        samples: `Samples`.
        rounds: Batches and steps to time; the median counts, the first two do not.
    """
    model = network(samples.task.num_classes)
    model.compile("adam", losses.CrossEntropy())
    kinds = {"augmented": AUGMENT, "plain": None}
    streams = {kind: stream(pipeline.batches(samples, BATCH, a)) for kind, a in kinds.items()}
    ready = next(streams["plain"])
    work = {
        "augmented": lambda: next(streams["augmented"]),
        "plain": lambda: next(streams["plain"]),
        "step": lambda: model.train_on_batch(*ready),
    }
    seconds = {kind: [] for kind in work}
    for _ in range(rounds + 2):
        for kind, do in work.items():
            start = time.perf_counter()
            do()
            seconds[kind].append(time.perf_counter() - start)
    took = {kind: float(np.median(times[2:])) for kind, times in seconds.items()}
    for kind in kinds:
        print(
            f"{name}, {kind}: {took[kind] * 1e3:.0f} ms for a batch of {BATCH}, "
            f"{took['step'] * 1e3:.0f} ms for a step; pipeline to step "
            f"{took[kind] / took['step']:.3f}"
        )


def stream(batches):
    """Yield batches for ever, each made when it is asked for: nothing is prepared ahead."""
    while True:
        yield from batches


def main():
    """Compare on street scenes and, where it is, on CamVid from its cache."""
    compare("streets at 180x240", worlds.streets(40, size=SIZE))
    with tempfile.TemporaryDirectory() as cache:
        try:
            samples = datasets.camvid("train", size=SIZE, cache=cache, lazy=True)
        except datasets.MissingData as error:
            print(error)
            return
        compare("CamVid at 180x240 from the cache", samples)


if __name__ == "__main__":
    main()
