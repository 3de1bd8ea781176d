"""Where half precision is too narrow."""

import keras
from keras import ops


def widen(x):
    """Cast half precision to float32, and leave float32 and float64 as they are.

    Float16 ends at 65504, so inner products and sums over many places overflow in it, and a
    softmax or a mean of infinities is no number.

    Args:
        x: Floating-point tensor.

    Returns:
        The same values in float32 or float64.
    """
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x
