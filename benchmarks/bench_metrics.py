"""Time a compiled update of MeanIoU beside Keras's, on the same data in the same run."""

from segbook.metrics import BoundaryIoU, MeanIoU

import time

import keras
import numpy as np
import tensorflow as tf

CLASSES = 21
SHAPE = (8, 256, 256)
REPEATS = 15


def interleaved_medians(functions, repeats=REPEATS):
    """Time functions in turn, so that a busy machine slows all alike.

    Args:
        functions: Name to function without arguments.
        repeats: Rounds; one more to warm up is not counted.

    Returns:
        Name to median seconds.
    """
    seconds = {name: [] for name in functions}
    for _ in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times[1:])) for name, times in seconds.items()}


def main():
    """Print the ratio for a TensorFlow graph, and for one compiled by XLA."""
    rng = np.random.default_rng(0)
    mask = tf.constant(rng.integers(0, CLASSES, SHAPE).astype("uint8"))
    logits = tf.constant(rng.normal(size=(*SHAPE, CLASSES)).astype("float32"))
    print(f"MeanIoU update, {SHAPE[0]}x{SHAPE[1]}x{SHAPE[2]}, {CLASSES} classes, logits in")
    for jit, label in ((False, "graph"), (True, "XLA")):
        metrics = {
            "keras MeanIoU": keras.metrics.MeanIoU(CLASSES, sparse_y_pred=False),
            "MeanIoU": MeanIoU(CLASSES),
            "BoundaryIoU 5": BoundaryIoU(CLASSES, width=5),
            "BoundaryIoU 46": BoundaryIoU(CLASSES, width=46),
        }
        functions = {}
        for name, metric in metrics.items():
            update = tf.function(metric.update_state, jit_compile=jit)
            functions[name] = lambda update=update: update(mask, logits)
        argmax = tf.function(lambda z: keras.ops.argmax(z, axis=-1), jit_compile=jit)
        functions["argmax alone"] = lambda argmax=argmax: argmax(logits)
        seconds = interleaved_medians(functions)
        for name, value in seconds.items():
            ratio = value / seconds["keras MeanIoU"]
            print(f"  {label:6} {name:14} {1000 * value:7.1f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
