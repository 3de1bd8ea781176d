"""What differs between TensorFlow, JAX and PyTorch."""

import contextlib

import keras
import numpy as np
from keras import ops


def concrete(tensor) -> np.ndarray | None:
    """Give a tensor's values, or None inside a compiled function, where there are none yet.

    Args:
        tensor: A NumPy array, a Keras variable or a tensor of the current backend.

    Returns:
        The values as a NumPy array, or None.
    """
    try:
        return ops.convert_to_numpy(tensor)
    # Each backend has its own way to say that a tensor is symbolic.
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None


def count_values(values, size: int):
    """Count how often each of 0 to size-1 occurs.

    Args:
        values: int32 `(pixels,)`.
        size: One more than the largest possible value.

    Returns:
        int32 `(size,)`.
    """
    if keras.config.backend() == "tensorflow":
        # `ops.segment_sum` takes ten times as long here, and XLA does not compile `ops.bincount`.
        import tensorflow as tf

        none = tf.zeros((0,), "int32")
        return tf.raw_ops.DenseBincount(input=values, size=size, weights=none)
    return ops.segment_sum(ops.ones_like(values), values, num_segments=size)


def gradient(function, x):
    """Differentiate a scalar function of a tensor, on any backend.

    Args:
        function: Function of a tensor that returns a scalar tensor.
        x: float32 array, where to differentiate.

    Returns:
        float32 array of the shape of `x`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x).numpy()
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(x)))
    x = ops.convert_to_tensor(x).requires_grad_()
    function(x).backward()
    return ops.convert_to_numpy(x.grad)


def gpu_count() -> int:
    """Count the GPUs that Keras computes on; TensorFlow is told to take memory as it needs it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            # The GPU can only be told before it is first used; a second call is too late.
            with contextlib.suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
        return len(gpus)
    if backend == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.devices())
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    return 0
