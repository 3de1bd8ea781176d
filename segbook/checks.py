"""Checks of input, and errors that say what is wrong with it."""

import numpy as np

from segbook.samples import VOID

SHOWN = 5  # problems listed in one error


def check_pictures(images, name="images"):
    """Refuse pictures that are not float arrays `(n, h, w, channels)` in [0, 1].

    Args:
        images: The pictures.
        name: The argument's name, for the error.

    Raises:
        ValueError: Naming the argument, what was found and what is allowed.
    """
    allowed = "float pictures of shape (count, height, width, channels) with values in [0, 1]"
    if images.ndim != 4:
        raise ValueError(f"{name} of shape {images.shape} must be {allowed}.")
    if 0 in images.shape:
        raise ValueError(f"{name} of shape {images.shape} is empty; it must be {allowed}.")
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"{name} of dtype {images.dtype} must be {allowed} (for uint8, divide by 255)."
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise ValueError(f"{name} with values from {low:g} to {high:g} must be {allowed}.")


def check_masks(masks, num_classes, void=VOID, name="masks"):
    """Refuse masks that are not integer arrays `(n, h, w)` of class ids and void.

    Args:
        masks: The masks.
        num_classes: The number of classes; ids go from 0 to `num_classes - 1`.
        void: The one other value that is allowed.
        name: The argument's name, for the error.

    Raises:
        ValueError: Naming the argument, what was found and what is allowed.
    """
    allowed = f"integers 0..{num_classes - 1} and void = {void}, shape (count, height, width)"
    if masks.ndim != 3:
        raise ValueError(f"{name} of shape {masks.shape} must be {allowed}.")
    if 0 in masks.shape:
        raise ValueError(f"{name} of shape {masks.shape} is empty; it must be {allowed}.")
    if not np.issubdtype(masks.dtype, np.integer):
        raise ValueError(f"{name} of dtype {masks.dtype} must be {allowed}.")
    unknown = unknown_ids(masks, num_classes, void)
    if unknown:
        where = next(i for i in range(len(masks)) if unknown_ids(masks[i], num_classes, void))
        raise ValueError(
            f"{name} with the unknown {ids_text(unknown)}, first in {name}[{where}], "
            f"must be {allowed}."
        )


def check_pictures_and_masks(images, masks, num_classes, void=VOID):
    """Refuse pictures and masks that cannot be trained on.

    Args:
        images: float array `(n, h, w, channels)` in [0, 1].
        masks: integer array `(n, h, w)` of ids 0..`num_classes - 1` and `void`.
        num_classes: The number of classes.
        void: The mask value that means "no label here".

    Raises:
        ValueError: Naming the argument, what was found and what is allowed.
    """
    check_pictures(images)
    check_masks(masks, num_classes, void)
    if images.shape[:3] != masks.shape:
        raise ValueError(
            f"images of shape {images.shape} and masks of shape {masks.shape} must have the same "
            "count, height and width."
        )


def unknown_ids(mask, num_classes, void=VOID):
    """List the values of a mask that are neither a class nor void.

    Args:
        mask: integer array of any shape.
        num_classes: The number of classes.
        void: The mask value that means "no label here".

    Returns:
        A sorted list of int.
    """
    wrong = ((mask < 0) | (mask >= num_classes)) & (mask != void)
    return np.unique(mask[wrong]).tolist()


def ids_text(ids, noun="label"):
    """Write `[12, 13]` as `labels 12, 13`, shortened when there are many."""
    text = ", ".join(map(str, ids[:SHOWN])) + (", ..." if len(ids) > SHOWN else "")
    return f"{noun if len(ids) == 1 else noun + 's'} {text}"


def check_mask_and_logits(y_true, y_pred, num_classes: int | None = None) -> None:
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
        raise ValueError(f"y_true of shape {mask} must be a mask (n, h, w).")
    if len(logits) != 4:
        raise ValueError(f"y_pred of shape {logits} must be logits (n, h, w, C).")
    if any(a != b for a, b in zip(mask, logits[:3], strict=True) if None not in (a, b)):
        raise ValueError(
            f"y_true of shape {mask} and y_pred of shape {logits} must have the same n, h and w."
        )
    if num_classes is not None and logits[3] != num_classes:
        raise ValueError(
            f"y_pred of shape {logits} must have num_classes={num_classes} logits a pixel."
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
        raise ValueError(
            f"{argument} of {len(values)} values must have one a class, {num_classes}."
        )
