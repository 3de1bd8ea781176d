"""A dense conditional random field, refined by mean field: DeepLab's last step, for small pictures.

Every pixel is tied to every other one, so memory grows with the square of the number of pixels:
`4 (h w)^2` bytes, 64 MiB for a picture of 64 x 64, 324 MiB for 96 x 96. The published program
approximates the same sums with a permutohedral lattice, in linear time.
"""

import numpy as np

from segbook.checks import check_pictures


def mean_field(
    picture,
    probabilities,
    *,
    appearance_weight=4.0,
    position_width=10.0,
    color_width=0.05,
    smoothness_weight=1.0,
    smoothness_width=1.0,
    iterations=5,
):
    """Refine the probabilities of a network by the colours of the picture.

    Krähenbühl and Koltun, 2011: equations 1 to 3 with the Potts model, and algorithm 1. Neighbours
    in place and colour pull each other's labels together, and so do neighbours in place alone.

    Deviation: each kernel is divided by the square roots of its row and column sums, as in the
    authors' later program. So a weight does not depend on the size of the picture: it is about how
    much a pixel's logit gains when all its neighbours agree.

    Args:
        picture: float array `(h, w, channels)` with values in [0, 1].
        probabilities: float array `(h, w, C)`: the softmax of a network, positive, sums of 1.
        appearance_weight: Weight of the kernel on place and colour; 0 switches it off.
        position_width: Standard deviation of that kernel in place, in pixels.
        color_width: Standard deviation of that kernel in colour, where 1 is the full range.
        smoothness_weight: Weight of the kernel on place alone; 0 switches it off.
        smoothness_width: Standard deviation of that kernel, in pixels.
        iterations: Number of updates; 0 gives the probabilities back.

    Returns:
        float32 array `(h, w, C)`, positive, sums of 1 over the classes.

    Raises:
        ValueError: Naming the argument, what was given and what is allowed.
    """
    picture, probabilities = np.asarray(picture), np.asarray(probabilities)
    _check(picture, probabilities)
    for name, value in (
        ("position_width", position_width),
        ("color_width", color_width),
        ("smoothness_width", smoothness_width),
    ):
        if not value > 0:
            raise ValueError(f"{name}={value} must be a positive number.")
    for name, value in (
        ("appearance_weight", appearance_weight),
        ("smoothness_weight", smoothness_weight),
        ("iterations", iterations),
    ):
        if not value >= 0:
            raise ValueError(f"{name}={value} must be 0 or more.")

    kernels = []
    if appearance_weight:
        kernels.append((appearance_weight, _appearance(picture, position_width, color_width)))
    if smoothness_weight:
        kernels.append((smoothness_weight, _smoothness(picture.shape[:2], smoothness_width)))
    unary = np.log(np.maximum(probabilities.astype("float32"), 1e-20))
    beliefs = _softmax(unary)
    for _ in range(iterations):
        beliefs = _softmax(unary + sum(weight * spread(beliefs) for weight, spread in kernels))
    return beliefs


def _appearance(picture, position_width, color_width):
    """Make the function that sums beliefs over pixels near in place and colour."""
    height, width, channels = picture.shape
    places = np.mgrid[:height, :width].reshape(2, -1).T - [(height - 1) / 2, (width - 1) / 2]
    colors = picture.reshape(-1, channels) - 0.5
    features = np.hstack([places / position_width, colors / color_width]).astype("float32")
    # exp(-|a - b|^2 / 2) in place, since this matrix is the largest array by far.
    kernel = features @ features.T
    half = kernel.diagonal() / 2
    kernel -= half
    kernel -= half[:, None]
    np.exp(kernel, out=kernel)
    np.fill_diagonal(kernel, 0)
    scale = _inverse_root(kernel.sum(axis=1))[:, None]

    def spread(beliefs):
        flat = beliefs.reshape(height * width, -1)
        return (scale * (kernel @ (scale * flat))).reshape(beliefs.shape)

    return spread


def _smoothness(size, smoothness_width):
    """Make the function that sums beliefs over pixels near in place; the kernel is separable."""
    down, across = (
        np.exp(-0.5 * (np.subtract.outer(range(n), range(n)) / smoothness_width) ** 2) for n in size
    )
    down, across = down.astype("float32"), across.astype("float32")
    # A pixel is no neighbour of itself: take its own belief, of weight 1, out again.
    scale = _inverse_root(np.outer(down.sum(axis=1), across.sum(axis=1)) - 1)[:, :, None]

    def spread(beliefs):
        scaled = scale * beliefs
        sums = np.einsum("ai,bj,ijc->abc", down, across, scaled, optimize=True)
        return scale * (sums - scaled)

    return spread


def _inverse_root(sums):
    """Return one over the square root; 0 for a pixel without neighbours."""
    return np.where(sums > 1e-20, 1 / np.sqrt(np.maximum(sums, 1e-20)), 0).astype("float32")


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _check(picture, probabilities):
    if picture.ndim != 3:
        raise ValueError(
            f"picture of shape {picture.shape} must be one picture (height, width, channels)."
        )
    check_pictures(picture[None], "picture")
    if probabilities.ndim != 3 or probabilities.shape[:2] != picture.shape[:2]:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} must be "
            f"({picture.shape[0]}, {picture.shape[1]}, C): the picture's height and width and one "
            "value a class."
        )
    sums = probabilities.sum(axis=-1)
    if not (probabilities.min() >= 0 and np.allclose(sums, 1, atol=1e-3)):  # also true for NaN
        raise ValueError(
            f"probabilities with values from {probabilities.min():g} and sums from "
            f"{sums.min():g} to {sums.max():g} must be 0 or more and sum to 1 over "
            "the classes (apply softmax to logits first)."
        )
