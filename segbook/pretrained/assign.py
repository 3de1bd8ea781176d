"""Give Keras layers the weights of PyTorch's modules."""

import numpy as np
from keras import layers

from segbook.checks import SHOWN

_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def assign_tensors(modules, tensors, *, source):
    """Give layers the weights of PyTorch's modules; all must fit, else none is changed.

    Batch normalisation's `num_batches_tracked` is left out: Keras does not have it.

    Args:
        modules: By the name of a module in the `state_dict`, the Keras layer that takes its place:
            `Conv2D`, `DepthwiseConv2D`, `Dense` or `BatchNormalization`, already built.
        tensors: Name to array, such as `load_tensors` gives: all that these modules have, no more.
        source: Where the tensors are from, for the error.

    Raises:
        ValueError: If tensors are missing, left over or of another shape; the message names the
            first of them. So does a tensor that is not finite.
    """
    found = {name: x for name, x in tensors.items() if not name.endswith(".num_batches_tracked")}
    targets = {
        f"{module}.{_NAMES[weight.name]}": (weight, _order(layer, weight))
        for module, layer in modules.items()
        for weight in layer.weights
    }
    expected = {
        name: tuple(weight.shape[axis] for axis in np.argsort(order))
        for name, (weight, order) in targets.items()
    }
    missing = [f"no {name} {expected[name]}" for name in expected if name not in found]
    foreign = [f"{name}, which has no place" for name in found if name not in expected]
    common = {name: np.shape(found[name]) for name in expected if name in found}
    reshaped = [
        f"{name} {shape}, expected {expected[name]}"
        for name, shape in common.items()
        if shape != expected[name]
    ]
    broken = [f"{name} with NaN or Inf" for name in common if not np.isfinite(found[name]).all()]
    problems = []
    for kind in (missing, foreign, reshaped, broken):
        problems += kind[:SHOWN] + ["..."] * (len(kind) > SHOWN)
    if problems:
        raise ValueError(f"{source}: found {'; '.join(problems)}.")
    for name, (weight, order) in targets.items():
        weight.assign(np.transpose(found[name], order))


def _order(layer, weight):
    """Tell which axis of PyTorch's tensor each axis of the Keras weight is."""
    if weight.name != "kernel":
        return (0,)
    if isinstance(layer, layers.Dense):
        return (1, 0)
    # PyTorch: (out, in, h, w), depthwise (channels, 1, h, w).
    return (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
