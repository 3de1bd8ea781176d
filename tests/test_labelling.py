"""What labelling tools export: COCO's instances and LabelMe's shapes."""

import json

import numpy as np
import pytest
from outlines import SIZE, inside, lengths_of, packed
from pictures import jpeg, save
from PIL import Image

from segbook import datasets


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def box(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def instance(i, category, *polygons, image=1, **others):
    segmentation = others.pop("segmentation", list(polygons))
    return {"id": i, "image_id": image, "category_id": category, "segmentation": segmentation} | (
        others
    )


def coco(tmp_path, *annotations, **parts):
    """A picture `deep/a.jpg` and one `b.jpg`, and their annotations; give both places."""
    images = [
        {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
        for i, name in ((1, "deep/a.jpg"), (2, "b.jpg"))
    ]
    for row in images:
        jpeg(tmp_path / "images" / row["file_name"], SIZE)
    kinds = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
    content = {"images": images, "annotations": annotations, "categories": kinds} | parts
    return tmp_path / "images", write(tmp_path / "instances.json", content)


def cells(*boxes):
    """Paint boxes `(left, top, right, bottom, id)` in turn."""
    mask = np.zeros(SIZE, int)
    for left, top, right, bottom, i in boxes:
        mask[top:bottom, left:right] = i
    return mask


def test_instances_of_two_pictures(tmp_path):
    outline = [1.3, 2.6, 9.1, 0.2, 12.7, 8.8, 4.4, 11.9]
    folders = coco(tmp_path, instance(1, 7, outline), instance(2, 3, box(2, 3, 5, 6), image=2))
    samples = datasets.coco_instances(*folders)
    assert samples.task.class_names == ("background", "dog", "cat")  # in the order of their ids
    assert samples.names.tolist() == ["deep/a", "b"]
    assert samples.images.shape == (2, *SIZE, 3)
    expected = inside(np.reshape(outline, (4, 2))) * 2
    np.testing.assert_array_equal(samples.masks[0], expected)
    np.testing.assert_array_equal(samples.masks[1], cells((2, 3, 5, 6, 1)))


def test_a_picture_without_instances_is_background(tmp_path):
    samples = datasets.coco_instances(*coco(tmp_path, instance(1, 7, box(0, 0, 4, 4))))
    assert samples.masks[1].max() == 0


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (
            [instance(1, 3, box(1, 1, 4, 4), box(8, 8, 12, 12))],
            [(1, 1, 4, 4, 1), (8, 8, 12, 12, 1)],
        ),
        (  # parts that overlap: in any of them
            [instance(1, 3, box(1, 1, 6, 6), box(3, 3, 9, 9))],
            [(1, 1, 6, 6, 1), (3, 3, 9, 9, 1)],
        ),
        (  # the smaller on top, though it comes first
            [instance(1, 3, box(2, 2, 4, 4)), instance(2, 7, box(0, 0, 9, 9))],
            [(0, 0, 9, 9, 2), (2, 2, 4, 4, 1)],
        ),
        (  # by pixels, not by what the file says
            [
                instance(1, 3, box(2, 2, 4, 4), area=1000),
                instance(2, 7, box(0, 0, 9, 9), area=1),
            ],
            [(0, 0, 9, 9, 2), (2, 2, 4, 4, 1)],
        ),
        (  # as large: the later on top
            [instance(1, 3, box(0, 0, 4, 4)), instance(2, 7, box(2, 2, 6, 6))],
            [(0, 0, 4, 4, 1), (2, 2, 6, 6, 2)],
        ),
        (  # three, where the middle one has the right of way over the largest only
            [
                instance(1, 3, box(0, 0, 3, 3)),
                instance(2, 7, box(0, 0, 12, 12)),
                instance(3, 3, box(0, 0, 6, 6)),
            ],
            [(0, 0, 12, 12, 2), (0, 0, 6, 6, 1)],
        ),
        (  # a crowd is void, below all, wherever it stands
            [
                instance(1, 7, box(0, 0, 9, 9)),
                instance(2, 3, box(4, 4, 12, 12), iscrowd=1),
                instance(3, 3, box(10, 10, 16, 12), iscrowd=0),
            ],
            [(4, 4, 12, 12, 255), (0, 0, 9, 9, 2), (10, 10, 16, 12, 1)],
        ),
        ([instance(1, 3, box(-9, -9, 99, 3))], [(0, 0, 17, 3, 1)]),
        ([instance(1, 3, box(2.6, 2.6, 3.4, 3.4))], []),  # around no centre
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_instances_that_overlap(tmp_path, annotations, expected, lazy):
    samples = datasets.coco_instances(*coco(tmp_path, *annotations), lazy=lazy)
    np.testing.assert_array_equal(samples.masks[0], cells(*expected))


@pytest.mark.parametrize("pack", [list, packed])
def test_runs_are_read_by_columns(tmp_path, pack):
    mask = np.random.default_rng(0).random(SIZE) < 0.4
    counts = pack(lengths_of(mask))
    runs = instance(1, 7, segmentation={"size": list(SIZE), "counts": counts}, iscrowd=1)
    samples = datasets.coco_instances(*coco(tmp_path, runs))
    np.testing.assert_array_equal(samples.masks[0] == 255, mask)


def test_classes_of_your_choice(tmp_path):
    folders = coco(
        tmp_path,
        instance(1, 7, box(0, 0, 9, 9)),
        instance(2, 3, box(2, 2, 4, 4)),
        instance(3, 3, box(0, 0, 17, 13), iscrowd=1),
    )
    samples = datasets.coco_instances(*folders, ("anything else", "cat"))
    np.testing.assert_array_equal(samples.masks[0], cells((0, 0, 9, 9, 1)))
    samples = datasets.coco_instances(*folders, ("dog", "cat"), size=(26, 34))
    expected = cells((0, 0, 17, 13, 255), (0, 0, 9, 9, 1), (2, 2, 4, 4, 0))
    np.testing.assert_array_equal(samples.masks[0], expected.repeat(2, 0).repeat(2, 1))
    with pytest.raises(ValueError, match=r"class_names with 'cow' must be categories of .*'cat', "):
        datasets.coco_instances(*folders, ("background", "cow"))
    with pytest.raises(ValueError, match=r"class_names with 'cat' twice"):
        datasets.coco_instances(*folders, ("background", "cat", "cat"))


def test_categories_of_one_name_are_one_class(tmp_path):
    kinds = [{"id": i, "name": name} for i, name in enumerate(("cat", "background", "cat"))]
    annotations = [instance(i, i, box(i, i, i + 1, i + 1)) for i in range(3)]
    samples = datasets.coco_instances(*coco(tmp_path, *annotations, categories=kinds))
    assert samples.task.class_names == ("background", "cat")
    np.testing.assert_array_equal(samples.masks[0], cells((0, 0, 1, 1, 1), (2, 2, 3, 3, 1)))


def test_the_cache_notices_another_file_of_annotations(tmp_path):
    for i in range(3):
        folders = coco(tmp_path, instance(1, 3, box(0, 0, 4 + i, 4)))
        for _ in range(2):
            samples = datasets.coco_instances(*folders, cache=tmp_path / "cache")
            assert samples.masks[0].sum() == 4 * (4 + i)


GOOD = instance(1, 3, box(0, 0, 4, 4))


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "annotation 1 of instances.json: a polygon that is"),
        ({"segmentation": [[1, 2, 3, 4]]}, "annotation 1 of instances.json: a polygon of 2 points"),
        ({"segmentation": [[]]}, "annotation 1 of instances.json: "),
        ({"segmentation": []}, "annotation 1 of instances.json: no outline, expected"),
        ({"segmentation": [["a"] * 6]}, "annotation 1 of instances.json: points that are no pairs"),
        (
            {"segmentation": {"size": [17, 13], "counts": [221]}},
            r"annotation 1 of instances.json: runs for size \[17, 13\], expected \[13, 17\]",
        ),
        (
            {"segmentation": {"size": [13, 17], "counts": [220]}},
            r"annotation 1 of instances.json: runs of 220 pixels, expected 13 x 17",
        ),
        ({"segmentation": {}}, r"annotation 1 of instances.json: runs for size None"),
        ({"segmentation": None}, r"instances.json: number 1 of annotations: segmentation is None"),
        ({"category_id": 4}, r"instances.json: annotation 1: no category 4"),
        ({"image_id": 4}, r"instances.json: annotation 1: no image 4"),
    ],
)
def test_an_annotation_that_is_wrong_is_named(tmp_path, annotation, message):
    with pytest.raises(datasets.DataError, match=message):
        datasets.coco_instances(*coco(tmp_path, GOOD | annotation))


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("images", None, "instances.json: no list 'images' in it, expected COCO's format"),
        ("images", [], "instances.json: annotation 1: no image 1"),
        ("images", [4], "instances.json: number 1 of images is no object in braces"),
        ("images", [{"id": 1, "file_name": "b.jpg"}], "number 1 of images: height is None"),
        (
            "images",
            [{"id": i, "file_name": "b.jpg", "height": 13, "width": 17} for i in (1, 2)],
            "instances.json: b.jpg twice among the images",
        ),
        (
            "images",
            [{"id": 1, "file_name": "c.jpg", "height": 13, "width": 17}],
            r"images/c.jpg: missing, though instances.json has it",
        ),
        (
            "images",
            [{"id": 1, "file_name": "b.jpg", "height": 17, "width": 13}],
            r"b.jpg: mask of size 17x13, expected 13x17 as its picture b.jpg",
        ),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path, part, content, message):
    folders = coco(tmp_path, GOOD, **{part: content})
    with pytest.raises(datasets.DataError, match=message):
        datasets.coco_instances(*folders)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "instances.json: not a readable JSON file"),
        (
            '{"images": [], "annotations": [], "categories": []}',
            "instances.json: no images in it",
        ),
        ("[]", "instances.json: a list in JSON, expected an object in braces"),
    ],
)
def test_what_is_no_json(tmp_path, text, message):
    images, file = coco(tmp_path, GOOD)
    write(file, text)
    with pytest.raises(datasets.DataError, match=message):
        datasets.coco_instances(images, file)
    file.unlink()
    with pytest.raises(datasets.MissingData, match=r"instances.json does not exist"):
        datasets.coco_instances(images, file)


