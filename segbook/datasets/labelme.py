"""What LabelMe saves: a JSON file of shapes beside each picture."""

from pathlib import Path

import numpy as np

from segbook.checks import check_class_names
from segbook.datasets.disk.decode import named, read_json
from segbook.datasets.disk.errors import refuse
from segbook.datasets.disk.find import in_order, missing, nested, without_extension
from segbook.datasets.disk.load import Files, load
from segbook.datasets.disk.shapes import circle, polygon, rectangle
from segbook.palette import palette
from segbook.samples import VOID, Task

SHAPES = {"polygon": polygon, "rectangle": rectangle, "circle": circle}


def labelme(
    folder,
    class_names,
    *,
    void=("__ignore__",),
    size=None,
    pad=False,
    lazy=False,
    cache=None,
):
    """Read the JSON files that LabelMe saved in a folder and all in it, and their pictures.

    Shapes are polygons, rectangles and circles. Each is full: what is to be a hole is a later shape
    of another class, for a shape covers those before it in the file. A pixel belongs to a polygon
    or a rectangle if its centre does; on a left or upper edge it is in, on a right or lower edge
    out. LabelMe's own converters paint the outline too and so up to a pixel more.

    Args:
        folder: The folder. Each file says where its picture is, as a path from itself.
        class_names: The classes in the order of their ids. The first is that of pixels without a
            shape.
        void: Labels of shapes whose pixels have no class.
        size: `(height, width)` of the results; None leaves pictures as large as they are.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used, for data larger than the memory.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; a picture without shapes has the first
        class alone.

    Raises:
        MissingData: If there is no JSON file.
        DataError: Listing the first few files and shapes with what is wrong in each.
        ValueError: If `class_names` or `void` do not fit.
    """
    folder, class_names = Path(folder).expanduser(), check_class_names(class_names)
    if isinstance(void, str) or {*void} & {*class_names}:
        raise ValueError(f"void={void!r} must be a sequence of labels that are no class.")
    labels = {name: i for i, name in enumerate(class_names)} | dict.fromkeys(void, VOID)
    what = f"LabelMe {folder.name}"
    found = [((part, f.stem), f) for part in nested(folder) for f in (folder / part).glob("*.json")]
    files = [file for _, file in sorted(found, key=lambda each: in_order(each[0]))]
    if not files:
        raise missing(what, folder, "It is where LabelMe saved its JSON files.")
    pairs, problems = [], []
    for file in files:
        try:
            path = named(file, _read)["imagePath"].replace("\\", "/")  # as on Windows
            pairs.append((file.parent / path, file))
            if not pairs[-1][0].is_file():
                problems.append(f"{file}: its picture {path} is missing")
        except ValueError as error:
            problems.append(str(error))
    refuse(what, problems)
    return load(
        Files(
            pairs,
            lambda file: _paint(_read(file), labels),
            Task(class_names, palette(class_names)),
            what,
            decoding=str(labels),
            names=[without_extension(file, folder) for file in files],
        ),
        size,
        pad=pad,
        lazy=lazy,
        cache=cache,
    )


def _read(file):
    content = read_json(file)
    for key, kind in {
        "shapes": list,
        "imagePath": str,
        "imageHeight": int,
        "imageWidth": int,
    }.items():
        if not isinstance(content.get(key), kind):
            raise ValueError(f"no {key!r} in it that is of type {kind.__name__}, as LabelMe writes")
    for number, shape in enumerate(content["shapes"], 1):
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            raise ValueError(f"shape {number} has no label")
    return content


def _paint(content, labels):
    """Draw the shapes of a file in their order, uint8 `(height, width)`."""
    size = content["imageHeight"], content["imageWidth"]
    mask = np.zeros(size, np.uint8)
    for number, shape in enumerate(content["shapes"], 1):
        label, kind = shape["label"], shape.get("shape_type") or "polygon"
        try:
            if label not in labels:
                raise ValueError(f"unknown label, expected one of {', '.join(labels)}")
            if kind not in SHAPES:
                raise ValueError(f"shape_type {kind!r}, expected one of {', '.join(SHAPES)}")
            mask[SHAPES[kind](shape.get("points"), size)] = labels[label]
        except ValueError as error:
            raise ValueError(f"shape {number}, {label!r}: {error}") from error
    return mask
