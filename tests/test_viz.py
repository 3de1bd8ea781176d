"""Figures: right colours, right numbers, readable by those who cannot see them."""

import matplotlib

matplotlib.use("agg")

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from segbook import viz
from segbook.datasets import Lazy
from segbook.palette import VOID_COLOR, palette
from segbook.samples import Samples, Task

TASK = Task(("sky", "road"), np.array([[10, 20, 30], [200, 100, 0]], "uint8"))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([[0, 1]], [[[10, 20, 30], [200, 100, 0]]]),
        ([255], [list(VOID_COLOR)]),
        (np.zeros((0, 3), int), np.zeros((0, 3, 3))),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_colorize(mask, expected, dtype):
    painted = viz.colorize(np.asarray(mask, dtype), TASK)
    assert painted.dtype == "uint8"
    np.testing.assert_array_equal(painted, expected)


@pytest.mark.parametrize("strange", [2, -1, 254])
def test_colorize_refuses_unknown_ids(strange):
    with pytest.raises(ValueError, match=rf"mask with the ids \[{strange}\] must be 0..1"):
        viz.colorize(np.array([0, strange]), TASK)


def test_overlay_mixes_and_void_is_black():
    image = np.full((1, 2, 3), 0.5, "float32")
    mixed = viz.overlay(image, [[1, 255]], TASK, opacity=0.25)
    np.testing.assert_allclose(mixed[0, 0], 0.75 * 0.5 + 0.25 * TASK.palette[1] / 255, atol=1e-6)
    np.testing.assert_allclose(mixed[0, 1], 0.75 * image[0, 1], atol=1e-6)
    with pytest.raises(ValueError, match="opacity=2 must be 0 to 1"):
        viz.overlay(image, [[1, 255]], TASK, opacity=2)


def test_grid_shows_every_item_and_the_classes_that_occur():
    columns = {"picture": np.zeros((2, 4, 6, 3), "float32"), "mask": np.zeros((2, 4, 6), int)}
    figure = viz.grid(columns, TASK, title="two rows")
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sky"]
    columns["mask"][0, 0] = 255
    texts = viz.grid(columns, TASK).legends[0].get_texts()
    assert [text.get_text() for text in texts] == ["sky", "void"]


def numbered(count):
    """Samples of sky with one road pixel, each picture of a grey that says its number."""
    images = np.ones((count, 4, 6, 3), "float32") * np.arange(count)[:, None, None, None] / count
    masks = np.zeros((count, 4, 6), "uint8")
    masks[:, 0, 0], masks[:, 3] = 1, TASK.void
    return Samples(images.astype("float32"), masks, TASK)


@pytest.mark.parametrize(
    ("given", "count", "expected"),
    [(12, 4, [0, 3, 6, 9]), (10, 3, [0, 3, 6]), (2, 6, [0, 1]), (1, 1, [0])],
)
def test_preview_shows_pictures_from_all_over_the_data_set(given, count, expected):
    figure = viz.preview(numbered(given), count, columns=3)
    drawn = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    greys = [each[3, 5, 0] / 0.45 for each in drawn]  # the last row is void
    np.testing.assert_allclose([grey * given for grey in greys], expected, atol=1e-5)
    np.testing.assert_allclose(
        drawn[0][0, 0], 0.45 * greys[0] + 0.55 * TASK.palette[1] / 255, atol=1e-6
    )
    numbers = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert numbers == [str(number) for number in expected]


def test_preview_counts_what_it_shows():
    texts = viz.preview(numbered(5)).legends[0].get_texts()
    assert [text.get_text() for text in texts] == [
        "sky 70.8%",
        "road 4.2%",
        "void 25.0%",
    ]


def test_preview_reads_only_what_it_shows():
    samples, read = numbered(50), []

    def image(i):
        read.append(i)
        return samples.images[i]

    lazy = Samples(
        Lazy(image, range(50), (4, 6, 3), "float32"),
        Lazy(samples.masks.__getitem__, range(50), (4, 6), "uint8"),
        TASK,
    )
    viz.preview(lazy, count=2)
    assert read == [0, 25]


@pytest.mark.parametrize(("given", "options"), [(0, {}), (3, {"count": 0}), (3, {"columns": 0})])
def test_preview_needs_something_to_show(given, options):
    with pytest.raises(ValueError, match=f"of {given} samples must each be 1 or more"):
        viz.preview(numbered(given), **options)


def test_per_class_draws_a_bar_for_each_model_and_class():
    figure = viz.per_class({"a": [0.1, 0.2], "b": [0.3, np.nan]}, TASK)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_array_equal(heights, [0.1, 0.2, 0.3, np.nan])


def test_curves_draw_validation_too():
    figure = viz.curves({"a": {"loss": [3, 2], "val_loss": [4, 3]}, "b": {"loss": [1, 1]}})
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[3, 2], [4, 3], [1, 1]]


def test_confusion_writes_shares_of_true_classes():
    figure = viz.confusion([[3, 1, 0], [0, 2, 0], [0, 0, 0]], ("sky", "road", "car"))
    (ax,) = figure.axes
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "0.75", (1, 0): "0.25", (1, 1): "1.00"}  # (predicted, true)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sky", "road", "car"]


def test_shown_figures_carry_alternative_text(monkeypatch):
    shown = []
    display = pytest.importorskip("IPython.display")
    monkeypatch.setattr(display, "display", lambda bundle, raw: shown.append(bundle))
    figure, _ = plt.subplots()
    viz.show(figure, alt='a "quoted" <figure>')
    html = shown[0]["text/html"]
    assert 'alt="a &quot;quoted&quot; &lt;figure&gt;"' in html
    png = base64.b64decode(re.search('base64,([^"]+)', html)[1])
    assert Image.open(io.BytesIO(png)).width > 100
    assert not plt.fignum_exists(figure.number)


def test_shown_figures_keep_the_colors_of_a_legend_below_photographs(monkeypatch):
    shown = []
    display = pytest.importorskip("IPython.display")
    monkeypatch.setattr(display, "display", lambda bundle, raw: shown.append(bundle))
    names = ("sky", "tree", "person", "pole", "bicyclist", "sign")
    task = Task(names, palette(names))
    photograph = np.random.default_rng(0).random((1, 60, 90, 3)) * [0.9, 0.6, 0.5]
    figure = viz.grid({"picture": photograph, "mask": np.full((1, 60, 90), 0)}, task)
    figure.legends[0].remove()
    viz._legend(figure, task, range(len(names)))
    viz.show(figure, alt="a photograph and a legend")
    png = base64.b64decode(re.search('base64,([^"]+)', shown[0]["text/html"])[1])
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3).astype(int)
    missed = [np.abs(pixels - color).max(axis=1).min() for color in task.palette.astype(int)]
    assert max(missed) <= 16


def test_interactive_redraws_when_a_control_moves(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    display = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    def record(bundle, raw, display_id=False):
        shown.append(bundle)
        return Handle() if display_id else None

    monkeypatch.setattr(display, "display", record)
    slider = ipywidgets.IntSlider(value=3)
    viz.interactive(lambda size: plt.figure(figsize=(size, 1)), "a wide figure", size=slider)
    slider.value = 5
    _, before, after = shown
    assert before["text/plain"] == after["text/plain"] == "a wide figure"
    assert before["text/html"] != after["text/html"]
