"""Predict picture files with a saved model, whatever their size and kind: masks and overlays."""

import re
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from segbook.checks import check_class_names
from segbook.datasets.disk.decode import EIGHT_BIT, open_upright
from segbook.datasets.disk.load import check_size
from segbook.datasets.disk.resize import resize_mask, resize_picture
from segbook.inference import predict_tiled
from segbook.palette import palette

TILE = 1024  # pixels; a picture that is larger is predicted tile by tile
MARGIN = 128  # pixels at a tile's edges that the next tile gives
STRIDE = 32
SIXTEEN_BIT = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
OPACITY = 0.55


def load_model(path):
    """Load a model that gives logits of its picture's size.

    Args:
        path: The file, such as "streets.keras".

    Returns:
        A `keras.Model`, not compiled.

    Raises:
        ValueError: If there is no such model, or it takes or gives something else.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        model = keras.saving.load_model(path, compile=False)
        given, output = model.input_shape, _output_shape(model)
    except Exception as error:  # as many kinds as there are ways to be no model
        raise ValueError(f"{path}: not a model that Keras can read ({_first(error)})") from error
    if not isinstance(given, tuple) or len(given) != 4 or given[3] != 3:
        raise ValueError(f"{path}: takes inputs of shape {given}, expected (None, None, None, 3)")
    if not isinstance(output, tuple) or len(output) != 4 or not 0 < (output[3] or 0) < 256:
        raise ValueError(f"{path}: gives outputs of shape {output}, expected logits a pixel")
    return model


def model_classes(path, count, names=None):
    """Name the classes of a model and give them colours.

    A text file beside the model, "streets.classes.txt" for "streets.keras", has one class a line:
    its name, and if it is not to have the book's colour, its red, green and blue.

    Args:
        path: The model's file.
        count: The number of its logits; one logit has two classes.
        names: The names, in place of those of the text file; None for those, or numbers.

    Returns:
        Names, a tuple, and colours, uint8 `(num_classes, 3)`.

    Raises:
        ValueError: If there are more or fewer names than classes, or colours that are none.
    """
    listing, count = Path(path).with_suffix(".classes.txt"), max(count, 2)
    colors = {}
    if names is None and listing.is_file():
        lines = listing.read_text(encoding="utf-8").splitlines()
        rows = [re.fullmatch(r"(.+?)(?:\s+(\d+) +(\d+) +(\d+))?", line.strip()) for line in lines]
        names = [row[1] for row in rows if row]
        colors = {
            row[1]: [int(text) for text in row.groups()[1:]] for row in rows if row and row[2]
        }
    elif names is None:
        names = [f"class {i}" for i in range(count)]
    names = check_class_names(names)
    if len(names) != count:
        raise ValueError(f"{path}: has {count} classes, but {len(names)} are named")
    if any(max(color) > 255 for color in colors.values()):
        raise ValueError(f"{listing}: colours must be of 0..255")
    of_the_book = palette(names).tolist()
    chosen = [colors.get(name, own) for name, own in zip(names, of_the_book, strict=True)]
    return names, np.array(chosen, np.uint8)


def read_any(path):
    """Read a picture of any kind: upright, in eight bits, transparent parts white.

    Args:
        path: The file, a `pathlib.Path`.

    Returns:
        uint8 array `(height, width, 3)`; values of 16 bits are divided by 257.

    Raises:
        ValueError: If it is no picture, or has more than 16 bits a channel.
    """
    if not path.is_file():
        raise ValueError("no such file")
    image = open_upright(path)
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"mode {image.mode}, expected 8 or 16 bits a channel")
        image = Image.fromarray((values // 257).astype(np.uint8))
    if image.mode not in EIGHT_BIT:
        raise ValueError(f"mode {image.mode}, expected 8 or 16 bits a channel")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def predict_mask(model, picture, size=None):
    """Predict the class of each pixel, in memory of a few bytes a pixel.

    A picture of more than 1024 pixels a side goes through the model in tiles that overlap by 256:
    enough for most networks, but not the same as at once for one that pools over the whole picture.

    Args:
        model: As `load_model` gives it.
        picture: uint8 `(height, width, 3)`.
        size: `(height, width)` that the model gets instead; None for the picture's, or the model's
            if it takes one size only.

    Returns:
        uint8 `(height, width)`, the class of the largest logit; of a single logit, 1 where it is
        above 0.

    Raises:
        ValueError: If the model takes another size only, or its logits have another.
    """
    only = model.input_shape[1:3]
    fixed = None not in only
    if fixed and size not in (None, only):
        raise ValueError(f"size={size} must be {only}, the only one that the model takes.")
    size = size or (only if fixed else picture.shape[:2])
    tile = (max(size), 0, 1) if fixed else (TILE, MARGIN, STRIDE)
    mask = predict_tiled(model, resize_picture(picture, size), *tile, decide=_decide)
    return resize_mask(mask, picture.shape[:2])


def predict_files(model_path, pictures, out, *, class_names=None, size=None, overlay=True):
    """Predict pictures one by one and save a mask, a PNG with a palette, and an overlay of each.

    Of `street.jpg` they are `street_mask.png` and `street_overlay.jpg`.

    Args:
        model_path: A file as for `load_model`.
        pictures: Paths of pictures, of any size and kind.
        out: The folder for what is saved; made if need be.
        class_names: See `model_classes`.
        size: See `predict_mask`.
        overlay: False saves masks alone.

    Yields:
        Each picture's path, and None or one line that says why there is no mask of it.

    Raises:
        ValueError: If the model, the names or the size are not what they should be.
        OSError: If the folder cannot be made.
    """
    check_size(size)
    model = load_model(model_path)
    _, colors = model_classes(model_path, _output_shape(model)[3], class_names)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    made = {}
    for path in map(Path, pictures):
        problem = None
        try:
            if path.stem in made:
                raise ValueError(f"its mask would have the name of that of {made[path.stem]}")
            picture = read_any(path)
            mask = Image.fromarray(predict_mask(model, picture, size))
            mask.putpalette(colors.ravel().tolist())
            mask.save(out / f"{path.stem}_mask.png")
            made[path.stem] = path
            if overlay:
                both = Image.blend(Image.fromarray(picture), mask.convert("RGB"), OPACITY)
                both.save(out / f"{path.stem}_overlay.jpg", quality=90)
        except Exception as error:  # backends fail in ways of their own; the other pictures go on
            problem = _first(error)
        yield path, problem


def _output_shape(model):
    shape = model.output_shape
    return shape[0] if isinstance(shape, list) else shape


def _decide(logits):
    if logits.shape[2] == 1:
        return (logits[..., 0] > 0).astype(np.uint8)
    return logits.argmax(axis=2).astype(np.uint8)


def _first(error):
    """Give the first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
