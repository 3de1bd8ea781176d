"""Figures: pictures beside masks, overlays, per-class bars and training curves.

Every function returns a `matplotlib` figure; `show` puts it into a notebook with alternative text.
Classes keep the colours of their `Task` everywhere.
"""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch
from PIL import Image

from segbook.metrics.scores import row_shares
from segbook.palette import VOID_COLOR
from segbook.samples import Task

STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.interpolation": "nearest",
    "axes.prop_cycle": plt.cycler(color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"]),
}


def use_style() -> None:
    """Give every figure of this session the look of the book."""
    plt.rcParams.update(STYLE)


def show(figure: plt.Figure, alt: str) -> None:
    """Display a figure in a notebook with alternative text, then close it.

    Args:
        figure: The figure.
        alt: What a reader who cannot see the figure needs to know.
    """
    from IPython.display import display

    display(_with_alt(figure, alt), raw=True)


def interactive(draw, alt: str, **controls) -> None:
    """Show a figure with sliders that redraw it; the first state is stored with the notebook.

    Args:
        draw: Function of the controls' values that returns a figure.
        alt: Alternative text of the figure.
        **controls: From argument name of `draw` to an `ipywidgets` control with a `value`.
    """
    import ipywidgets
    from IPython.display import display

    def picture():
        values = {name: control.value for name, control in controls.items()}
        return _with_alt(draw(**values), alt)

    sliders = ipywidgets.HBox(list(controls.values()))
    hint = {"text/plain": "(Run this cell to get the sliders.)"}
    display(sliders._repr_mimebundle_() | hint, raw=True)
    shown = display(picture(), raw=True, display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(picture(), raw=True), "value")


def _with_alt(figure, alt):
    """Draw a figure as a mime bundle; JupyterLab shows alternative text only in HTML."""
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches="tight")
    plt.close(figure)
    # 256 colours are enough for the page and make the file three times smaller; MAXCOVERAGE keeps
    # rare ones, such as a legend's below photographs.
    picture = Image.open(drawn).convert("RGB")
    picture = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    picture.save(file, format="png", optimize=True)
    png = base64.b64encode(file.getvalue()).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png}">'
    return {"text/html": image, "text/plain": alt}


def colorize(mask, task: Task) -> np.ndarray:
    """Paint a mask in the colours of its classes.

    Args:
        mask: Integer array of any shape with ids `0..num_classes-1` or `task.void`.
        task: The classes.

    Returns:
        uint8 array of the mask's shape with a last axis of RGB added.

    Raises:
        ValueError: If the mask holds an id that is neither a class nor void.
    """
    mask = np.asarray(mask)
    lookup = np.append(task.palette, [VOID_COLOR], axis=0).astype("uint8")
    known = (mask >= 0) & (mask < task.num_classes)
    if not np.all(known | (mask == task.void)):
        strange = np.unique(mask[~known & (mask != task.void)])[:5].tolist()
        raise ValueError(
            f"mask with the ids {strange} must be 0..{task.num_classes - 1} or void = {task.void}."
        )
    return lookup[np.where(known, mask, task.num_classes)]


