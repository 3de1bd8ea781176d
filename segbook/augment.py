"""Changes to pictures and masks that a model should not mind.

`chain`, `elastic`, `flip`, `pad`, `photometric` and `warp` make augmentations: functions
`augment(images, masks, rng)` from one batch to another. They take float pictures `(n, h, w, c)` in
[0, 1], integer masks `(n, h, w)` and a `numpy.random.Generator` for every draw, and give NumPy
arrays of the same dtypes, computed on the processor: beside the training, not in it.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from segbook.samples import VOID


def chain(*augmentations):
    """Make an augmentation of several, one after the other.

    Args:
        *augmentations: Functions `(images, masks, rng)` to a batch of the same kind.

    Returns:
        A function `(images, masks, rng)` to images and masks.

    Raises:
        ValueError: If one of them is no augmentation.
    """
    for each in augmentations:
        check_augmentation(each)

    def augment(images, masks, rng):
        for each in augmentations:
            images, masks = each(images, masks, rng)
        return images, masks

    return augment


def flip():
    """Make an augmentation that mirrors every second pair, on average, left to right.

    Returns:
        A function `(images, masks, rng)` to images and masks.
    """

    def augment(images, masks, rng):
        images, masks = np.array(images), np.array(masks)
        mirrored = rng.random(len(images)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        masks[mirrored] = masks[mirrored, :, ::-1]
        return images, masks

    return augment


def warp(size=None, *, scale=(1, 1), rotate=0, shear=0, translate=0, mirror=0.5, void=VOID):
    """Make an augmentation that scales, turns, shears, moves, mirrors and crops in one resampling.

    Resampling once keeps pictures sharper than one step after another would. Where the scaled
    picture is larger than the result, a random part of it is cut out; where it is smaller, it lies
    at a random place, in black and void. Pictures that shrink are blurred first, with a Gaussian of
    half a pixel for each pixel that a step grows by, so that fine stripes turn grey and not into
    coarse ones.

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
        if low < 1:
            softness = np.maximum(1 / factor - 1, 0) / 2
            radius = int(np.ceil(1.5 * (1 / low - 1)))  # three deviations
            soft = _blurred(images.astype("float32", copy=False), softness, radius)
            images = soft.astype(images.dtype, copy=False)
        return resample(images, masks, matrices, new, void=void)

    return augment


def elastic(deviation=10, *, grid=3, void=VOID):
    """Make an augmentation that bends pictures and masks smoothly, as if drawn on rubber.

    That of U-Net (Ronneberger, Fischer and Brox 2015, section 3.1): random shifts at the points of
    a coarse grid, and cubic interpolation between them; here by a cubic spline, and what comes from
    outside the picture is black and void. Keep `deviation` well below the distance between two
    points of the grid, or the rubber folds.

    Args:
        deviation: Standard deviation of the shifts along y and along x, in pixels.
        grid: Points of the grid along each axis; the outermost lie in the corners.
        void: What masks get outside the picture.

    Returns:
        A function `(images, masks, rng)` to images and masks.

    Raises:
        ValueError: If an argument is out of range.
    """
    if deviation < 0:
        raise ValueError(f"deviation={deviation} must be 0 or more.")
    if grid < 2:
        raise ValueError(f"grid={grid} must be 2 points or more.")

    def augment(images, masks, rng):
        height, width = images.shape[1:3]
        knots = np.meshgrid(*(np.linspace(0, grid - 1, n) for n in (height, width)), indexing="ij")
        shifts = rng.normal(0, deviation, (len(images), 2, grid, grid))
        new_images, new_masks = np.empty_like(images), np.empty_like(masks)
        for i, shift in enumerate(shifts):
            bend = [ndimage.map_coordinates(s, knots, order=3, mode="mirror") for s in shift]
            new_images[i], new_masks[i] = _looked_up(
                images[i], masks[i], np.indices((height, width)) + bend, void
            )
        return new_images, new_masks

    return augment


