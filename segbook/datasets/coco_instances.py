"""Instances in COCO's format, as most labelling tools export them, read as one class a pixel."""

from pathlib import Path, PurePosixPath

import numpy as np

from segbook.checks import check_class_names
from segbook.datasets.disk.decode import named, read_json
from segbook.datasets.disk.errors import refuse
from segbook.datasets.disk.find import missing
from segbook.datasets.disk.load import Files, load
from segbook.datasets.disk.shapes import polygon, runs
from segbook.palette import palette
from segbook.samples import VOID, Task

NUMBER = int | str  # what tools give as ids


def coco_instances(
    images,
    annotation_file,
    class_names=None,
    *,
    size=None,
    pad=False,
    lazy=False,
    cache=None,
):
    """Read pictures and the JSON file in COCO's format that has the outlines of things in them.

    An instance is one or several polygons, of which a pixel in any counts, or runs of pixels,
    packed or not. A pixel belongs to a polygon if its centre does; on a left or upper edge it is
    in, on a right or lower edge out. Where instances overlap, the smaller in pixels is on top, of
    two as large the later in the file. Crowds are void, and below all instances.

    Args:
        images: Folder of pictures; the file has their names.
        annotation_file: The JSON file, with `images`, `annotations` and `categories`.
        class_names: The classes in the order of their ids. The first is that of pixels without an
            instance and need not be in the file; categories that are not named belong to it. None
            for "background" and all categories in the order of the file's ids.
        size: `(height, width)` of the results; None leaves pictures as large as they are.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used, for data larger than the memory.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; in the order of the file.

    Raises:
        MissingData: If the file is not there.
        DataError: Listing the first few pictures and annotations with what is wrong in each.
        ValueError: If `class_names` does not fit the file.
    """
    images, file = Path(images).expanduser(), Path(annotation_file).expanduser()
    what = f"annotations {file.stem}"
    if not file.is_file():
        raise missing(what, file, "It is what a labelling tool exports in COCO's format.")
    content = _content(what, file)
    kinds = {kind["id"]: kind["name"] for kind in content["categories"]}
    class_names = _class_names(class_names, kinds, file)
    pictures = _pictures(content, kinds, class_names, images, file, what)
    return load(
        Files(
            [(path, path) for path in pictures],
            lambda path: _paint(*pictures[path], file),
            Task(class_names, palette(class_names)),
            what,
            decoding=f"{file.stat().st_mtime_ns} {class_names}",
            names=[
                PurePosixPath(row["file_name"]).with_suffix("").as_posix()
                for row in content["images"]
            ],
        ),
        size,
        pad=pad,
        lazy=lazy,
        cache=cache,
    )


def _content(what, file):
    """Read the file and refuse what has not the parts that are used."""
    needed = {
        "categories": {"id": NUMBER, "name": str},
        "images": {"id": NUMBER, "file_name": str, "height": int, "width": int},
        "annotations": {"id": NUMBER, "image_id": NUMBER, "category_id": NUMBER}
        | {"segmentation": list | dict},
    }
    try:
        content = named(file, read_json)
    except ValueError as error:
        refuse(what, [str(error)])
    problems = []
    for part, keys in needed.items():
        rows = content.get(part)
        if not isinstance(rows, list):
            problems.append(f"{file}: no list {part!r} in it, expected COCO's format")
            continue
        for i, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                problems.append(f"{file}: number {i} of {part} is no object in braces")
                continue
            wrong = [key for key, kind in keys.items() if not isinstance(row.get(key), kind)]
            if wrong:
                problems.append(f"{file}: number {i} of {part}: {wrong[0]} is {row.get(wrong[0])}")
    refuse(what, problems)
    return content


def _class_names(class_names, kinds, file):
    """Name the classes: those that are asked for, or all."""
    if class_names is None:
        class_names = dict.fromkeys(["background", *(kinds[i] for i in sorted(kinds))])
    class_names = check_class_names(class_names)
    unknown = [name for name in class_names[1:] if name not in kinds.values()]
    if unknown:
        raise ValueError(
            f"class_names with {unknown[0]!r} must be categories of {file}, after the first: "
            f"{', '.join(map(repr, kinds.values()))}."
        )
    return class_names


def _pictures(content, kinds, class_names, images, file, what):
    """Map the path of each picture to its size and its instances, pairs of class id and entry."""
    instances, problems = {row["id"]: [] for row in content["images"]}, []
    for row in content["annotations"]:
        kind = kinds.get(row["category_id"])
        if kind is None:
            problems.append(f"{file}: annotation {row['id']}: no category {row['category_id']}")
        elif row["image_id"] not in instances:
            problems.append(f"{file}: annotation {row['id']}: no image {row['image_id']}")
        elif kind in class_names:
            instances[row["image_id"]].append((class_names.index(kind), row))
    pictures = {}
    for row in content["images"]:
        path = images / row["file_name"]
        if path in pictures:
            problems.append(f"{file}: {row['file_name']} twice among the images")
        elif not path.is_file():
            problems.append(f"{path}: missing, though {file.name} has it")
        pictures[path] = (row["height"], row["width"]), instances[row["id"]]
    refuse(what, problems or ([] if pictures else [f"{file}: no images in it"]))
    return pictures


def _paint(size, instances, file):
    """Draw the instances of a picture, uint8 `size`."""
    mask = np.zeros(size, np.uint8)
    area_on_top = np.full(size, np.iinfo(np.int64).max)
    for label, row in sorted(instances, key=lambda each: not each[1].get("iscrowd")):
        try:
            inside = _inside(row["segmentation"], size)
        except ValueError as error:
            raise ValueError(f"annotation {row['id']} of {file.name}: {error}") from error
        if row.get("iscrowd"):
            mask[inside] = VOID
        else:
            area = inside.sum()
            inside &= area <= area_on_top
            mask[inside], area_on_top[inside] = label, area
    return mask


def _inside(segmentation, size):
    if isinstance(segmentation, dict):
        if segmentation.get("size") != list(size):
            raise ValueError(f"runs for size {segmentation.get('size')}, expected {list(size)}")
        return runs(segmentation.get("counts"), size)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("no outline, expected a list of polygons, or runs")
    inside = np.zeros(size, bool)
    for numbers in segmentation:
        if not isinstance(numbers, list) or len(numbers) % 2:
            raise ValueError("a polygon that is no list of x and y in turn")
        inside |= polygon(list(zip(numbers[::2], numbers[1::2], strict=True)), size)
    return inside
