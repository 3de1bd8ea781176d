"""Changes to pictures and masks that a model should not mind.

An augmentation is a function `augment(images, masks, rng)` from one batch to another: float
pictures `(n, h, w, c)`, integer masks `(n, h, w)`, and a `numpy.random.Generator` for every draw.
It computes with `keras.ops`, so it takes NumPy arrays or the backend's tensors, on any device.
"""

import numpy as np
from keras import ops

from segbook.samples import VOID


def chain(*augmentations):
    """Apply several augmentations, one after the other.

    Args:
        *augmentations: Functions `(images, masks, rng)` to a batch of the same kind.

    Returns:
        One such function.
    """

    def augment(images, masks, rng):
        for each in augmentations:
            images, masks = each(images, masks, rng)
        return images, masks

    return augment


def flip(images, masks, rng):
    """Mirror every second pair, on average, left to right.

    Args:
        images: float `(n, h, w, c)`.
        masks: integer `(n, h, w)`.
        rng: `numpy.random.Generator`.

    Returns:
        Images and masks of the same shapes and dtypes.
    """
    images, masks = ops.convert_to_tensor(images), ops.convert_to_tensor(masks)
    mirrored = ops.convert_to_tensor(rng.random(len(images)) < 0.5)
    images = ops.where(mirrored[:, None, None, None], ops.flip(images, axis=2), images)
    return images, ops.where(mirrored[:, None, None], ops.flip(masks, axis=2), masks)


def warp(size=None, *, scale=(1, 1), rotate=0, shear=0, translate=0, mirror=0.5, void=VOID):
    """Make an augmentation that scales, turns, shears, moves, mirrors and crops in one resampling.

    Resampling once keeps pictures sharper than one step after another would. Where the scaled
    picture is larger than the result, a random part of it is cut out; where it is smaller, it lies
    at a random place, in black and void.

    Args:
        size: `(height, width)` of the results; None for the size of what comes in.
        scale: The smallest and the largest factor; drawn uniformly in its logarithm.
        rotate: Largest angle, in degrees, either way.
        shear: Largest angle of shear along x, in degrees, either way.
        translate: Largest shift, as a share of height and width, either way.
        mirror: Probability of mirroring left to right.
        void: What masks get outside the picture.

    Returns:
        A function `(images, masks, rng)` to images and masks.

    Raises:
        ValueError: If an argument is out of range.
    """
    low, high = scale
    if not 0 < low <= high:
        raise ValueError(f"scale={scale} must be 0 < smallest <= largest.")
    if not 0 <= mirror <= 1:
        raise ValueError(f"mirror={mirror} must be a probability.")
    for name, value in {"rotate": rotate, "shear": shear, "translate": translate}.items():
        if value < 0:
            raise ValueError(f"{name}={value} must be 0 or more.")
    if shear >= 90:
        raise ValueError(f"shear={shear} must be less than 90 degrees.")

    def augment(images, masks, rng):
        count, *old = images.shape[:3]
        new = size or tuple(old)
        factor = np.exp(rng.uniform(np.log(low), np.log(high), count))
        slack = np.abs(np.array(old) - np.array(new) / factor[:, None]) / 2
        room = slack + translate * np.array(old)
        matrices = affine(
            old,
            new,
            scale=factor,
            angle=np.radians(rng.uniform(-rotate, rotate, count)),
            shear=np.tan(np.radians(rng.uniform(-shear, shear, count))),
            mirrored=rng.random(count) < mirror,
            shift=rng.uniform(-1, 1, (count, 2)) * room,
        )
        return resample(images, masks, matrices, new, void=void)

    return augment


def affine(old, new, scale, angle, shear, mirrored, shift):
    """Compute the matrices that take pixels of the result to places in the picture.

    The picture is mirrored, sheared, turned counter-clockwise as seen, scaled, each about its
    centre; `shift` says how far from the picture's centre the centre of the result lies.

    Args:
        old: `(height, width)` of the pictures.
        new: `(height, width)` of the results.
        scale: Factors, `(n,)`.
        angle: Radians, `(n,)`.
        shear: How far x moves per pixel of y, `(n,)`.
        mirrored: bool `(n,)`.
        shift: Pixels of the picture along y and x, `(n, 2)`.

    Returns:
        float32 array `(n, 2, 3)`: `(x, y)` in the picture = matrix @ `(x, y, 1)` in the result,
        pixel centres at whole numbers.
    """
    zero, one = np.zeros_like(scale), np.ones_like(scale)
    cosine, sine = np.cos(angle), np.sin(angle)
    mirror = _matrix(np.where(mirrored, -one, one), zero, zero, one)
    unshear = _matrix(one, -shear, zero, one)
    unturn = _matrix(cosine, -sine, sine, cosine)
    linear = mirror @ unshear @ unturn / scale[:, None, None]
    center_old = (np.array(old[::-1]) - 1) / 2 + shift[:, ::-1]
    center_new = (np.array(new[::-1]) - 1) / 2
    offset = center_old - linear @ center_new
    return np.concatenate([linear, offset[:, :, None]], axis=2).astype("float32")


