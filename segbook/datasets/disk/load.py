"""From pairs of files to `Samples`: decode, check, resize, keep in memory or on disk."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segbook.datasets.disk.decode import named, read_picture, upright_size
from segbook.datasets.disk.errors import refuse
from segbook.datasets.disk.lazy import Lazy
from segbook.datasets.disk.lock import alone
from segbook.datasets.disk.resize import Frame
from segbook.samples import Samples, Task

CACHED = "pictures.npy", "masks.npy"


@dataclass(frozen=True)
class Files:
    """The files of a data set and how to read them.

    Args:
        pairs: List of `(picture path, mask path)`.
        read_mask: Function from a path to a uint8 array `(height, width)` of class ids and void.
        task: The classes that the ids stand for.
        what: The name of what is read, for errors, such as "CamVid train".
        how: How to get it, one line, for errors.
        decoding: Anything else that the masks depend on; part of the name of a cache.
        names: A name for each picture; None for those of the files, without extension.
    """

    pairs: list
    read_mask: Callable
    task: Task
    what: str
    how: str = ""
    decoding: str = ""
    names: list | None = None


def load(files, size=None, *, pad=False, lazy=False, cache=None):
    """Read and check all pairs.

    Every file is decoded once here, so that what is wrong shows now and not hours into training.

    Args:
        files: `Files`.
        size: `(height, width)` of the results; None leaves pictures as large as they are.
        pad: True keeps proportions and fills the rest with black and void: up to `size`, or to
            the largest picture. False stretches to `size`; without `size` all must be alike.
        lazy: True reads pairs again when they are used, for data larger than the memory.
        cache: A folder for decoded arrays, made here, read instead of the files the next time; it
            may be deleted at any time. None for no cache.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks; with `lazy`, `Lazy` in place of arrays.

    Raises:
        DataError: Listing the first few files with what is wrong in each.
    """
    check_size(size)
    frame = _frame(files, size, pad)
    count = len(files.pairs)
    shapes = (count, *frame.size, 3), (count, *frame.size)
    if cache is not None:
        pictures, masks = _cached(files, frame, shapes, Path(cache).expanduser())
        if lazy:
            return _lazy(lambda i: _unit(pictures[i]), masks.__getitem__, shapes, files)
        return Samples(_unit(pictures), np.array(masks), files.task, _names(files))
    if lazy:
        _read_all(files, lambda i, picture, mask: None)  # decoded and checked, not resized

        def image(i):
            return _unit(frame.picture(named(files.pairs[i][0], read_picture)))

        def mask(i):
            return frame.mask(named(files.pairs[i][1], files.read_mask))

        return _lazy(image, mask, shapes, files)

    images, masks = np.empty(shapes[0], np.float32), np.empty(shapes[1], np.uint8)

    def store(i, picture, mask):
        _unit(frame.picture(picture), out=images[i])
        masks[i] = frame.mask(mask)

    _read_all(files, store)
    return Samples(images, masks, files.task, _names(files))


def check_size(size):
    """Refuse a size that is neither None nor `(height, width)`, both positive integers.

    Raises:
        ValueError: Saying what was given.
    """
    if size is None:
        return
    pair = isinstance(size, tuple | list) and len(size) == 2
    if not (pair and all(isinstance(n, int | np.integer) and n > 0 for n in size)):
        raise ValueError(f"size={size!r} must be None or (height, width) in pixels.")


def _frame(files, size, pad):
    if size is not None:
        return Frame(tuple(map(int, size)), resize=True, pad=pad)
    found = {picture: upright_size(picture) for picture, _ in files.pairs}
    found = {picture: size for picture, size in found.items() if size}
    if not found:
        return Frame((1, 1), resize=False, pad=pad)
    if pad:
        largest = tuple(np.max(list(found.values()), axis=0).tolist())
        return Frame(largest, resize=False, pad=True)
    first = next(iter(found.values()))
    others = [
        f"{picture}: picture of size {_text(size)}, expected {_text(first)} as the first"
        for picture, size in found.items()
        if size != first
    ]
    refuse(files.what, others, "Pass `size`, or `pad=True`, to bring all to one size.")
    return Frame(first, resize=False, pad=False)


def _lazy(image, mask, shapes, files):
    rows = range(shapes[0][0])
    return Samples(
        Lazy(image, rows, shapes[0][1:], np.float32),
        Lazy(mask, rows, shapes[1][1:], np.uint8),
        files.task,
        _names(files),
    )


def _names(files):
    return np.array(files.names or [picture.stem for picture, _ in files.pairs])


def _read_all(files, store):
    """Read every pair, on all cores, for `store(i, picture, mask)`; refuse all if any is wrong."""

    def read(i):
        picture_path, mask_path = files.pairs[i]
        try:
            picture = named(picture_path, read_picture)
            mask = named(mask_path, files.read_mask)
            _check_sizes(picture_path, mask_path, picture.shape[:2], mask.shape)
        except ValueError as error:
            return str(error)
        store(i, picture, mask)
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(read, range(len(files.pairs))) if problem]
    refuse(files.what, problems, files.how)


def _check_sizes(picture_path, mask_path, picture, mask):
    if picture != mask:
        turned = " (turned upright by its EXIF data?)" if picture == mask[::-1] else ""
        raise ValueError(
            f"{mask_path}: mask of size {_text(mask)}, expected {_text(picture)} as its picture "
            f"{picture_path.name}{turned}"
        )


def _cached(files, frame, shapes, cache):
    """Open the decoded arrays, uint8, and write them first if they are not there."""
    name = f"{files.what.lower().replace(' ', '-')}-{_text(frame.size)}-{_key(files, frame)}"
    folder = cache / name
    if not folder.exists():
        with alone(folder):
            if not folder.exists():
                _fill(folder, files, frame, shapes)
    return tuple(np.load(folder / name, mmap_mode="r") for name in CACHED)


def _fill(folder, files, frame, shapes):
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    try:
        _write(files, frame, shapes, unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(files, frame, shapes, folder):
    pictures, masks = (
        np.lib.format.open_memmap(folder / name, "w+", np.uint8, shape)
        for name, shape in zip(CACHED, shapes, strict=True)
    )

    def store(i, picture, mask):
        pictures[i], masks[i] = frame.picture(picture), frame.mask(mask)

    _read_all(files, store)
    pictures.flush()
    masks.flush()


def _key(files, frame):
    """Name everything that the decoded arrays depend on in a few letters."""
    stamps = [
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for pair in files.pairs
        for path in pair
    ]
    names = files.task.class_names
    text = json.dumps([names, files.decoding, frame.size, frame.resize, frame.pad, stamps])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _unit(pictures, out=None):
    """Scale uint8 to float32 in [0, 1]."""
    return np.divide(pictures, 255, out=out, dtype=np.float32)


def _text(size):
    return f"{size[0]}x{size[1]}"