def _looked_up(image, mask, places, void):
    """Look up one pair at places `(2, h, w)`, rows and columns: bilinear and nearest."""
    limits = np.reshape(mask.shape, (2, 1, 1)) - 0.5
    inside = ((places >= -0.5) & (places < limits)).all(0)
    rows, columns = np.floor(places + 0.5).astype(int)
    nearest = mask[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    planes = [
        ndimage.map_coordinates(plane, places, output="float32", order=1, mode="nearest")
        for plane in np.moveaxis(image.astype("float32", copy=False), -1, 0)
    ]
    return np.where(inside[..., None], np.stack(planes, -1), 0), np.where(inside, nearest, void)


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
    images, masks = np.asarray(images), np.asarray(masks)
    count, height, width, channels = images.shape
    rows, columns = size or (height, width)
    new_images = np.empty((count, rows, columns, channels), images.dtype)
    new_masks = np.empty((count, rows, columns), masks.dtype)
    for i, matrix in enumerate(np.asarray(matrices, "float64")):
        # Pillow counts from a pixel's corner.
        linear, offset = matrix[:, :2], matrix[:, 2] + 0.5 - matrix[:, :2].sum(1) / 2
        places = np.column_stack([linear, offset]).ravel().tolist()
        for channel in range(channels):
            plane = Image.fromarray(images[i, :, :, channel].astype("float32", copy=False))
            new_images[i, :, :, channel] = plane.transform(
                (columns, rows), Image.Transform.AFFINE, places, Image.Resampling.BILINEAR
            )
        # Of an affine transform without interpolation Pillow would round the places.
        mask = Image.fromarray(masks[i].astype("int32", copy=False))
        new_masks[i] = mask.transform(
            (columns, rows), Image.Transform.PERSPECTIVE, [*places, 0, 0], fillcolor=void
        )
    return new_images, new_masks


def pad(size, *, void=VOID):
    """Make an augmentation that enlarges: black and void at the right and the bottom.

    Args:
        size: `(height, width)` of the results, no smaller than what comes in.
        void: What masks get outside the picture.

    Returns:
        A function `(images, masks, rng)` to images and masks; it raises ValueError if `size` is
        smaller than the pictures.
    """

    def augment(images, masks, rng):
        below, right = size[0] - images.shape[1], size[1] - images.shape[2]
        if below < 0 or right < 0:
            raise ValueError(f"size={size} must be at least {tuple(images.shape[1:3])}.")
        widths = ((0, 0), (0, below), (0, right))
        return np.pad(images, (*widths, (0, 0))), np.pad(masks, widths, constant_values=void)

    return augment


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
        dtype, channels = images.dtype, images.shape[3]
        images = np.array(images, "float32")

        def draw(low, high):
            return rng.uniform(low, high, (len(images), 1, 1, 1)).astype("float32")

        if brightness:
            images += draw(-brightness, brightness)
        if contrast:
            factor = draw(1 - contrast, 1 + contrast)
            mean = images.mean((1, 2, 3), keepdims=True)
            images *= factor
            images += mean * (1 - factor)
        if saturation:
            factor = draw(1 - saturation, 1 + saturation)
            # A product with a matrix takes a tenth of the time of `mean` over a short axis.
            grey = images @ np.full((channels, 1), 1 / channels, "float32")
            images *= factor
            images += grey * (1 - factor)
        if gamma:
            images = np.clip(images, 0, 1) ** np.exp(draw(-gamma, gamma))
        if noise:
            grain = rng.standard_normal(images.shape, "float32")
            images += draw(0, noise) * grain
        if blur:
            images = _blurred(images, draw(0, blur).ravel(), radius=int(np.ceil(3 * blur)))
        return np.clip(images, 0, 1).astype(dtype, copy=False), masks

    return augment


def _blurred(images, sigmas, radius):
    """Blur each picture with a Gaussian of its own width, pixels at the edge repeated."""
    blurred = np.empty_like(images)
    for image, sigma, result in zip(images, sigmas, blurred, strict=True):
        ndimage.gaussian_filter(
            image, (sigma, sigma, 0), output=result, mode="nearest", radius=radius
        )
    return blurred


def _matrix(a, b, c, d):
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)


CALLS = {
    chain: "chain(pipeline.flip(), ...)",
    elastic: "elastic()",
    flip: "flip()",
    pad: "pad(size)",
    photometric: "photometric(brightness=0.1)",
    warp: "warp(scale=(0.5, 2))",
}


def check_augmentation(augmentation):
    """Refuse what is no augmentation, such as a function that only makes one.

    Args:
        augmentation: What should be a function `(images, masks, rng)`.

    Raises:
        ValueError: Showing the right call.
    """
    if not callable(augmentation):
        raise ValueError(
            f"augment={augmentation!r} must be a function (images, masks, rng), such as "
            "pipeline.flip()."
        )
    for make, call in CALLS.items():
        if augmentation is make:
            raise ValueError(
                f"augment=pipeline.{make.__name__} must be called: augment=pipeline.{call}."
            )
