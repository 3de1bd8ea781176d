"""Checks of input, and errors that say what is wrong with it."""

import math
import operator

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


def check_class_names(class_names):
    """Refuse names of classes that are too many for a mask, none, or the same.

    Args:
        class_names: The names.

    Returns:
        A tuple of them.

    Raises:
        ValueError: Saying how many there are, or which is there twice.
    """
    names = tuple(class_names)
    if not 0 < len(names) < VOID:
        raise ValueError(f"class_names of {len(names)} names must be 1 to {VOID - 1} names.")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"class_names with {twice[0]!r} twice must be different names.")
    return names


def check_mask_and_logits(
    y_true, y_pred, num_classes: int | None = None, *, overlapping: bool = False
) -> None:
    """Refuse a mask and logits whose shapes do not belong together.

    Args:
        y_true: The mask, `(n, h, w)`; with `overlapping` also one mask a class, `(n, h, w, C)`.
        y_pred: The logits, `(n, h, w, C)`.
        num_classes: What C must be; None for any.
        overlapping: Whether a mask may give each class a mask of its own.

    Raises:
        ValueError: If a rank is wrong, sizes differ, or C is not `num_classes`.
    """
    mask, logits = tuple(y_true.shape), tuple(y_pred.shape)
    if len(mask) != 3 and not (overlapping and len(mask) == 4):
        or_more = " or one mask a class (n, h, w, C)" if overlapping else ""
        raise ValueError(f"y_true of shape {mask} must be a mask (n, h, w){or_more}.")
    if len(logits) != 4:
        raise ValueError(f"y_pred of shape {logits} must be logits (n, h, w, C).")
    if differ(mask, logits[: len(mask)]):
        sizes = "n, h and w" if len(mask) == 3 else "n, h, w and C"
        raise ValueError(
            f"y_true of shape {mask} and y_pred of shape {logits} must have the same {sizes}."
        )
    if num_classes is not None and logits[3] != num_classes:
        raise ValueError(
            f"y_pred of shape {logits} must have num_classes={num_classes} logits a pixel."
        )


def check_sample_weight(sample_weight, mask_shape) -> None:
    """Refuse sample weights that are neither one a picture nor one a pixel.

    Args:
        sample_weight: The weights, an array or tensor.
        mask_shape: The shape of the mask, `(n, h, w)` or `(n, h, w, C)`; sizes may be None.

    Raises:
        ValueError: If the rank is neither 1 nor 3, or a size differs from the mask's.
    """
    shape = tuple(sample_weight.shape)
    if len(shape) not in (1, 3) or differ(shape, mask_shape[: len(shape)]):
        n, h, w = (
            letter if size is None else size
            for letter, size in zip("nhw", mask_shape[:3], strict=True)
        )
        raise ValueError(
            f"sample_weight of shape {shape} must be one a picture ({n},) or one a pixel "
            f"({n}, {h}, {w})."
        )


def differ(shape, other) -> bool:
    """Tell whether two shapes of one rank differ in a size that both know."""
    return any(a != b for a, b in zip(shape, other, strict=True) if None not in (a, b))


def ignored_labels(ignore_label) -> tuple[int, ...]:
    """List the labels that take no part.

    Args:
        ignore_label: One label, several, or None or an empty sequence for none.

    Returns:
        The labels.

    Raises:
        ValueError: If one is not an integer.
    """
    if ignore_label is None:
        return ()
    try:
        return tuple(operator.index(label) for label in np.atleast_1d(ignore_label))
    except TypeError:
        raise ValueError(
            f"ignore_label={ignore_label!r} must be an integer, several, or None."
        ) from None


def one_or_list(labels):
    """Write labels as an error and a file show them: one as itself, several or none as a list."""
    return labels[0] if len(labels) == 1 else list(labels)


def check_range(argument: str, value, low, high=math.inf) -> None:
    """Refuse a number outside a closed range.

    Args:
        argument: The name of the argument, for the message.
        value: The number.
        low: The smallest that is allowed.
        high: The largest that is allowed.

    Raises:
        ValueError: If it is outside, or NaN.
    """
    if not low <= value <= high:
        allowed = f"{low} or more" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{argument}={value} must be {allowed}.")


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
