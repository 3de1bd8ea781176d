"""What Keras does not offer on every backend alike: gradients and compiled functions."""

import keras
import numpy as np
from keras import ops


def gradients(fn, variables):
    """Differentiate a scalar by Keras variables, on any backend.

    Args:
        fn: Function without arguments that returns a scalar tensor computed from `variables`.
        variables: List of `keras.Variable`.

    Returns:
        One array per variable; zeros where the scalar does not depend on it.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([variable.value for variable in variables])
            value = fn()
        found = tape.gradient(value, [variable.value for variable in variables])
    elif backend == "jax":
        import jax

        def stateless(values):
            scope = keras.StatelessScope(list(zip(variables, values, strict=True)))
            with scope:
                return fn()

        found = jax.jit(jax.grad(stateless))([variable.value for variable in variables])
    else:
        import torch

        found = torch.autograd.grad(
            fn(), [variable.value for variable in variables], allow_unused=True
        )
    return [
        np.zeros(variable.shape, "float32") if gradient is None else ops.convert_to_numpy(gradient)
        for variable, gradient in zip(variables, found, strict=True)
    ]


def compilers():
    """Return every way of the current backend to run a function of tensors.

    Returns:
        Name to function that takes and returns a function: eager, and compiled where that differs.
    """
    ways = {"eager": lambda fn: fn}
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        ways["graph"] = tf.function
        ways["xla"] = lambda fn: tf.function(fn, jit_compile=True)
    elif backend == "jax":
        import jax

        ways["jit"] = jax.jit
    return ways
