"""What a page stores of its last run: which code was run, and which outputs may stay.

`metadata.segbook.ran` holds a short hash of each code cell as it was when the page was run.
"""

import hashlib
import re
from collections import defaultdict

from nbval.plugin import get_sanitize_patterns

from tools.canonical import VIEW, widget_states
from tools.notebooks import ROOT

IGNORED = "nbval-ignore-output"
# nbval compares neither these nor the bytes of figures.
NOT_COMPARED = {"metadata", "output_type", "execution_count", "traceback", "name"}
NOT_COMPARED |= {VIEW, "image/png", "image/jpeg"}
PATTERNS = get_sanitize_patterns((ROOT / "tests/nbval.cfg").read_text())


def code_cells(notebook) -> list:
    """Return the code cells of a notebook, in order.

    Args:
        notebook: The notebook.

    Returns:
        The cells themselves.
    """
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def hashes(notebook) -> list[str]:
    """Return a short hash of the source of each code cell, in order.

    Args:
        notebook: The notebook.

    Returns:
        Eight hexadecimal digits a cell.
    """
    sources = (cell.source.encode() for cell in code_cells(notebook))
    return [hashlib.sha256(source).hexdigest()[:8] for source in sources]


def sign(notebook) -> None:
    """Store the hashes of the code: to be called on a page whose outputs come from that code.

    Args:
        notebook: The notebook; its metadata changes.
    """
    notebook.metadata.setdefault("segbook", {})["ran"] = hashes(notebook)


def first_change(notebook) -> int | None:
    """Find the first code cell whose stored outputs may not be those of the code.

    It was edited, added or moved since the page was run, or it was run out of order.

    Args:
        notebook: The notebook.

    Returns:
        Its place among the code cells, from 0; None if there is none.
    """
    ran = notebook.metadata.get("segbook", {}).get("ran", [])
    for place, (cell, found) in enumerate(zip(code_cells(notebook), hashes(notebook), strict=True)):
        if ran[place : place + 1] != [found] or cell.execution_count != place + 1:
            return place
    return None


def keep(old, new, until: int) -> int:
    """Give the cells of a new run the outputs that are stored, as long as nothing has changed.

    That keeps figures, whose bytes vary between machines, and outputs that are not compared, such
    as seconds, out of the diff of a change further down.

    Args:
        old: The canonical page before the run; not changed.
        new: The canonical page after it; its outputs are replaced.
        until: Place among the code cells of the first one that changed.

    Returns:
        The place of the first cell that was not kept: `until`, or an earlier one if its outputs
        are no longer what was stored.
    """
    cells = zip(code_cells(old)[:until], code_cells(new)[:until], strict=True)
    for place, (was, cell) in enumerate(cells):
        ignored = IGNORED in cell.metadata.get("tags", [])
        if not ignored and _compared(was.outputs) != _compared(cell.outputs):
            return place
        cell.outputs = was.outputs
        _keep_widgets(widget_states(old), widget_states(new), cell.id + ".")
    return until


def _keep_widgets(old, new, prefix):
    for name in [name for name in new if name.startswith(prefix)]:
        del new[name]
    new.update({name: state for name, state in old.items() if name.startswith(prefix)})


def _compared(outputs):
    """Return what nbval compares: the text of each stream and each kind of data, in order."""
    found = defaultdict(list)
    for output in outputs:
        if output.output_type == "stream":
            found[output.name] = ["".join([*found[output.name], output.text])]
            continue
        for kind, content in {**output, **output.get("data", {})}.items():
            if kind not in NOT_COMPARED | {"data"}:
                found[kind].append(content)
    return {kind: [_sanitized(content) for content in found[kind]] for kind in found}


def _sanitized(content):
    for pattern, replacement in PATTERNS:
        content = re.sub(pattern, replacement, content) if isinstance(content, str) else content
    return content
