"""Oxford-IIIT Pet: cats and dogs cut out of their background."""

from segbook.datasets.disk.decode import ids_reader
from segbook.datasets.disk.download import Archive, by_hand, download
from segbook.datasets.disk.find import check_split, data_root, pair_names, read_list
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette
from segbook.samples import Task

FOLDER = "oxford-iiit-pet"
IMAGES = Archive(
    urls=("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",),
    md5="5c4f3ee8e5d25df40f4fd59a7f44e54c",  # as published by torchvision, and below
    gives=("images",),
)
ANNOTATIONS = Archive(
    urls=("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",),
    md5="95a8c909bbe2e81eed6a22bccdf3f68f",
    gives=("annotations",),
)


def download_pets(root=None):
    """Download Oxford-IIIT Pet, 0.8 GB, to a folder of `root` (None for `data_root()`)."""
    folder = data_root(root) / FOLDER
    download(IMAGES, folder)
    return download(ANNOTATIONS, folder)


def pets(split, size=None, *, root=None, border_is_void=False, pad=False, lazy=True, cache=None):
    """Read Oxford-IIIT Pet: 3680 and 3669 photographs of cats and dogs with trimaps.

    Parkhi et al. 2012. The files say 1 for the pet, 2 for background and 3 for the border between
    them, where annotators were not asked to decide.

    Args:
        split: "trainval" or "test".
        size: `(height, width)` of the results; pictures differ in size, so give it or `pad`.
        root: The folder that holds `oxford-iiit-pet/`; None for `data_root()`.
        border_is_void: False makes the border a third class; True makes it void.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks: background 0, pet 1, border 2 or 255.

    Raises:
        MissingData: If the data set is not there, with how to get it.
        DataError: Listing the first few files with what is wrong in each.
    """
    check_split(split, ("trainval", "test"), "Oxford-IIIT Pet")
    folder, what = data_root(root) / FOLDER, f"Oxford-IIIT Pet {split}"
    how = by_hand([IMAGES, ANNOTATIONS], folder, "datasets.download_pets()")
    names = read_list(folder / "annotations" / f"{split}.txt", what, how)
    pairs = pair_names(names, folder / "images", folder / "annotations" / "trimaps", what, how)
    classes = ("background", "pet") if border_is_void else ("background", "pet", "border")
    ids, void_ids = ((2, 1), (3,)) if border_is_void else ((2, 1, 3), ())
    task = Task(classes, palette(classes))
    files = Files(pairs, ids_reader(ids, void_ids), task, what, how)
    return load(files, size, pad=pad, lazy=lazy, cache=cache)
