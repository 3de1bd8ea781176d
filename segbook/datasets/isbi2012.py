"""ISBI 2012: cells under an electron microscope."""

from pathlib import Path

from segbook.datasets.disk.decode import ids_reader
from segbook.datasets.disk.download import Repository, download_files
from segbook.datasets.disk.find import check_split, data_root, pair_folders
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import Task

ISBI = ("cell", "membrane")
REPOSITORY = Repository(
    name="zhixuhao/unet",
    commit="b45af4d458437d8281cc218a07fd4380818ece4a",
    folder="data/membrane/train",
    listing=Path(__file__).with_suffix(".txt"),
)


def download_isbi2012(root=None):
    """Download ISBI 2012, 6 MB, to `isbi2012/train` of `root` (None for `data_root()`)."""
    return download_files(REPOSITORY, data_root(root) / "isbi2012" / "train")


def isbi2012(split="train", size=None, *, root=None, pad=False, lazy=False, cache=None):
    """Read ISBI 2012: 30 consecutive sections of a larva's nerve cord, 512x512, two classes.

    Arganda-Carreras et al. 2015; the data of U-Net's first table. The files say 0 for membrane and
    255 for the inside of cells, which is not void here. The challenge keeps the labels of its test
    sections, so there is one split; neighbouring sections look alike, so hold out consecutive ones.

    Args:
        split: "train".
        size: `(height, width)` to resize to, or None for 512x512.
        root: The folder that holds `isbi2012/`; None for `data_root()`.
        pad: See `load`, as the next two.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], grey in three channels; uint8 masks: cell 0,
        membrane 1.

    Raises:
        MissingData: If the data set is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train",), "ISBI 2012")
    folder, what = data_root(root) / "isbi2012" / split, f"ISBI 2012 {split}"
    how = REPOSITORY.by_hand(folder, "datasets.download_isbi2012()")
    how += " Or set SEGBOOK_DATA to the folder that holds isbi2012/."
    pairs = pair_folders(folder / "image", folder / "label", what, how)
    reader = ids_reader((255, 0), void_ids=())
    return load(
        Files(pairs, reader, Task(ISBI, palette(ISBI)), what, how),
        size,
        pad=pad,
        lazy=lazy,
        cache=cache,
    )
