"""Outlines and runs against loops over pixels in exact fractions."""

from math import pi

import numpy as np
import pytest
from outlines import SIZE, inside, lengths_of, packed
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation
from scipy.spatial import Delaunay

from segbook.datasets.disk.shapes import circle, polygon, rectangle, runs


@pytest.mark.parametrize("kind", ["halves", "quarters", "floats"])
@pytest.mark.parametrize("seed", range(8))
def test_polygons_equal_a_loop(kind, seed):
    """Corners on centres, edges through centres, corners outside, edges that cross."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 22, (rng.integers(3, 9), 2))
    points = {"halves": np.round(points * 2) / 2, "quarters": np.round(points * 4) / 4}.get(
        kind, points
    )
    expected = inside(points)
    np.testing.assert_array_equal(polygon(points, SIZE), expected)
    np.testing.assert_array_equal(polygon(points[::-1].tolist(), SIZE), expected)
    np.testing.assert_array_equal(polygon(np.roll(points, 2, axis=0), SIZE), expected)


@pytest.mark.parametrize("grid", [1, 2, None])
def test_polygons_that_share_edges_share_no_pixel_and_leave_none(grid):
    """A box cut into triangles; every pixel is in exactly one."""
    corners = [(0, 0), (17, 0), (17, 13), (0, 13)]
    within = np.random.default_rng(0).uniform(0, (17, 13), (40, 2))
    points = np.concatenate([corners, np.round(within * grid) / grid if grid else within])
    points = np.unique(points, axis=0)
    count = sum(polygon(points[each], SIZE).astype(int) for each in Delaunay(points).simplices)
    np.testing.assert_array_equal(count, np.ones(SIZE))


@pytest.mark.parametrize(
    ("points", "rows", "columns"),
    [
        ([(2, 1), (5, 4)], slice(1, 4), slice(2, 5)),
        ([(5, 1), (2, 4)], slice(1, 4), slice(2, 5)),
        ([(2.5, 1.5), (5.5, 4.5)], slice(1, 4), slice(2, 5)),  # left and upper in, others out
        ([(2.6, 1.6), (5.6, 4.6)], slice(2, 5), slice(3, 6)),
        ([(-9, -9), (99, 2)], slice(0, 2), slice(0, 17)),
        ([(3, 3), (3, 9)], slice(0, 0), slice(0, 0)),
        ([(18, 3), (20, 9)], slice(0, 0), slice(0, 0)),
    ],
)
def test_rectangles(points, rows, columns):
    expected = np.zeros(SIZE, bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(rectangle(points, SIZE), expected)


def test_circles():
    found = circle([(8.5, 6.5), (8.5, 2.5)], SIZE)
    expected = [(j - 8) ** 2 + (i - 6) ** 2 <= 16 for i, j in np.ndindex(*SIZE)]
    np.testing.assert_array_equal(found.ravel(), expected)
    large = circle([(500.3, 499.8), (100, 499.8)], (1000, 1000))
    assert large.sum() == pytest.approx(pi * 400.3**2, rel=1e-4)
    assert not circle([(3, 3), (3.1, 3)], SIZE).any()


def test_pillow_paints_outlines_too():
    """What LabelMe's converters do: `ImageDraw.polygon(outline=1, fill=1)`."""
    for seed in range(20):
        angles = np.sort(np.random.default_rng(seed).uniform(0, 2 * pi, 9))
        points = 30 + 25 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        drawn = Image.new("1", (60, 60))
        ImageDraw.Draw(drawn).polygon(list(map(tuple, points)), outline=1, fill=1)
        ours = polygon(points, (60, 60))
        assert np.asarray(drawn).sum() > ours.sum()
        assert (np.asarray(drawn) <= binary_dilation(ours, np.ones((3, 3)))).all()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("size", [(1, 1), (13, 17), (300, 400)])
def test_runs_packed_and_not(share, size):
    rng = np.random.default_rng(0)
    for _ in range(3):
        mask = rng.random(size) < share
        np.testing.assert_array_equal(runs(lengths_of(mask), size), mask)
        np.testing.assert_array_equal(runs(packed(lengths_of(mask)), size), mask)


@pytest.mark.parametrize(
    ("text", "size", "expected"),  # as COCO's own code packs them
    [
        ("122O", (2, 3), [[0, 1, 0], [1, 0, 1]]),
        ("Z11", (1, 43), [[0] * 42 + [1]]),
    ],
)
def test_packed_runs_of_others(text, size, expected):
    np.testing.assert_array_equal(runs(text, size), np.array(expected, bool))


@pytest.mark.parametrize(
    ("shape", "points", "message"),
    [
        (polygon, [(1, 1), (2, 2)], "a polygon of 2 points, expected 3 or more"),
        (polygon, [], "points that are no pairs of numbers"),
        (polygon, [(1, 1), (2, 2), (3,)], "points that are no pairs of numbers"),
        (polygon, [(1, 1), (2, 2), (3, float("nan"))], "points that are no pairs of numbers"),
        (polygon, [(1, 1), (2, 2), (3, "x")], "points that are no pairs of numbers"),
        (polygon, None, "points that are no pairs of numbers"),
        (rectangle, [(1, 1)], "a rectangle of 1 points, expected 2: opposite corners"),
        (circle, [(1, 1)] * 3, "a circle of 3 points, expected 2: the centre and one on the rim"),
        (runs, [13 * 17 - 1], "runs of 220 pixels, expected 13 x 17"),
        (runs, [13 * 17 + 1, -1], "integers of 0 or more"),
        (runs, [110.5, 110.5], "integers of 0 or more"),
        (runs, [], "integers of 0 or more"),
        (runs, None, "integers of 0 or more"),
        (runs, "P", "runs that break off"),
        (runs, "1 1", "character ' '"),
        (runs, "122O", "runs of 6 pixels, expected 13 x 17"),
    ],
)
def test_what_is_no_shape(shape, points, message):
    with pytest.raises(ValueError, match=message):
        shape(points, SIZE)