def overlay(image, mask, task: Task, opacity: float = 0.55) -> np.ndarray:
    """Lay a coloured mask over its picture; void is black there as everywhere.

    Args:
        image: float array `(height, width, 3)` with values in [0, 1].
        mask: Integer array `(height, width)`.
        task: The classes.
        opacity: Share of the mask's colour, 0 to 1.

    Returns:
        float32 array `(height, width, 3)` with values in [0, 1].
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity={opacity} must be 0 to 1.")
    painted = colorize(mask, task) / 255
    return ((1 - opacity) * np.asarray(image) + opacity * painted).astype("float32")


def grid(columns: dict, task: Task, title: str = "", *, width: float = 9.0) -> plt.Figure:
    """Draw pictures, masks and predictions side by side, one sample a row, with a legend.

    Args:
        columns: From column title to a batch: float pictures `(n, height, width, 3)` in [0, 1] or
            integer masks `(n, height, width)`.
        task: The classes.
        title: A line above the figure.
        width: Width of the figure in inches.
    """
    batches = {name: np.asarray(batch) for name, batch in columns.items()}
    rows, *size = next(iter(batches.values())).shape[:3]
    figure, axes = _panels(rows, len(batches), size, width)
    for column, (name, batch) in zip(axes.T, batches.items(), strict=True):
        for ax, item in zip(column, batch, strict=True):
            ax.imshow(item.clip(0, 1) if item.ndim == 3 else colorize(item, task))
        column[0].set_title(name)
    masks = [batch for batch in batches.values() if batch.ndim == 3]
    if masks:
        _legend(figure, task, np.unique(np.concatenate([m.ravel() for m in masks])))
    if title:
        figure.suptitle(title)
    return figure


def preview(
    samples, count: int = 6, *, title: str = "", columns: int = 3, width: float = 9.0
) -> plt.Figure:
    """Draw pictures from all over a data set under their masks, to see whether the two agree.

    Each has its position in the data set in a corner. The legend says which share of the pixels
    shown belongs to each class.

    Args:
        samples: `Samples`, lazy or not; only the pictures that are drawn are read.
        count: How many pictures, evenly spread over the data set from its first on.
        title: A line above the figure.
        columns: Pictures in a row.
        width: Width of the figure in inches.

    Raises:
        ValueError: If there is no picture, or a mask has an id that is neither a class nor void.
    """
    if len(samples) == 0 or count < 1 or columns < 1:
        raise ValueError(
            f"count={count} and columns={columns} of {len(samples)} samples must each be 1 or more."
        )
    count = min(count, len(samples))
    numbers = np.arange(count) * len(samples) // count
    shown = samples[numbers]
    images, masks = np.asarray(shown.images), np.asarray(shown.masks)
    columns = min(columns, count)
    figure, axes = _panels(-(-count // columns), columns, images.shape[1:3], width)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for ax, number, image, mask in zip(axes.flat, numbers, images, masks, strict=False):
        ax.imshow(overlay(image, mask, samples.task).clip(0, 1))
        ax.text(0.02, 0.97, number, va="top", fontsize=9, bbox=paper, transform=ax.transAxes)
    ids, pixels = np.unique(masks, return_counts=True)
    shares = {i: f" {share:.1%}" for i, share in zip(ids, pixels / masks.size, strict=True)}
    _legend(figure, samples.task, ids, shares, per_row=7)
    if title:
        figure.suptitle(title)
    return figure


def _panels(rows: int, columns: int, size, width: float):
    """Make a figure of close panels without axes, for pictures of a size (height, width)."""
    height = width / columns * size[0] / size[1]
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, rows * height + 0.8), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
    return figure, axes


def _legend(figure: plt.Figure, task: Task, ids, notes=None, per_row: int = 9) -> None:
    """List the classes in `ids`, each with a note such as its share, below a figure."""
    names = {**dict(enumerate(task.class_names)), task.void: "void"}
    colors = {**dict(enumerate(task.palette / 255)), task.void: np.array(VOID_COLOR) / 255}
    entries = [
        Patch(
            facecolor=colors[i],
            edgecolor="0.4",
            linewidth=0.5,
            label=name + (notes[i] if notes else ""),
        )
        for i, name in names.items()
        if i in ids
    ]
    rows = -(-len(entries) // per_row)
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=-(-len(entries) // rows),
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.2,
    )


def per_class(results: dict, task: Task, title: str = "", *, ylabel: str = "IoU") -> plt.Figure:
    """Draw one group of bars a class, one bar a model.

    Args:
        results: From model name to an array `(num_classes,)` of values in [0, 1]; NaN leaves a gap.
        task: The classes.
        title: A line above the figure.
        ylabel: What the bars measure.
    """
    figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
    step = 0.8 / len(results)
    for k, (name, values) in enumerate(results.items()):
        centers = np.arange(task.num_classes) + (k - (len(results) - 1) / 2) * step
        ax.bar(centers, np.asarray(values), width=0.92 * step, label=name)
    ax.set_xticks(range(task.num_classes), task.class_names)
    ax.set_ylim(0, 1)
    ax.set_ylabel(ylabel)
    figure.legend(ncols=len(results), loc="outside upper right")
    ax.set_title(title, loc="left")
    return figure


def confusion(matrix, class_names, title: str = "") -> plt.Figure:
    """Draw where the pixels of each true class went, as shares of the class.

    Args:
        matrix: int `(C, C)`, rows true, as a metric's `matrix()` gives it.
        class_names: C names.
        title: A line above the figure.
    """
    shares = row_shares(np.asarray(matrix))
    side = 1.5 + 0.5 * len(class_names)
    figure, ax = plt.subplots(figsize=(side + 0.7, side), layout="constrained")
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            color = "white" if share > 0.6 else "black"
            ax.text(column, row, f"{share:.2f}", ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(len(class_names)), class_names, rotation=35, ha="right")
    ax.set_yticks(range(len(class_names)), class_names)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, loc="left")
    return figure


def curves(histories: dict, quantity: str = "loss", title: str = "") -> plt.Figure:
    """Draw how a quantity went during training, one line a model; validation is dashed.

    Args:
        histories: From model name to the `History` that `fit` returned, or its `.history` dict.
        quantity: A key of the history; `val_` + key is drawn too where it exists.
        title: A line above the figure.
    """
    figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
    for name, history in histories.items():
        logs = getattr(history, "history", history)
        epochs = np.arange(1, len(logs[quantity]) + 1)
        (line,) = ax.plot(epochs, logs[quantity], label=name)
        if f"val_{quantity}" in logs:
            ax.plot(
                epochs, logs[f"val_{quantity}"], "--", color=line.get_color(), label=f"{name}, val"
            )
    ax.set_xlabel("epoch")
    ax.set_ylabel(quantity.replace("_", " "))
    ax.legend()
    ax.set_title(title, loc="left")
    return figure
