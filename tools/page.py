"""Execute, store and check one page: `make page CHAPTER=05`, or `python -m tools.page 05`.

The file is written only if every cell ran and every rule holds. If no code changed since the last
run, nothing is executed; `--force` executes anyhow, for when segbook or a library changed.

A cell keeps its id for ever; a new one gets a name of its own, such as "floor-table". Run a page
that shows real data where the data is (`SEGBOOK_DATA`): elsewhere it stores that none was found.
"""

import argparse
import copy
import re
import sys
import time
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.canonical import canonical, write
from tools.exercises import grading_complaints
from tools.notebooks import PageError, find, first_line, parse, read, where
from tools.rules import complaints
from tools.stored import code_cells, first_change, keep, sign

SECONDS_PER_CELL = 600


def execute(notebook, folder: Path, *, progress=lambda text: None):
    """Run a notebook in a fresh kernel, from top to bottom.

    Args:
        notebook: A valid notebook; it stays as it is.
        folder: The working directory, as in Jupyter the folder of the notebook.
        progress: Called with a line of text before each cell.

    Returns:
        A new notebook with the outputs and the states of its widgets.

    Raises:
        PageError: If a cell fails, with its place, id and first line, or if the kernel dies.
    """
    page = copy.deepcopy(notebook)
    page.metadata.pop("widgets", None)
    for cell in code_cells(page):
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        page,
        kernel_name="python3",
        timeout=SECONDS_PER_CELL,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=CRITICAL"],  # no word about its sockets
    )
    start = time.perf_counter()
    # What `client.execute()` does, but its own handler of Ctrl-C ends in a traceback.
    with client.setup_kernel():
        for number, cell in enumerate(page.cells, start=1):
            if cell.cell_type == "code":
                progress(f"cell {number} of {len(page.cells)}, {time.perf_counter() - start:.0f} s")
                _execute_cell(client, cell, number)
        client.set_widgets_metadata()
    page.metadata.language_info = {"name": "python"}
    return page


def _execute_cell(client, cell, number):
    running = f"{where(number, cell)}: `{first_line(cell)}`"
    try:
        client.execute_cell(cell, number - 1)
    except CellExecutionError as error:
        line = _failing_line(error.traceback)
        raise PageError(f"{running}: {error.ename}: {error.evalue}{line}") from None
    except CellTimeoutError:
        raise PageError(f"{running}: still running after {SECONDS_PER_CELL} s") from None
    except DeadKernelError:
        raise PageError(f"{running}: the kernel died (out of memory?)") from None


def _failing_line(traceback):
    plain = re.sub(r"\x1b\[[\d;]*m", "", traceback)
    arrow = re.search(r"^-+> *(\d+) +(.*)$", plain, re.MULTILINE)
    return f"\n  line {arrow[1]}: {arrow[2]}" if arrow else ""


def make_page(path: Path, *, force: bool = False, report=print, progress=lambda text: None) -> None:
    """Execute a page if its code changed, bring it into canonical form, check it, write it.

    Outputs before the first changed cell stay as they are stored, unless they are no longer true;
    those from there on are new.

    Args:
        path: The notebook.
        force: Execute in any case, and take every output from this run.
        report: Called with lines for the author.
        progress: Called with a line of text before each cell.

    Raises:
        PageError: If the file is damaged, a cell fails or a rule is broken. The file is then as it
            was, byte for byte.
    """
    folder = path.resolve().parent
    read(path)  # says what is wrong with the path itself
    before = path.read_bytes()
    page = canonical(parse(before, str(path)))
    changed = 0 if force and code_cells(page) else first_change(page)
    if changed is None:
        report(f"{path}: no code changed, nothing was run (FORCE=1 runs it anyhow)")
    else:
        page = _run(path, page, changed, report, progress)
    sign(page)
    found = complaints(page, folder)
    found += grading_complaints(page) if folder.name == "solutions" else []
    if found:
        raise PageError("\n".join(f"{path}: {complaint}" for complaint in found))
    if path.read_bytes() != before:
        raise PageError(f"{path}: was edited while it ran; run `make page` again")
    report(f"{path}: {'written' if write(page, path) else 'as it was'}")


def _run(path, old, changed, report, progress):
    start = time.perf_counter()
    try:
        new = canonical(execute(old, path.resolve().parent, progress=progress))
    except PageError as error:
        raise PageError(f"{path}: {error}") from None
    cells = code_cells(new)
    kept = keep(old, new, changed)
    report(
        f"{path}: ran in {time.perf_counter() - start:.0f} s, "
        f"new outputs from `{cells[kept].id}` on"
    )
    if kept < changed:
        report(
            f"{path}: `{cells[kept].id}` gives something else than what was stored, though the "
            f"first change is in `{cells[changed].id}`"
        )
    return new


def main(arguments: list[str]) -> int:
    """Make the page that the command line names; return 0, or 1 if it has to be mended."""
    parser = argparse.ArgumentParser(prog="python -m tools.page", description=__doc__)
    parser.add_argument("page", help="a path, or 05, 05_fcn, solutions/05")
    parser.add_argument("--force", action="store_true", help="run it though no code changed")
    given = parser.parse_args(arguments)
    # On a terminal each line takes the place of the last one.
    end = "\r" if sys.stderr.isatty() else "\n"
    try:
        make_page(
            find(given.page),
            force=given.force,
            progress=lambda text: print(f"{text:40}", end=end, file=sys.stderr, flush=True),
        )
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