def resample(images, masks, matrices, size=None, *, void=VOID):
    """Look up pictures and masks at the same places: bilinear and nearest.

    Args:
        images: float `(n, h, w, c)`.
        masks: integer `(n, h, w)`.
        matrices: float `(n, 2, 3)`: `(x, y)` in the picture = matrix @ `(x, y, 1)` in the result,
            pixel centres at whole numbers.
        size: `(height, width)` of the results; None for the size of what comes in.
        void: What masks get outside the picture; pictures get 0.

    Returns:
        Images `(n, *size, c)` and masks `(n, *size)` of the same dtypes. A whole-number matrix
        gives the same values to the bit.
    """
    images, masks = ops.convert_to_tensor(images), ops.convert_to_tensor(masks)
    count, height, width, channels = images.shape
    rows, columns = size or (height, width)
    matrices = ops.convert_to_tensor(matrices, "float32")
    grid_y = ops.convert_to_tensor(np.repeat(np.arange(rows, dtype="float32"), columns))
    grid_x = ops.convert_to_tensor(np.tile(np.arange(columns, dtype="float32"), rows))
    x = matrices[:, 0, 0:1] * grid_x + matrices[:, 0, 1:2] * grid_y + matrices[:, 0, 2:3]
    y = matrices[:, 1, 0:1] * grid_x + matrices[:, 1, 1:2] * grid_y + matrices[:, 1, 2:3]
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)

    first = ops.convert_to_tensor(np.arange(count, dtype="int32")[:, None] * (height * width))

    def pixels(row, column):
        row = ops.clip(ops.cast(row, "int32"), 0, height - 1)
        column = ops.clip(ops.cast(column, "int32"), 0, width - 1)
        return ops.reshape(first + row * width + column, (-1,))

    nearest = ops.take(
        ops.reshape(masks, (-1,)), pixels(ops.floor(y + 0.5), ops.floor(x + 0.5)), axis=0
    )
    nearest = ops.where(ops.reshape(inside, (-1,)), nearest, ops.cast(void, masks.dtype))

    left, top = ops.floor(x), ops.floor(y)
    flat = ops.reshape(images, (-1, channels))
    colors = 0.0
    for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            weight = ops.reshape(ops.where(inside, weight_y * weight_x, 0.0), (-1, 1))
            colors = colors + ops.cast(weight, images.dtype) * ops.take(
                flat, pixels(row, column), axis=0
            )
    return (
        ops.reshape(colors, (count, rows, columns, channels)),
        ops.reshape(nearest, (count, rows, columns)),
    )


def pad(images, masks, size, *, void=VOID):
    """Make pictures and masks larger: black and void at the right and the bottom.

    Args:
        images: float `(n, h, w, c)`.
        masks: integer `(n, h, w)`.
        size: `(height, width)` of the results, no smaller than what comes in.
        void: What masks get outside the picture.

    Returns:
        Images `(n, *size, c)` and masks `(n, *size)`.

    Raises:
        ValueError: If `size` is smaller than the pictures.
    """
    below, right = size[0] - images.shape[1], size[1] - images.shape[2]
    if below < 0 or right < 0:
        raise ValueError(f"size={size} must be at least {tuple(images.shape[1:3])}.")
    widths = ((0, 0), (0, below), (0, right))
    return ops.pad(images, (*widths, (0, 0))), ops.pad(masks, widths, constant_values=void)


def photometric(*, brightness=0, contrast=0, saturation=0, gamma=0, noise=0, blur=0):
    """Make an augmentation of light and camera: pictures change, masks do not.

    Every picture has its own draws, uniform within the limits; 0 leaves a step out. The order is
    that of the arguments; the result is clipped to [0, 1].

    Args:
        brightness: Largest value added to all channels, either way.
        contrast: Largest change of the factor about the picture's mean, below 1.
        saturation: Largest change of the factor about each pixel's grey, below 1.
        gamma: Largest logarithm of the exponent, either way.
        noise: Largest standard deviation of Gaussian noise, each channel on its own.
        blur: Largest standard deviation of a Gaussian blur, in pixels.

    Returns:
        A function `(images, masks, rng)` to images and masks.

    Raises:
        ValueError: If an argument is out of range.
    """
    limits = {"brightness": brightness, "gamma": gamma, "noise": noise, "blur": blur}
    for name, value in (limits | {"contrast": contrast, "saturation": saturation}).items():
        if value < 0:
            raise ValueError(f"{name}={value} must be 0 or more.")
    for name, value in {"contrast": contrast, "saturation": saturation}.items():
        if value >= 1:
            raise ValueError(f"{name}={value} must be less than 1.")

    def augment(images, masks, rng):
        images = ops.convert_to_tensor(images)

        def draw(low, high):
            return ops.convert_to_tensor(rng.uniform(low, high, (len(images), 1, 1, 1)), "float32")

        if brightness:
            images = images + draw(-brightness, brightness)
        if contrast:
            factor = draw(1 - contrast, 1 + contrast)
            images = images * factor + ops.mean(images, (1, 2, 3), keepdims=True) * (1 - factor)
        if saturation:
            factor = draw(1 - saturation, 1 + saturation)
            images = images * factor + ops.mean(images, 3, keepdims=True) * (1 - factor)
        if gamma:
            images = ops.clip(images, 0, 1) ** ops.exp(draw(-gamma, gamma))
        if noise:
            grain = rng.standard_normal(tuple(images.shape), "float32")
            images = images + draw(0, noise) * ops.convert_to_tensor(grain)
        if blur:
            images = _blurred(images, draw(0, blur), radius=int(np.ceil(3 * blur)))
        return ops.clip(images, 0, 1), masks

    return augment


def _blurred(images, sigma, radius):
    """Blur each picture with a Gaussian of its own `sigma`, pixels at the edge repeated."""
    sigma = ops.maximum(sigma, 1e-3)
    taps = range(-radius, radius + 1)
    weights = [ops.exp(-0.5 * (tap / sigma) ** 2) for tap in taps]
    total = sum(weights)
    for axis in (1, 2):
        steps = np.arange(images.shape[axis])
        shifted = (ops.take(images, np.clip(steps + tap, 0, len(steps) - 1), axis) for tap in taps)
        images = sum(w / total * each for w, each in zip(weights, shifted, strict=True))
    return images


def _matrix(a, b, c, d):
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)
