"""Find the files of a data set: the root folder, splits, and pictures with their masks."""

import os
from pathlib import Path

from segbook.datasets.disk.errors import DataError, refuse

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
    repository = Path(__file__).parents[3]
    return repository / "data" if (repository / "pyproject.toml").exists() else Path("data")


def check_split(split, allowed, name):
    """Refuse a split that the data set does not have.

    Raises:
        ValueError: Naming the splits that exist.
    """
    if split not in allowed:
        raise ValueError(f"split={split!r} of {name} must be {' or '.join(map(repr, allowed))}.")


def missing(what, place, how):
    """Make the error for a data set that is not there."""
    found = "has nothing to read" if place.exists() else "does not exist"
    return MissingData(f"{what} is missing: {place} {found}. {how}")


def pair_folders(pictures, masks, what, how="", ends=("", ""), subfolders=(".",)):
    """Match the pictures of one folder with the masks of another by name.

    Args:
        pictures: Folder of pictures.
        masks: Folder of masks with the same file names, `ends` and extensions aside.
        what: The name of what is read, such as "CamVid train".
        how: How to get it, one line, for the error.
        ends: What the names of pictures and masks end with, before the extension; files that do
            not end so are left out.
        subfolders: Folders to look in, in both.

    Returns:
        A list of `(picture path, mask path)`; names that are numbers in numerical order.

    Raises:
        MissingData: If neither folder has anything.
        DataError: If some pictures have no mask or some masks no picture.
    """
    left, right, twins = {}, {}, []
    for found, folder, end in ((left, pictures, ends[0]), (right, masks, ends[1])):
        for key, file in _pictures(folder, subfolders, end):
            if key in found:
                twins.append(
                    f"{file}: has the same name as {found[key].name}, expected one of them"
                )
            found[key] = file
    if not left and not right:
        raise missing(what, pictures, how)
    problems = [
        *twins,
        *_alone(left, right, "a picture without a mask", masks, ends[1]),
        *_alone(right, left, "a mask without a picture", pictures, ends[0]),
    ]
    refuse(f"{what} ({len(left)} pictures, {len(right)} masks)", problems, how)
    return [(left[key], right[key]) for key in sorted(left, key=in_order)]


def nested(folder, without=None):
    """List a folder and all folders in it, hidden ones aside; links to folders are followed.

    Args:
        folder: The folder.
        without: A folder that is left out, if it is in there; or None.

    Returns:
        A list of their paths from `folder`, "." for itself.
    """
    seen = {without.resolve()} if without else set()
    found = []
    for place, names, _ in os.walk(folder, followlinks=True):
        here = Path(place)
        seen.add(here.resolve())  # a link may lead back
        names[:] = (
            name
            for name in names
            if not name.startswith(".") and (here / name).resolve() not in seen
        )
        found.append(here.relative_to(folder).as_posix())
    return found


def pair_names(names, pictures, masks, what, how="", mask_extension=".png"):
    """Match the pictures and masks that a list names.

    Args:
        names: File names without extension.
        pictures: Folder of pictures, `.jpg`.
        masks: Folder of masks.
        what: The name of what is read.
        how: How to get it, one line, for the error.
        mask_extension: What masks' names end with.

    Returns:
        A list of `(picture path, mask path)` in the order of `names`.

    Raises:
        DataError: If files of the list are not there.
    """
    pairs = [(pictures / f"{name}.jpg", masks / f"{name}{mask_extension}") for name in names]
    problems = [
        f"{path}: missing, though the list of the split has it"
        for pair in pairs
        for path in pair
        if not path.is_file()
    ]
    refuse(what, problems, how)
    return pairs


def read_list(path, what, how=""):
    """Read the first word of each line of a text file, comments (`#`) and empty lines aside.

    Raises:
        MissingData: If the file is not there.
        DataError: If it has no names.
    """
    if not path.is_file():
        raise missing(what, path, how)
    lines = path.read_text(encoding="utf-8").splitlines()
    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    refuse(what, [] if names else [f"{path}: no names, expected one a line"], how)
    return names


def in_order(key):
    """Give what sorts keys `(folder, name)` by folder, and "2" before "10"."""
    part, stem = key
    return part, int(stem) if stem.isdecimal() else -1, stem


def without_extension(path, folder):
    """Write a file's path from a folder without its extension, with slashes on any system."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _pictures(folder, subfolders, end):
    """Yield the pictures of folders, hidden files aside, with what identifies them."""
    for part in subfolders:
        files = sorted((folder / part).iterdir()) if (folder / part).is_dir() else []
        for file in files:
            picture = file.suffix.lower() in PICTURES and not file.name.startswith(".")
            if picture and file.stem.endswith(end):
                yield (part, file.stem.removesuffix(end)), file


def _alone(files, others, trouble, folder, end):
    for (part, stem), file in files.items():
        if (part, stem) not in others:
            yield f"{file}: {trouble}, expected {folder / part / (stem + end)}.*"
