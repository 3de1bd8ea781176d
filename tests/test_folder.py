"""Your own folders: nested ones, colours that blend, and splits by group."""

import sys

import numpy as np
import pytest
from pictures import HERE, jpeg, real, save

from segbook import datasets
from segbook.samples import Samples, Task


@pytest.mark.parametrize(
    ("mask", "options", "expected"),
    [
        ([[0, 1], [255, 2]], {}, [[0, 1], [255, 2]]),
        ([[0, 128], [255, 0]], {"ids": (0, 128, 255)}, [[0, 1], [2, 0]]),
        ([[0, 255], [255, 0]], {"ids": (0, 255), "class_names": ("x", "y")}, [[0, 1], [1, 0]]),
        (
            [[0, 255], [255, 0]],
            {"ids": (255,), "void": (0,), "class_names": ("x",)},
            [[255, 0], [0, 255]],
        ),
        ([[3, 4], [9, 8]], {"ids": (3, 4, 5), "void": (8, 9)}, [[0, 1], [255, 255]]),
        (
            [[(9, 0, 0), (0, 9, 0)], [(0, 0, 9), (1, 2, 3)]],
            {"palette": [(9, 0, 0), (0, 9, 0), (0, 0, 9)], "void": [(1, 2, 3)]},
            [[0, 1], [2, 255]],
        ),
    ],
    ids=["ids", "grey levels", "0 and 255", "255 alone", "several void ids", "colours"],
)
def test_your_own_folder(tmp_path, mask, options, expected):
    jpeg(tmp_path / "images" / "b.jpg", (2, 2))
    save(tmp_path / "images" / "a.png", np.zeros((2, 2), np.uint8))  # a grey picture
    for name in "ab":
        save(tmp_path / "masks" / f"{name}_mask.png", np.array(mask, np.uint8))
    folders = tmp_path / "images", tmp_path / "masks"
    options = {"class_names": ("x", "y", "z"), **options}
    samples = datasets.folder(*folders, mask_end="_mask", **options)
    assert samples.images.shape == (2, 2, 2, 3)
    assert samples.masks.tolist() == [expected, expected]
    if "palette" in options:
        assert samples.task.palette.tolist() == [list(color) for color in options["palette"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": (0, 1)}, r"1.png: unknown label 2, expected 0\.\.1 or void 255"),
        ({"palette": np.zeros((2, 3), int)}, r"1.png: unknown colours \[1, 1, 1\], \[2, 2, 2\]"),
        ({"palette": np.zeros((3, 3))}, r"palette of shape \(3, 3\) must be \(2, 3\)"),
        ({"palette": np.zeros((2, 3)), "ids": (0, 1)}, "palette and ids are both given"),
        ({"tolerance": 9}, "tolerance=9 must be 0 or more, beside a palette"),
        ({"tolerance": -1, "palette": np.zeros((2, 3), int)}, "tolerance=-1 must be 0 or more"),
        (
            {"tolerance": 30, "palette": [(90, 0, 0), (0, 40, 0)]},
            r"1.png: every pixel is 38 or more from each of 2 colours, expected some within 30",
        ),
        ({"ids": (0, 0)}, r"ids=\(0, 0\) must be 2 different values"),
        ({"ids": (0, 300)}, r"ids=\(0, 300\) must be pixel values"),
        ({"ids": (0, 1), "void": (1,)}, r"must have no value in common"),
    ],
)
def test_your_own_folder_with_wrong_arguments(tmp_path, options, message):
    save(tmp_path / "images" / "1.png", np.zeros((1, 3, 3), np.uint8))
    save(tmp_path / "masks" / "1.png", np.array([[0, 1, 2]], np.uint8))
    with pytest.raises(ValueError, match=message):
        datasets.folder(tmp_path / "images", tmp_path / "masks", ("a", "b"), **options)


def draw(folder, *names):
    """Draw a pair for each name, whose mask has one more pixel of class 1 than that before."""
    for i, name in enumerate(names):
        mask = (np.arange(12).reshape(3, 4) < i).astype(np.uint8)
        save(folder / "images" / f"{name}.png", np.full((3, 4, 3), 20 * i, np.uint8))
        save(folder / "masks" / f"{name}.png", mask)
    return folder / "images", folder / "masks"


