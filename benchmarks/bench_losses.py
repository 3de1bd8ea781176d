"""Time a training step of a small U-Net with each loss beside Keras's cross-entropy."""

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

import functools

import keras
import numpy as np
import tensorflow as tf
from bench_metrics import interleaved_medians
from keras import layers

CLASSES = 9
BATCH, SIZE = 16, 96
SOFTMAX = {
    "keras cross-entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "CrossEntropy": CrossEntropy(),
    "CrossEntropy weighted": CrossEntropy(class_weights=[1.0] * CLASSES, label_smoothing=0.1),
    "HardestCrossEntropy": HardestCrossEntropy(),
    "Focal": Focal(),
    "Dice": Dice(),
    "Tversky": Tversky(gamma=4 / 3),
    "LovaszSoftmax": LovaszSoftmax(),
    "CrossEntropy + Dice": CrossEntropy() + 0.5 * Dice(),
}
SIGMOID = {
    "keras cross-entropy": keras.losses.BinaryCrossentropy(from_logits=True),
    "BinaryCrossEntropy": BinaryCrossEntropy(),
    "Focal": Focal(),
    "Dice": Dice(),
    "LovaszHinge": LovaszHinge(),
    "BinaryCrossEntropy + Dice": BinaryCrossEntropy() + 0.5 * Dice(),
}


def small_unet(num_classes, width=16):
    """Return a U-Net of three levels."""

    def block(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    inputs = keras.Input((SIZE, SIZE, 3))
    top = block(inputs, width)
    middle = block(layers.MaxPooling2D()(top), 2 * width)
    x = block(layers.MaxPooling2D()(middle), 4 * width)
    x = block(layers.concatenate([layers.UpSampling2D()(x), middle]), 2 * width)
    x = block(layers.concatenate([layers.UpSampling2D()(x), top]), width)
    return keras.Model(inputs, layers.Conv2D(num_classes, 1)(x))


def main(repeats=7):
    """Print the ratios for steps as `compile` makes them: compiled by XLA, and as a graph."""
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((BATCH, SIZE, SIZE, 3), "float32"))
    print(f"training step of a small U-Net, {BATCH} pictures {SIZE}x{SIZE}")
    for num_classes, losses in ((CLASSES, SOFTMAX), (1, SIGMOID)):
        # Keras's binary cross-entropy wants an axis for the one logit, and ours takes it.
        shape = (BATCH, SIZE, SIZE) if num_classes > 1 else (BATCH, SIZE, SIZE, 1)
        masks = tf.constant(rng.integers(0, max(num_classes, 2), shape).astype("uint8"))
        print(f"logits a pixel: {num_classes}")
        for jit, label in ((True, "XLA"), (False, "graph")):
            steps = {}
            for name, loss in losses.items():
                model = small_unet(num_classes)
                model.compile("adam", loss, jit_compile=jit)
                steps[name] = functools.partial(model.train_on_batch, images, masks)
            seconds = interleaved_medians(steps, repeats)
            for name, value in seconds.items():
                ratio = value / seconds["keras cross-entropy"]
                print(f"  {label:6} {name:26} {1000 * value:7.1f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
