"""Predict large pictures tile by tile: with the logits that they would have at once, or blended."""

import math

import numpy as np


def predict_tiled(model, picture, tile, margin, stride, *, decide=None):
    """Predict a picture with a model whose logits have the picture's size.

    Tiles overlap by two margins. Logits closer than `margin` to an edge of their tile are thrown
    away, unless the picture ends there too. The result equals the prediction of the whole picture
    if the margin covers what the logits of a pixel depend on and the model divides each tile as it
    divides the picture, which `stride` ensures. A U-Net of depth d with "same" padding has the
    stride `2**d` and needs the margin `6 * 2**d`. No margin suffices for a model that pools over
    the whole picture.

    Only one tile at a time goes through the model; the logits of the whole picture are kept, or
    with `decide` what it makes of them: a mask takes a byte a pixel, where the logits of 20 classes
    take 80. All tiles have one size, so that the model is compiled once: up to `stride - 1` pixels
    less than `tile` where a side of the picture is no multiple of `stride`.

    Args:
        model: A model from pictures `(n, h, w, channels)` to logits `(n, h, w, C)`, for any size;
            of several outputs the first counts.
        picture: float array `(height, width, channels)` in [0, 1], or uint8, of which each tile is
            divided by 255.
        tile: Largest height and width of a tile, in pixels.
        margin: Width of what is thrown away, in pixels; a multiple of `stride`.
        stride: Output stride of the model's coarsest features: tiles start at multiples of it.
        decide: Function of a tile's logits `(h, w, C)` that gives an array `(h, w, ...)`, which is
            kept in their place; None keeps the logits.

    Returns:
        float32 logits `(height, width, C)`, or what `decide` gives for the whole picture.

    Raises:
        ValueError: If an argument does not fit, or if the logits have another size than the tile.
    """
    _check_picture(picture)
    inner = tile - 2 * margin
    if stride < 1 or margin < 0 or margin % stride or inner < 1 or inner % stride:
        raise ValueError(
            f"tile={tile}, margin={margin}, stride={stride}: margin and tile - 2 * margin must be "
            "multiples of stride, and tile larger than two margins."
        )
    rows, columns = (_spans(length, tile, margin, stride) for length in picture.shape[:2])
    result = None
    for top, bottom in rows:
        for left, right in columns:
            found = _predict_same(model, picture[top:bottom, left:right])
            if decide is not None:
                found = decide(found)
            if result is None:
                result = np.empty((*picture.shape[:2], *found.shape[2:]), found.dtype)
            # What lies too close to the bottom and right, the next tiles overwrite.
            above, before = margin * (top > 0), margin * (left > 0)
            result[top + above : bottom, left + before : right] = found[above:, before:]
    return result


def predict_blended(model, picture, tile, *, overlap=0.5, stride=1):
    """Predict a picture as the weighted mean of overlapping tiles; their middles count most.

    The weights are a Gaussian about the centre of the tile, with a standard deviation of an eighth
    of its side, and tiles overlap by half: the defaults of nnU-Net (Isensee et al. 2021; file
    `sliding_window_prediction.py` of its version 2). As there, logits are averaged, not
    probabilities. Other than there, tiles may start at multiples of a stride only.

    Nothing jumps where tiles meet. But the result does not equal the prediction of the whole
    picture, as that of `predict_tiled` with a wide margin does.

    Args:
        model: As for `predict_tiled`.
        picture: As for `predict_tiled`.
        tile: Largest height and width of a tile, in pixels.
        overlap: The share of a tile's side that the next tile covers too, at least.
        stride: Tiles start at multiples of it; with the model's output stride all tiles divide the
            picture alike.

    Returns:
        float32 logits `(height, width, C)`.

    Raises:
        ValueError: If an argument does not fit, or if the logits have another size than the tile.
    """
    _check_picture(picture)
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap={overlap} must be a share of the tile, 0 or more and below 1.")
    if not 1 <= stride <= tile:
        raise ValueError(f"tile={tile}, stride={stride}: stride must be 1 or more, at most tile.")
    half = math.ceil(overlap * tile / 2)
    rows, columns = (_spans(length, tile, half, stride) for length in picture.shape[:2])
    total, weights = None, np.zeros((*picture.shape[:2], 1), "float32")
    for top, bottom in rows:
        for left, right in columns:
            here = slice(top, bottom), slice(left, right)
            logits = _predict_same(model, picture[here])
            weight = np.outer(_bell(bottom - top), _bell(right - left))[..., None]
            if total is None:
                total = np.zeros((*picture.shape[:2], logits.shape[2]), "float32")
            total[here] += weight * logits
            weights[here] += weight
    return total / weights