@pytest.mark.parametrize("lazy", [False, True])
def test_pairs_are_found_by_their_path(tmp_path, lazy):
    folders = draw(tmp_path, "10", "2", "bob/10", "alice/left/2", "alice/10", "alice/v1.2")
    save(tmp_path / "images" / ".ipynb_checkpoints" / "2-checkpoint.png", np.zeros((3, 4), "uint8"))
    (tmp_path / "masks" / "empty").mkdir()
    for options in ({}, {"cache": tmp_path / "cache"}):
        samples = datasets.folder(*folders, ("a", "b"), lazy=lazy, **options)
        expected = ["2", "10", "alice/v1.2", "alice/10", "alice/left/2", "bob/10"]
        assert samples.names.tolist() == expected
        assert np.asarray(samples.masks).sum((1, 2)).tolist() == [1, 0, 5, 4, 3, 2]
        np.testing.assert_allclose(samples.images[4], 60 / 255)
        assert samples[[4, 0]].names.tolist() == ["alice/left/2", "2"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_folders_are_followed_but_not_around(tmp_path):
    draw(tmp_path / "far", "1", "deep/2")
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "alice").symlink_to(tmp_path / "far" / part)
        (tmp_path / "far" / part / "deep" / "back").symlink_to(tmp_path / part)
    samples = datasets.folder(tmp_path / "images", tmp_path / "masks", ("a", "b"))
    assert samples.names.tolist() == ["alice/1", "alice/deep/2"]


def test_masks_may_lie_among_the_pictures(tmp_path):
    save(tmp_path / "a" / "1.png", np.zeros((3, 4), np.uint8))
    save(tmp_path / "masks" / "a" / "1.png", np.zeros((3, 4), np.uint8))
    others = tmp_path / "a" / ".." / "masks"
    assert datasets.folder(tmp_path, others, ("x",)).names.tolist() == ["a/1"]
    assert datasets.folder(others, tmp_path, ("x",)).names.tolist() == ["a/1"]


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("masks/alice/1.png", r"images/alice/1.png: a picture without a mask, expected .*masks/al"),
        ("images/bob/1.png", r"masks/bob/1.png: a mask without a picture, expected .*images/bob"),
    ],
)
def test_a_pair_of_two_folders_is_none(tmp_path, lost, message):
    folders = draw(tmp_path, "alice/1", "bob/1")
    (tmp_path / lost).unlink()
    with pytest.raises(datasets.DataError, match=message):
        datasets.folder(*folders, ("a", "b"))


def test_colours_within_a_tolerance(tmp_path):
    red, blue, grey = (200, 0, 0), (0, 0, 200), (90, 250, 90)
    near, far = (200, 12, 16), (200, 12, 17)  # 20 and 20.8 from red
    rows = [[red, near, far, blue], [grey, (95, 250, 90), (60, 250, 90), (100, 0, 100)]]
    save(tmp_path / "images" / "a.png", np.zeros((2, 4, 3), np.uint8))
    save(tmp_path / "masks" / "a.png", np.array(rows, np.uint8))
    folders = tmp_path / "images", tmp_path / "masks"

    def read(tolerance, cache=None):
        options = {"palette": [red, blue], "void": [grey], "cache": cache}
        return datasets.folder(*folders, ("r", "b"), tolerance=tolerance, **options).masks.tolist()

    v = 255
    assert read(20) == [[[0, 0, v, 1], [v, v, v, v]]]
    assert read(0) == [[[0, v, v, 1], [v, v, v, v]]]
    assert read(1000) == [[[0, 0, 0, 1], [v, v, v, 0]]]  # two are as near: the first in the list
    for tolerance in (20, 0, 20):
        assert read(tolerance, tmp_path / "cache") == read(tolerance)
    shares = [datasets.folder_blends(*folders, [red, blue], t, void=[grey])[0] for t in (0, 20, 30)]
    assert shares == [5 / 8, 3 / 8, 1 / 8]
    (tmp_path / "masks" / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"masks/a.png: the file is empty"):
        datasets.folder_blends(*folders, [red, blue], 20)


def numbered(count, names=None):
    images = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1) * np.ones(3, np.float32)
    task = Task(("a",), np.zeros((1, 3), np.uint8))
    return Samples(images, np.zeros((count, 1, 1), np.uint8), task, names)


