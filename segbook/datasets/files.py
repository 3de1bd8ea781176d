"""Find the files of a data set: the root folder, splits, and pictures with their masks."""

import os
from pathlib import Path

from segbook.validation import DataError, refuse

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


class MissingData(DataError):
    """The data set, or the split that was asked for, is not on this machine."""


def data_root(root=None):
    """Return the folder that holds all data sets.

    Args:
        root: A folder, or None for the environment variable `SEGBOOK_DATA`, else `data/` in the
            repository, else (when segbook is installed elsewhere) `data/` where you are.

    Returns:
        A `pathlib.Path`; it need not exist.
    """
    chosen = root or os.environ.get("SEGBOOK_DATA")
    if chosen:
        return Path(chosen).expanduser()
    repository = Path(__file__).parents[2]
    return repository / "data" if (repository / "pyproject.toml").exists() else Path("data")


def check_split(split, allowed, name):
    """Refuse a split that the data set does not have.

    Raises:
        ValueError: Naming the splits that exist.
    """
    if split not in allowed:
        raise ValueError(f"`split` is {split!r}; {name} has {', '.join(map(repr, allowed))}")


def by_stem(folder):
    """List the pictures of a folder by file name without extension; hidden files do not count."""
    return {
        file.stem: file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in PICTURES and not file.name.startswith(".")
    }


def pair_folders(pictures, masks, what, how):
    """Match the pictures of one folder with the masks of another by name.

    Args:
        pictures: Folder of pictures.
        masks: Folder of masks with the same file names, extensions aside.
        what: The name of what is read, such as "CamVid train".
        how: How to get it, one line, for the error.

    Returns:
        A list of `(picture path, mask path)`, numbers in names in numerical order.

    Raises:
        MissingData: If neither folder has anything.
        DataError: If some pictures have no mask or some masks no picture.
    """
    left, right = (by_stem(folder) if folder.is_dir() else {} for folder in (pictures, masks))
    if not left and not right:
        found = "has no pictures" if pictures.is_dir() else "does not exist"
        raise MissingData(f"{what} is missing: {pictures} {found}. {how}")
    problems = [
        f"{file}: a picture without a mask, expected {masks / file.name}"
        for stem, file in left.items()
        if stem not in right
    ] + [
        f"{file}: a mask without a picture, expected {pictures / file.name}"
        for stem, file in right.items()
        if stem not in left
    ]
    refuse(f"{what} ({len(left)} pictures, {len(right)} masks)", problems, how)
    return [(left[stem], right[stem]) for stem in sorted(left, key=_numbers_last)]


def _numbers_last(stem):
    """Sort "2" before "10" and both as their numbers."""
    return (int(stem), stem) if stem.isdecimal() else (-1, stem)
