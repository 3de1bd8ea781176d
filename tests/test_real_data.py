"""The readers on the real files, where `SEGBOOK_DATA` or data/ has them; counted by hand beside."""

import numpy as np
import pytest
from PIL import Image

from segbook import datasets

SETS = [  # name, split, pictures, their size; the folder of the masks, and their value of class 1
    ("camvid", "train", 367, (360, 480), "camvid/trainannot", 1),
    ("camvid", "val", 101, (360, 480), "camvid/valannot", 1),
    ("isbi2012", "train", 30, (512, 512), "isbi2012/train/label", 0),
]


def read(name, split, size=None):
    """Read a set, or skip the test."""
    try:
        return getattr(datasets, name)(split, size)
    except datasets.MissingData as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(("name", "split", "count", "size", "folder", "value"), SETS)
def test_every_mask_is_that_of_its_file(name, split, count, size, folder, value):
    samples = read(name, split)
    files = sorted((datasets.data_root() / folder).glob("*.png"))
    by_hand = sorted(int(np.sum(np.asarray(Image.open(file)) == value)) for file in files)
    assert samples.images.shape == (count, *size, 3)
    assert sorted(np.sum(samples.masks == 1, axis=(1, 2))) == by_hand


@pytest.mark.parametrize(("split", "count"), [("train", 20), ("test", 50)])
def test_faces_hold_all_parts_and_little_void(split, count):
    samples = read("fasseg", split, (256, 200))
    shares = [np.mean(samples.masks == label) for label in (*range(6), 255)]
    assert len(samples) == count
    assert samples.task.class_names == ("background", "skin", "hair", "eyes", "nose", "mouth")
    assert min(shares[:6]) > 0.002
    assert shares[6] < 0.1