def shape(label, kind, *points):
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, "flags": {}}


def labelled(folder, name, *shapes, **others):
    """Save a picture, and what LabelMe saves for it."""
    picture = others.get("imagePath", f"{name}.jpg").replace("\\", "/")
    jpeg(folder / name.rpartition("/")[0] / picture, SIZE)
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imageData": None}
    content |= {"imagePath": f"{name.split('/')[-1]}.jpg"}
    content |= {"imageHeight": SIZE[0], "imageWidth": SIZE[1]} | others
    return write(folder / f"{name}.json", content)


CLASSES = "wall", "door", "window"


def test_shapes_cover_those_before_them(tmp_path):
    tent = [(1.3, 9.6), (6.2, 0.4), (12.9, 10.1)]
    labelled(
        tmp_path,
        "10",
        shape("door", "rectangle", (12, 12), (1, 1)),
        shape("window", "circle", (6.5, 6.5), (6.5, 3.5)),
        shape("wall", "rectangle", (6, 6), (7, 7)),  # a hole
        shape("door", None, *tent),
        shape("__ignore__", "rectangle", (0, 0), (2, 2)),
    )
    labelled(tmp_path, "2")
    samples = datasets.labelme(tmp_path, CLASSES)
    assert samples.names.tolist() == ["2", "10"]
    expected = cells((1, 1, 12, 12, 1))
    round_window = [(j - 6) ** 2 + (i - 6) ** 2 <= 9 for i, j in np.ndindex(*SIZE)]
    expected[np.reshape(round_window, SIZE)] = 2
    expected[6, 6] = 0
    expected[inside(tent)] = 1
    expected[:2, :2] = 255
    np.testing.assert_array_equal(samples.masks[1], expected)
    assert samples.masks[0].max() == 0
    assert samples.task.class_names == CLASSES


