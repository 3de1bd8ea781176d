"""Train with losses on one and on two virtual CPUs; `test_strategies.py` runs this apart.

The number of devices can only be chosen before a backend starts, so this is a program of its own.
It prints as JSON what was trained: way, run and head to the head's weights and reported scores.

    python tests/support/strategies.py       a few losses, SGD
    python tests/support/strategies.py all   every loss, sample weights, uneven void, SGD, Adam
"""

import contextlib
import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np

from segbook.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    Focal,
    HardestCrossEntropy,
    LovaszHinge,
    LovaszSoftmax,
    Tversky,
)
from segbook.metrics import MeanIoU

SHAPE, STEPS = (4, 3, 5), 3
CLASS_WEIGHTS = [0.5, 2.0, 1.0]
SOFTMAX = {
    "cross_entropy": CrossEntropy(class_weights=CLASS_WEIGHTS, label_smoothing=0.1),
    "focal": Focal(),
    "hardest": HardestCrossEntropy(share=0.5),
    "dice": Dice(),
    "tversky": Tversky(gamma=4 / 3),
    "lovasz_softmax": LovaszSoftmax(),
    "sum": sum([CrossEntropy(), 0.5 * Dice()]),
    "keras_sum": keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    + LovaszSoftmax() / 2,
}
SIGMOID = {
    "binary": BinaryCrossEntropy(pos_weight=2.0),
    "binary_sum": BinaryCrossEntropy() + 2 * Focal() + Tversky(),
    "lovasz_hinge": LovaszHinge(),
}
LOSSES = SOFTMAX | SIGMOID
SCORED = ("cross_entropy", "binary_sum")
WEIGHTABLE = [n for n in LOSSES if "lovasz" not in n and "keras" not in n]
EVEN, UNEVEN = {"even": True, "weighted": False}, {"even": False, "weighted": True}
QUICK = {"even": (["cross_entropy", "keras_sum", "binary_sum"], "sgd", EVEN)}
RUNS = {
    "even": (list(LOSSES), "sgd", EVEN),
    "even Adam": (["cross_entropy", "binary_sum"], "adam", EVEN),
    "uneven": (WEIGHTABLE, "sgd", UNEVEN),
}


class Halves(keras.losses.Loss):
    """The mean of a loss over the two halves of a batch, as two replicas see them."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def __call__(self, y_true, y_pred, sample_weight=None):
        half = SHAPE[0] // 2
        parts = [slice(half), slice(half, None)]
        return sum(
            self.loss(
                y_true[part], y_pred[part], None if sample_weight is None else sample_weight[part]
            )
            / 2
            for part in parts
        )


def data(even):
    """Return pictures, masks for softmax and sigmoid heads, and pixel weights.

    With `even`, the second half of each batch shows the pixels of the first in another order, so
    that every loss of a half is that of the whole. Without, the first half has most of the void.
    """
    rng = np.random.default_rng(0)
    n, h, w = STEPS * SHAPE[0], *SHAPE[1:]
    images = rng.random((n, h, w, 3), "float32")
    masks = rng.integers(0, 3, (n, h, w)).astype("int32")
    if even:
        for step in range(0, n, SHAPE[0]):
            first, second = slice(step, step + 2), slice(step + 2, step + 4)
            images[second] = images[first, ::-1, ::-1]
            masks[second] = masks[first, ::-1, ::-1]
    else:
        share = np.where(np.arange(n) % SHAPE[0] < 2, 0.6, 0.1)[:, None, None]
        masks[rng.random((n, h, w)) < share] = 255
    objects = np.where(masks == 2, 0, masks)
    return images, masks, objects, rng.uniform(0.5, 2, (n, h, w)).astype("float32")


def train(losses, optimizer, *, even, weighted):
    """Train one step a batch; return each head's weights and reported scores."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SHAPE[1:], 3))
    heads = {
        name: keras.layers.Conv2D(3 if name in SOFTMAX else 1, 1, name=name)(inputs)
        for name in losses
    }
    model = keras.Model(inputs, heads)
    metrics = {name: [MeanIoU(3 if name in SOFTMAX else 1, name="iou")] for name in SCORED}
    model.compile(optimizer, losses, metrics=metrics, jit_compile=False)
    images, masks, objects, weight = data(even)
    history = model.fit(
        images,
        {name: masks if name in SOFTMAX else objects for name in losses},
        sample_weight=dict.fromkeys(losses, weight) if weighted else None,
        batch_size=SHAPE[0],
        shuffle=False,
        verbose=0,
    ).history
    found = {}
    for name in losses:
        weights = np.concatenate([w.ravel() for w in model.get_layer(name).get_weights()])
        scores = [history[key][0] for key in sorted(history) if key.startswith(f"{name}_")]
        if keras.__version__.startswith("3.8."):  # misreports its own losses and metrics, too
            scores = []
        found[name] = [*weights.tolist(), *scores]
    return found


def two_devices():
    """Return a context in which a model is trained on two virtual CPUs."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()
    devices = keras.distribution.list_devices("cpu")
    assert len(devices) == 2
    return keras.distribution.DataParallel(devices=devices).scope()


def main():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        device = tf.config.LogicalDeviceConfiguration()
        cpus = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpus[0], [device, device])
    everything = sys.argv[1:] == ["all"]
    ways = {"one": contextlib.nullcontext, "two": two_devices}
    if keras.backend.backend() == "tensorflow":
        ways["halves"] = contextlib.nullcontext
    found = {}
    for way, scope in ways.items():
        halved = {name: Halves(loss) if way == "halves" else loss for name, loss in LOSSES.items()}
        with scope():
            for run, (names, optimizer, settings) in (RUNS if everything else QUICK).items():
                if way == "halves" and settings["even"]:
                    continue
                chosen = {name: halved[name] for name in names}
                found.setdefault(run, {})[way] = train(chosen, optimizer, **settings)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