def overlap_tile(model, picture, tile, stride):
    """Predict a picture with a model of "valid" convolutions, whose logits are smaller.

    Ronneberger, Fischer and Brox, 2015, section 2 and figure 2: the picture is mirrored at its
    border, and the tiles overlap by what the logits lack. The result equals the prediction of the
    whole mirrored picture. To that end tiles start at multiples of `stride`, which the paper does
    not mention: of 388 rows of logits, 384 are used.

    Only one tile at a time goes through the model; the logits of the whole picture are kept.

    Args:
        model: A model from pictures `(n, tile, tile, channels)` to logits `(n, s, s, C)`, where
            `tile - s` is even.
        picture: As for `predict_tiled`.
        tile: Height and width of a tile, in pixels; 572 in the paper.
        stride: Output stride of the model's coarsest features; 16 in the paper.

    Returns:
        float32 logits `(height, width, C)`.

    Raises:
        ValueError: If an argument does not fit.
    """
    _check_picture(picture)
    height, width, channels = picture.shape
    _, size, _, num_classes = model.compute_output_shape((1, tile, tile, channels))
    margin, rest = divmod(tile - size, 2)
    if rest or stride < 1 or size < stride:
        raise ValueError(
            f"tile={tile}, stride={stride}: the model turns the tile into {size}x{size} logits; "
            "what is lacking must be even, and stride be 1 or more and at most their size."
        )
    step = size // stride * stride
    tops, lefts = range(0, height, step), range(0, width, step)
    below, after = tops[-1] + tile - margin - height, lefts[-1] + tile - margin - width
    mirrored = np.pad(picture, ((margin, below), (margin, after), (0, 0)), mode="reflect")
    result = np.empty((tops[-1] + size, lefts[-1] + size, num_classes), "float32")
    for top in tops:
        for left in lefts:
            logits = _predict(model, mirrored[top : top + tile, left : left + tile])
            result[top : top + size, left : left + size] = logits
    return result[:height, :width]


def _spans(length, tile, margin, stride):
    """List where tiles start and end along an axis; the last ends with the picture."""
    if length <= tile:
        return [(0, length)]
    # The last of tiles this long starts at a multiple of the stride.
    size = tile - (tile - length) % stride
    step = (size - 2 * margin) // stride * stride
    if step == 0:  # such tiles are too short: only the last one is
        size, step = tile, stride
    last = math.ceil((length - size) / stride) * stride
    return [(start, min(start + size, length)) for start in [*range(0, last, step), last]]


def _bell(length):
    """Give a Gaussian over `length` pixels: 1 in the middle, 0.0003 at the ends."""
    places = (np.arange(length, dtype="float32") - (length - 1) / 2) / (length / 8)
    return np.exp(-(places**2) / 2)


def _predict_same(model, tile):
    logits = _predict(model, tile)
    if logits.shape[:2] != tile.shape[:2]:
        raise ValueError(
            f"model gives logits of size {logits.shape[:2]} for a tile of size {tile.shape[:2]}; "
            "the sizes must be equal. For 'valid' padding there is overlap_tile."
        )
    return logits


def _predict(model, tile):
    if tile.dtype == np.uint8:
        tile = tile / np.float32(255)
    logits = model.predict_on_batch(tile[None])
    first = logits[0] if isinstance(logits, list | tuple) else logits
    return first[0].astype("float32", copy=False)


def _check_picture(picture):
    if np.ndim(picture) != 3:
        raise ValueError(
            f"picture of shape {np.shape(picture)} must be (height, width, channels), one picture "
            "without a batch axis."
        )