@pytest.mark.parametrize("lazy", [False, True])
def test_pictures_are_found_from_their_files(tmp_path, lazy):
    door = shape("door", "rectangle", (0, 0), (4, 4))
    labelled(tmp_path, "labels/bob/1", door, imagePath="..\\..\\photos\\1.jpg")
    labelled(tmp_path, "labels/al/1", imagePath="here.jpg")
    write(tmp_path / "labels" / ".backup" / "x.json", "{")
    options = {"lazy": lazy, "cache": tmp_path / "cache"}
    for _ in range(2):
        samples = datasets.labelme(tmp_path / "labels", CLASSES, **options)
        assert samples.names.tolist() == ["al/1", "bob/1"]
        np.testing.assert_array_equal(samples.masks[1], cells((0, 0, 4, 4, 1)))
    renamed = datasets.labelme(tmp_path / "labels", ("wall", "door"), void=("x",), **options)
    np.testing.assert_array_equal(renamed.masks[1], cells((0, 0, 4, 4, 1)))
    void = datasets.labelme(tmp_path / "labels", ("wall",), void=("door",), **options)
    np.testing.assert_array_equal(void.masks[1], cells((0, 0, 4, 4, 255)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (shape("dor", "polygon"), "1.json: shape 2, 'dor': unknown label, expected one of wall, d"),
        (shape("door", "line", (0, 0), (1, 1)), "1.json: shape 2, 'door': shape_type 'line', expe"),
        (shape("door", "polygon", (0, 0), (1, 1)), "1.json: shape 2, 'door': a polygon of 2 point"),
        (shape("door", "circle", (0, 0)), "1.json: shape 2, 'door': a circle of 1 points, expecte"),
        (shape("door", "rectangle", (0, 0), (1,)), "1.json: shape 2, 'door': points that are no "),
        ({"points": []}, "1.json: shape 2 has no label"),
        ("door", "1.json: shape 2 has no label"),
    ],
)
def test_a_shape_that_is_wrong_is_named(tmp_path, wrong, message):
    labelled(tmp_path, "1", shape("door", "rectangle", (0, 0), (4, 4)), wrong)
    with pytest.raises(datasets.DataError, match=message):
        datasets.labelme(tmp_path, CLASSES)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"shapes": None}, "1.json: no 'shapes' in it that is of type list, as LabelMe writes"),
        ({"imageHeight": None}, "1.json: no 'imageHeight' in it that is of type int"),
        ({"imageHeight": 12}, "1.json: mask of size 12x17, expected 13x17 as its picture 1.jpg"),
    ],
)
def test_a_file_of_labelme_that_is_wrong_is_named(tmp_path, others, message):
    labelled(tmp_path, "1", **others)
    with pytest.raises(datasets.DataError, match=message):
        datasets.labelme(tmp_path, CLASSES)


def test_labelme_needs_its_pictures_and_files(tmp_path):
    with pytest.raises(datasets.MissingData, match=r"has nothing to read\. It is where LabelMe"):
        datasets.labelme(tmp_path, CLASSES)
    labelled(tmp_path, "1")
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(datasets.DataError, match=r"1.json: its picture 1.jpg is missing"):
        datasets.labelme(tmp_path, CLASSES)
    for void in ("wall", ("wall",)):
        with pytest.raises(ValueError, match=r"void=.*must be a sequence of labels that are no"):
            datasets.labelme(tmp_path, CLASSES, void=void)


def test_a_picture_turned_by_exif_is_refused_where_its_shapes_are_not(tmp_path):
    labelled(tmp_path, "1")
    turned = Image.Exif()
    turned[0x0112] = 6
    save(tmp_path / "1.jpg", np.zeros((*SIZE, 3), np.uint8), exif=turned)
    with pytest.raises(datasets.DataError, match=r"turned upright by its EXIF data\?"):
        datasets.labelme(tmp_path, CLASSES)
