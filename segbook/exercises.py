"""The checks that the tasks of the exercises call: they say what is wrong with an answer."""

from itertools import permutations

import keras
import numpy as np

KINDS = {"b": "booleans", "i": "integers", "u": "integers", "f": "floating-point numbers"}
FORGOTTEN = "is a `return` or an assignment missing?"


def check_array(name: str, given, expected, tolerance: float = 1e-5) -> None:
    """Check that an array or a number is the expected one, and say what is wrong if it is not.

    Args:
        name: What the task calls the value; the message says "your `name`".
        given: The reader's array, tensor or number.
        expected: The right one, of the same shape and kind (booleans, integers or floats).
        tolerance: The largest difference allowed between floats, absolute and relative to
            `expected`. Integers and booleans must be equal.

    Raises:
        AssertionError: If `given` is not numeric, or if its shape, kind or values differ.
    """
    given, expected = _to_numpy(name, given), _to_numpy(name, expected)
    assert given.shape == expected.shape, (
        f"your {name} has shape {given.shape}, expected {expected.shape}"
        + _shape_hint(given.shape, expected.shape)
    )
    kind, expected_kind = KINDS[given.dtype.kind], KINDS[expected.dtype.kind]
    assert kind == expected_kind, (
        f"your {name} holds {kind} ({given.dtype}), expected {expected_kind} ({expected.dtype})"
    )
    broken = np.count_nonzero(~np.isfinite(given) & np.isfinite(expected))
    assert not broken, (
        f"your {name} is NaN or infinite in {broken} of {given.size} places: a division by zero, "
        "a logarithm of zero, or an overflow?"
    )
    tolerance = tolerance if expected.dtype.kind == "f" else 0
    wrong = ~_close(given, expected, tolerance)
    assert not wrong.any(), _difference(name, given, expected, wrong) + _hint(
        given, expected, tolerance
    )


def check_at_least(name: str, given: float, least: float) -> None:
    """Check that a score reaches the number to beat.

    Args:
        name: What the task calls the score.
        given: The reader's score.
        least: The number to beat.

    Raises:
        AssertionError: If `given` is not one number, is NaN, or is below `least`.
    """
    given = _to_numpy(name, given)
    assert given.ndim == 0, f"your {name} has shape {given.shape}, expected one number"
    shown = f"{given:.4g}" if f"{given:.4g}" != f"{least:.4g}" else f"{given:.8g}"
    assert given >= least, f"your {name} is {shown}, the task asks for at least {least:.4g}"


def check_model(name: str, model, input_shape, output_shape, parameters: int | None = None) -> None:
    """Check what a model makes of an input, and how many parameters it has.

    Args:
        name: What the task calls the model.
        model: The reader's `keras.Model`.
        input_shape: Shape of the zeros to feed, with the batch axis.
        output_shape: Expected shape of the output.
        parameters: Expected number of parameters, where the task asks for one.

    Raises:
        AssertionError: If it is not a model, if its output has another shape or is not finite, or
            if the number of parameters differs.
    """
    assert model is not None, f"your {name} is None: {FORGOTTEN}"
    assert isinstance(model, keras.Model), (
        f"your {name} is of type {type(model).__name__}, expected keras.Model"
    )
    output = _to_numpy(f"{name}'s output", model(np.zeros(input_shape, "float32")))
    assert output.shape == tuple(output_shape), (
        f"your {name} turns an input of shape {tuple(input_shape)} into an output of shape "
        f"{output.shape}, expected {tuple(output_shape)}"
        + _shape_hint(output.shape, tuple(output_shape))
    )
    assert np.isfinite(output).all(), f"your {name} gives NaN or infinity for an input of zeros"
    count = model.count_params()
    assert parameters is None or count == parameters, (
        f"your {name} has {count:,} parameters, expected {parameters:,} ({count - parameters:+,})"
    )


def _to_numpy(name, value):
    assert value is not None, f"your {name} is None: {FORGOTTEN}"
    assert not isinstance(value, keras.KerasTensor), (
        f"your {name} is symbolic, it has no values yet: call the model on an array"
    )
    try:
        tensor = keras.ops.is_tensor(value)
        array = keras.ops.convert_to_numpy(value) if tensor else np.asarray(value)
    except ValueError:
        raise AssertionError(f"your {name} has rows of different lengths") from None
    if array.dtype.name == "bfloat16":  # which NumPy itself does not know
        array = array.astype("float32")
    assert array.dtype.kind in KINDS, (
        f"your {name} is of type {type(value).__name__}, expected numbers"
    )
    return array


def _close(given, expected, tolerance):
    return np.isclose(given, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def _difference(name, given, expected, wrong):
    if given.ndim == 0:
        return f"your {name} is {given.item():.7g}, expected {expected.item():.7g}"
    distance = np.where(wrong, np.abs(np.subtract(given, expected, dtype=float)), -1)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(distance), given.shape))
    return (
        f"your {name} is wrong in {np.count_nonzero(wrong)} of {wrong.size} places, most at "
        f"{index}: {given[index].item():.7g}, expected {expected[index].item():.7g}"
    )


def _shape_hint(given, expected):
    if sorted(given) == sorted(expected):
        return ": the same sizes in another order, is it transposed?"
    if len(given) != len(expected):
        return f": {len(given)} axes instead of {len(expected)}"
    if np.abs(np.subtract(given, expected)).max() == 1:
        return ": off by one, look at padding and rounding"
    return ""


def _hint(given, expected, tolerance):
    """Name the common mistake, if one explains the whole difference."""
    given, expected = given.astype(float), expected.astype(float)
    repaired = {"with the opposite sign": -given}
    for order in permutations(range(given.ndim)):
        repaired[f"with its axes in the order {order}"] = given.transpose(order)
    for axis in range(given.ndim):
        repaired[f"with axis {axis} reversed (flipped, or BGR?)"] = np.flip(given, axis)
    for remedy, array in repaired.items():
        if array.shape == expected.shape and _close(array, expected, tolerance).all():
            return f"; it would be right {remedy}"
    for axis, size in enumerate(given.shape):
        head, tail = range(size - 1), range(1, size)
        for step, ours, theirs in ((-1, tail, head), (1, head, tail)):
            target = expected.take(theirs, axis)
            moved = _close(given.take(ours, axis), target, tolerance).all()
            if moved and len(np.unique(target)) > 1:
                return f"; it would be right moved by {step:+d} along axis {axis} (off by one?)"
    return ""
