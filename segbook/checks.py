"""Checks that losses and metrics make on their input."""

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


def check_pair(y_true, y_pred, num_classes: int | None = None) -> None:
    """Refuse a mask and logits whose shapes do not belong together.

    Args:
        y_true: The mask, `(n, h, w)`.
        y_pred: The logits, `(n, h, w, C)`.
        num_classes: What C must be; None for any.

    Raises:
        ValueError: If a rank is wrong, sizes differ, or C is not `num_classes`.
    """
    mask, logits = tuple(y_true.shape), tuple(y_pred.shape)
    if len(mask) != 3:
        raise ValueError(f"y_true must be a mask of shape (n, h, w), got shape {mask}")
    if len(logits) != 4:
        raise ValueError(f"y_pred must be logits of shape (n, h, w, C), got shape {logits}")
    if any(a != b for a, b in zip(mask, logits[:3], strict=True) if None not in (a, b)):
        raise ValueError(
            f"y_true and y_pred must have the same n, h and w, got shapes {mask} and {logits}"
        )
    if num_classes is not None and logits[3] != num_classes:
        raise ValueError(
            f"y_pred must have num_classes={num_classes} logits a pixel, got shape {logits}"
        )


def check_class_values(argument: str, values, num_classes: int) -> None:
    """Refuse per-class values whose number is not the number of classes.

    Args:
        argument: The name of the argument, for the message.
        values: One value a class, or None.
        num_classes: How many there must be.

    Raises:
        ValueError: If the number differs.
    """
    if values is not None and len(values) != num_classes:
        raise ValueError(f"{argument} has {len(values)} values for {num_classes} classes")
