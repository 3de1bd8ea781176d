"""PASCAL VOC 2012: masks, boxes, and the larger training list that SBD's masks make possible."""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from segbook.datasets.disk.decode import colors_reader, ids_reader, open_image
from segbook.datasets.disk.download import Archive, by_hand, download
from segbook.datasets.disk.errors import refuse
from segbook.datasets.disk.find import check_split, data_root, pair_names, read_list
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import VOID, Task

VOC = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

VOC_ARCHIVE = Archive(
    urls=(
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
    ),
    md5="6cd6e144f989b92b3379bac3b3de84fd",  # as published by torchvision, and below
    gives=("VOCdevkit/VOC2012",),
)
SBD_ARCHIVE = Archive(
    urls=(
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/"
        "benchmark.tgz",
    ),
    md5="82b4d87ceb2ed10f6038a1cba92111cb",
    gives=("benchmark_RELEASE",),
)


def download_voc(root=None):
    """Download PASCAL VOC 2012, 2 GB, to `root` (None for `data_root()`)."""
    return download(VOC_ARCHIVE, data_root(root))


def download_sbd(root=None):
    """Download the Semantic Boundaries Dataset, 1.4 GB, to `root` (None for `data_root()`)."""
    return download(SBD_ARCHIVE, data_root(root))


def voc(split, size=None, *, root=None, pad=False, lazy=True, cache=None):
    """Read PASCAL VOC 2012 segmentation: photographs, 20 classes of things and background.

    Everingham et al. 2010. 1464 and 1449 pictures with a void rim around each thing; "trainaug" is
    the larger training list of the literature: the pictures of VOC's train and of Hariharan et al.
    2011 (SBD), less VOC's val. SBD's masks have no rim; VOC's own are used where there are any.

    Args:
        split: "train", "val", "trainval" or "trainaug".
        size: `(height, width)` of the results; pictures differ in size, so give it or `pad`.
        root: The folder that holds `VOCdevkit/`, and `benchmark_RELEASE/` for "trainaug"; None for
            `data_root()`.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks.

    Raises:
        MissingData: If the data set is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train", "val", "trainval", "trainaug"), "PASCAL VOC")
    root = data_root(root)
    folder, what = root / "VOCdevkit" / "VOC2012", f"PASCAL VOC {split}"
    how = by_hand([VOC_ARCHIVE], root, "datasets.download_voc()")
    lists = folder / "ImageSets" / "Segmentation"
    pictures, masks = folder / "JPEGImages", folder / "SegmentationClass"
    if split == "trainaug":
        own = read_list(lists / "train.txt", what, how)
        held_out = {*own, *read_list(lists / "val.txt", what, how)}
        sbd = root / "benchmark_RELEASE" / "dataset"
        how_sbd = by_hand([SBD_ARCHIVE], root, "datasets.download_sbd()")
        names = {
            name
            for part in ("train", "val")
            for name in read_list(sbd / f"{part}.txt", what, how_sbd)
        }
        more = sorted(names - held_out)
        pairs = pair_names(own, pictures, masks, what, how)
        pairs += pair_names(more, pictures, sbd / "cls", what, how_sbd, mask_extension=".mat")
    else:
        names = read_list(lists / f"{split}.txt", what, how)
        pairs = pair_names(names, pictures, masks, what, how)
    task = Task(VOC, palette(VOC))
    return load(Files(pairs, _read_mask, task, what, how), size, pad=pad, lazy=lazy, cache=cache)


def voc_colors():
    """Compute the colours of VOC's masks: the bits of an id, dealt out to red, green and blue.

    Returns:
        uint8 array `(256, 3)`; row 255, void, is a pale yellow (224, 224, 192).
    """
    ids = np.arange(256)
    colors = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = ids >> (3 * level + channel) & 1
            colors[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colors


@dataclass(frozen=True)
class Box:
    """One thing in a picture.

    Args:
        name: Its class.
        left: Edges in pixels, from the left and upper edge of the picture.
        top: See `left`.
        right: See `left`.
        bottom: See `left`.
        difficult: Marked as hard to recognise; the benchmark leaves such things out.
        truncated: Reaches beyond the box, such as out of the picture.
    """

    name: str
    left: float
    top: float
    right: float
    bottom: float
    difficult: bool = False
    truncated: bool = False


def voc_boxes(split, *, root=None):
    """Read the boxes of PASCAL VOC 2012's detection task.

    Args:
        split: "train", "val" or "trainval".
        root: The folder that holds `VOCdevkit/`; None for `data_root()`.

    Returns:
        A list of `(picture path, list of Box)`.

    Raises:
        MissingData: If the data set is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("train", "val", "trainval"), "PASCAL VOC")
    root = data_root(root)
    folder, what = root / "VOCdevkit" / "VOC2012", f"PASCAL VOC boxes {split}"
    how = by_hand([VOC_ARCHIVE], root, "datasets.download_voc()")
    found, problems = [], []
    for name in read_list(folder / "ImageSets" / "Main" / f"{split}.txt", what, how):
        path = folder / "Annotations" / f"{name}.xml"
        try:
            found.append((folder / "JPEGImages" / f"{name}.jpg", read_boxes(path)))
        except ValueError as error:
            problems.append(str(error))
    refuse(what, problems, how)
    return found


def read_boxes(path):
    """Read the boxes of one file in VOC's XML format.

    VOC counts pixels from 1 and includes the last; edges here are from 0, so a box's width is
    `right - left`.

    Args:
        path: The file.

    Returns:
        A list of `Box`.

    Raises:
        ValueError: With the file's name and what was found.
    """
    try:
        return [_box(thing) for thing in ElementTree.parse(path).iterfind("object")]
    except (OSError, ElementTree.ParseError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a readable annotation ({error})") from error


def _box(thing):
    left, top, right, bottom = (
        float(thing.findtext(f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax")
    )
    if not (1 <= left <= right and 1 <= top <= bottom):
        raise ValueError(f"a box from ({left:g}, {top:g}) to ({right:g}, {bottom:g})")
    name = thing.findtext("name")
    if not name:
        raise ValueError("an object without a name")
    marks = (thing.findtext(mark, "0").strip() == "1" for mark in ("difficult", "truncated"))
    return Box(name, left - 1, top - 1, right, bottom, *marks)


_read_ids = ids_reader(range(len(VOC)), void_ids=(VOID,))
_read_colors = colors_reader(voc_colors()[: len(VOC)], void_colors=voc_colors()[[VOID]])


def _read_mask(path):
    if path.suffix == ".mat":
        return _read_sbd(path)
    return _read_colors(path) if open_image(path).mode == "RGB" else _read_ids(path)


def _read_sbd(path):
    from scipy.io import loadmat

    try:
        mask = loadmat(path)["GTcls"][0, 0]["Segmentation"]
    except (KeyError, IndexError, TypeError, NotImplementedError) as error:
        raise ValueError(f"no GTcls.Segmentation in it ({error})") from error
    if mask.ndim != 2 or mask.max() >= len(VOC):
        raise ValueError(f"shape {mask.shape}, labels up to {mask.max()}, expected 2 axes, 0..20")
    return mask.astype(np.uint8)
