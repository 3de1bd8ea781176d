"""Checks that every model makes of its arguments."""


def check_arguments(num_classes, input_shape, minimum=1):
    """Raise when the number of classes or the size of the pictures cannot work.

    Args:
        num_classes: Number of classes, void not counted.
        input_shape: `(height, width, channels)`; height and width may be None.
        minimum: Smallest height and width that the model can take.

    Raises:
        ValueError: If `num_classes` is less than 2 or `input_shape` does not fit.
    """
    if num_classes < 2:
        raise ValueError(
            f"num_classes={num_classes} must be 2 or more; for one kind of object, use 2 classes: "
            "background and object."
        )
    if len(input_shape) != 3 or not input_shape[-1]:
        raise ValueError(
            f"input_shape={tuple(input_shape)} must be (height, width, channels); height and width "
            "may be None, channels may not."
        )
    if any(size is not None and size < minimum for size in input_shape[:2]):
        raise ValueError(
            f"input_shape={tuple(input_shape)} is too small: this model needs pictures of at least "
            f"{minimum}x{minimum}. Give larger pictures, or resize them first."
        )