@pytest.mark.parametrize(
    ("sizes", "share", "held_out"),
    [
        ([1] * 10, 0.3, {3}),
        ([4, 4, 4, 4], 0.25, {4}),
        ([5, 5], 0.2, {5}),  # nothing is nearer than one of them
        ([1, 9], 0.1, {1}),  # the nine are passed over
        ([3, 4, 5, 6, 7], 0.4, {7, 8, 9, 10, 11, 12, 13}),
        ([4, 4, 4], 0.55, {8}),  # 6.6 are wanted: eight are nearer than four
        ([1, 1], 0.99, {1}),
    ],
)
def test_no_group_is_in_both_parts(sizes, share, held_out):
    groups = [f"person {i}" for i, size in enumerate(sizes) for _ in range(size)]
    order = np.random.default_rng(1).permutation(len(groups))
    groups = np.array(groups)[order]
    samples = numbered(len(groups), groups)
    found = set()
    for seed in range(20):
        first, second = datasets.split_by_group(samples, groups.tolist(), share, seed=seed)
        again = datasets.split_by_group(samples, groups.tolist(), share, seed=seed)[1]
        assert again.names.tolist() == second.names.tolist()
        assert not set(first.names) & set(second.names)
        both = [*first.images[:, 0, 0, 0], *second.images[:, 0, 0, 0]]
        assert sorted(both) == list(range(len(groups)))
        assert len(first) > 0
        assert (groups[second.images[:, 0, 0, 0].astype(int)] == second.names).all()
        found.add(len(second))
    assert found <= held_out


def test_another_seed_holds_out_another_group():
    splits = [datasets.split_by_group(numbered(9), range(9), 0.3, seed=s)[1] for s in range(9)]
    assert len({tuple(part.images[:, 0, 0, 0]) for part in splits}) > 4


def test_groups_come_from_the_names_of_lazy_pictures(tmp_path):
    folders = draw(tmp_path, *(f"{person}/{i}" for person in ("al", "bo", "cy") for i in range(3)))
    samples = datasets.folder(*folders, ("a", "b"), lazy=True)
    people = [name.split("/")[0] for name in samples.names]
    train, test = datasets.split_by_group(samples, people, 0.3)
    assert (len(train), len(test)) == (6, 3)
    assert len({name.split("/")[0] for name in test.names}) == 1
    np.testing.assert_array_equal(
        test.masks[1], samples.masks[samples.names.tolist().index(test.names[1])]
    )


@pytest.mark.parametrize(
    ("groups", "share", "message"),
    [
        ([1, 2], 0.5, r"groups of shape \(2,\) must be one a sample, \(3,\)"),
        ([1, 1, 1], 0.5, r"groups=\[1\] must be two or more different ones"),
        ([1, 2, 3], 1, "share=1 must be above 0 and below 1"),
        ([1, 2, 3], 0.0, "share=0.0 must be above 0 and below 1"),
        ([1, 2, 3], float("nan"), "share=nan must be above 0 and below 1"),
    ],
)
def test_splits_that_cannot_be(groups, share, message):
    with pytest.raises(ValueError, match=message):
        datasets.split_by_group(numbered(3), groups, share)


@real("fasseg")
def test_fasseg_read_as_a_folder_of_your_own():
    folders = HERE / "fasseg" / "V2" / "Train_RGB", HERE / "fasseg" / "V2" / "Train_Labels"
    colors = [(255, 0, 0), (255, 255, 0), (127, 0, 0), (0, 0, 255), (0, 255, 255), (0, 255, 0)]
    names = ("background", "skin", "hair", "eyes", "nose", "mouth")
    mine = datasets.folder(*folders, names, palette=colors, tolerance=32, size=(96, 64))
    ours = datasets.fasseg("train", size=(96, 64))
    np.testing.assert_array_equal(mine.images, ours.images)
    np.testing.assert_array_equal(mine.masks, ours.masks)
    assert mine.names.tolist() == ours.names.tolist() == [str(i) for i in range(1, 21)]
    shares = datasets.folder_blends(*folders, colors, 32)
    np.testing.assert_array_equal(shares, datasets.fasseg_blends("train"))
    with pytest.raises(datasets.DataError, match=r"1.bmp: unknown colours"):
        datasets.folder(*folders, names, palette=colors, size=(96, 64))
