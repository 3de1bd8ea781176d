"""Cityscapes: road scenes of fifty cities."""

from segbook.datasets.disk.decode import ids_reader
from segbook.datasets.disk.find import check_split, data_root, missing, pair_folders
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import VOID, Task

# Class name and the label in the files, in the order of the benchmark's 19 training ids.
CITYSCAPES = {
    "road": 7,
    "pavement": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "sign": 20,
    "tree": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}


def cityscapes(split, size=None, *, root=None, pad=False, lazy=True, cache=None):
    """Read Cityscapes' fine annotations: 1024x2048, 19 classes, everything else void.

    Cordts et al. 2016: 2975, 500 and 1525 pictures; those of the test split are all void. The
    benchmark's sidewalk, vegetation and traffic sign are called pavement, tree and sign here, as
    elsewhere in this book.

    Args:
        split: "train", "val" or "test".
        size: `(height, width)` to resize to, or None for 1024x2048.
        root: The folder that holds `cityscapes/`; None for `data_root()`.
        pad: See `load`, as the next two.
        lazy: Read pictures when they are used: the training split has 75 GB as float32.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks.

    Raises:
        MissingData: If the split is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train", "val", "test"), "Cityscapes")
    folder = data_root(root) / "cityscapes"
    what = f"Cityscapes {split}"
    how = (
        "To get it, register at https://www.cityscapes-dataset.com, download "
        "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip (no checksum known to us) and "
        f"unpack both in {folder}."
    )
    pictures, masks = folder / "leftImg8bit" / split, folder / "gtFine" / split
    cities = sorted({city.name for part in (pictures, masks) for city in part.glob("*/")})
    if not cities:
        raise missing(what, pictures, how)
    ends = "_leftImg8bit", "_gtFine_labelIds"
    pairs = pair_folders(pictures, masks, what, how, ends, subfolders=cities)
    task = Task(tuple(CITYSCAPES), palette(CITYSCAPES))
    void_ids = sorted({*range(34), VOID} - set(CITYSCAPES.values()))
    reader = ids_reader(CITYSCAPES.values(), void_ids)
    return load(Files(pairs, reader, task, what, how), size, pad=pad, lazy=lazy, cache=cache)
