"""FASSEG: the parts of a face."""

from pathlib import Path

import numpy as np

from segbook.datasets.disk.decode import blends, colors_reader
from segbook.datasets.disk.download import Repository, download_files
from segbook.datasets.disk.find import check_split, data_root, pair_folders
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import Task

FASSEG = {
    "background": (255, 0, 0),
    "skin": (255, 255, 0),
    "hair": (127, 0, 0),
    "eyes": (0, 0, 255),
    "nose": (0, 255, 255),
    "mouth": (0, 255, 0),
}
CERTAIN = 32  # the distance in RGB up to which a pixel has a class's colour
REPOSITORY = Repository(
    name="massimomauro/FASSEG-repository",
    commit="7817f332b68decc858c9e741f8c0b366b9e0289c",
    folder="V2",
    listing=Path(__file__).with_suffix(".txt"),
)


def download_fasseg(root=None):
    """Download FASSEG Frontal02, 93 MB, to `fasseg/V2` of `root` (None for `data_root()`)."""
    return download_files(REPOSITORY, data_root(root) / "fasseg" / "V2")


def fasseg(split, size=None, *, root=None, blends_are_void=True, pad=False, lazy=False, cache=None):
    """Read FASSEG Frontal02: 20 and 50 faces, 512 pixels high, most 370 wide, six classes.

    Khan, Mauro and Leonardi 2015. The label pictures are anti-aliased: where two parts meet, their
    colours blend, and a blend can be nearer to a third part's colour (between hair and skin, to
    background) than to either. A pixel farther than 32 from all six colours, in RGB, is ambiguous:
    1.3% of all pixels; `fasseg_blends` counts them.

    Args:
        split: "train" or "test".
        size: `(height, width)` of the results; pictures differ in size, so give it or `pad`.
        root: The folder that holds `fasseg/`; None for `data_root()`.
        blends_are_void: True makes ambiguous pixels void; False gives them the nearest colour.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks.

    Raises:
        MissingData: If the data set is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    pairs, what, how = _pairs(split, root)
    reader = colors_reader(FASSEG.values(), tolerance=CERTAIN if blends_are_void else np.inf)
    task = Task(tuple(FASSEG), palette(FASSEG))
    decoding = f"blends_are_void={blends_are_void}"
    return load(
        Files(pairs, reader, task, what, how, decoding), size, pad=pad, lazy=lazy, cache=cache
    )


def fasseg_blends(split, *, root=None):
    """Measure how many pixels of each label picture have none of the six colours.

    Args:
        split: "train" or "test".
        root: The folder that holds `fasseg/`; None for `data_root()`.

    Returns:
        float array `(count,)`: the share of ambiguous pixels of each picture.

    Raises:
        MissingData: If the data set is not there, with how to get it.
    """
    masks = [mask for _, mask in _pairs(split, root)[0]]
    return blends(masks, list(FASSEG.values()), CERTAIN)


def _pairs(split, root):
    check_split(split, ("train", "test"), "FASSEG")
    folder, what = data_root(root) / "fasseg" / "V2", f"FASSEG {split}"
    how = REPOSITORY.by_hand(folder, "datasets.download_fasseg()")
    how += " Or set SEGBOOK_DATA to the folder that holds fasseg/."
    part = split.capitalize()
    return pair_folders(folder / f"{part}_RGB", folder / f"{part}_Labels", what, how), what, how
