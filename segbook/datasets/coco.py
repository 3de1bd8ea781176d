"""COCO's panoptic annotations, read as one class a pixel."""

import json
from pathlib import Path

import numpy as np

from segbook.checks import ids_text
from segbook.datasets.disk.decode import read_picture
from segbook.datasets.disk.find import check_split, data_root, missing, pair_names
from segbook.datasets.disk.load import Files, load
from segbook.samples import VOID, Task


def coco(split, size=None, *, root=None, pad=False, lazy=True, cache=None):
    """Read COCO 2017 panoptic: photographs of many sizes, 80 kinds of things and 53 of stuff.

    Kirillov, He, Girshick, Rother and Dollar 2019. Things of one kind become one class; a crowd is
    of its kind; pixels without a segment are void. Names and colours come from the annotations.

    Args:
        split: "train" or "val".
        size: `(height, width)` to resize to; None, with `pad=True`, for that of the largest.
        root: The folder that holds `coco/`; None for `data_root()`.
        pad: See `load`, as the next two.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; classes in the order of COCO's ids.

    Raises:
        MissingData: If the list of the split is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train", "val"), "COCO panoptic")
    folder = data_root(root) / "coco"
    annotations = folder / "annotations"
    name, listing = f"panoptic_{split}2017", annotations / f"panoptic_{split}2017.json"
    what = f"COCO panoptic {split}"
    how = (
        f"To get it, download {split}2017.zip and panoptic_annotations_trainval2017.zip from "
        f"https://cocodataset.org (no checksum known to us), unpack both in {folder}, and then "
        f"annotations/{name}.zip in {annotations}."
    )
    if not listing.is_file():
        raise missing(what, listing, how)
    panoptic = json.loads(listing.read_text(encoding="utf-8"))
    kinds = sorted(panoptic["categories"], key=lambda kind: kind["id"])
    classes = {kind["id"]: number for number, kind in enumerate(kinds)}
    segments = {
        Path(picture["file_name"]).stem: {
            segment["id"]: classes[segment["category_id"]] for segment in picture["segments_info"]
        }
        for picture in panoptic["annotations"]
    }
    pairs = pair_names(sorted(segments), folder / f"{split}2017", annotations / name, what, how)
    colors = np.array([kind["color"] for kind in kinds], np.uint8)
    task = Task(tuple(kind["name"] for kind in kinds), colors)
    decoding = str(listing.stat().st_mtime_ns)
    return load(
        Files(pairs, _reader(segments), task, what, how, decoding),
        size,
        pad=pad,
        lazy=lazy,
        cache=cache,
    )


def _reader(segments):
    """Make a reader of PNG files whose R + 256 G + 65536 B is the id of a segment, 0 for none."""

    def read(path):
        ids = read_picture(path).astype(np.int64) @ (1, 256, 256**2)
        found, inverse = np.unique(ids, return_inverse=True)
        classes = {0: VOID} | segments[path.stem]
        unknown = [i for i in found.tolist() if i not in classes]
        if unknown:
            raise ValueError(f"unknown {ids_text(unknown, 'segment')}, expected those of the list")
        return np.array([classes[i] for i in found.tolist()], np.uint8)[inverse.reshape(ids.shape)]

    return read
