"""Execute a page once, with a seed, a budget and a number of threads, and give what it noted."""

import ast
import copy
import hashlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell

from segbook.evidence import RECORD, EvidenceError

THREAD_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
# A cell that asks the stored runs says nothing about the run that is being recorded.
ASKS_STORED_RUNS = "notes.values("


def parameters(notebook, page: str) -> dict:
    """Read the cell of a page that is tagged `parameters`.

    Args:
        notebook: The notebook.
        page: Its name, for messages.

    Returns:
        What the cell sets, at least SEED and BUDGET.

    Raises:
        EvidenceError: If there is not one such cell, or if it does more than set literals.
    """
    cells = [cell for cell in notebook.cells if is_parameters(cell)]
    if len(cells) != 1:
        raise EvidenceError(
            f"{page} has {len(cells)} code cells tagged `parameters`, expected one, with lines "
            "such as SEED = 5 and BUDGET = 1"
        )
    try:
        lines = ast.parse(cells[0].source).body
        values = {line.targets[0].id: ast.literal_eval(line.value) for line in lines}
    except (SyntaxError, AttributeError, ValueError):
        raise EvidenceError(
            f"{page}: the cell tagged `parameters` holds more than lines such as SEED = 5"
        ) from None
    if not isinstance(values.get("SEED"), int) or values.get("BUDGET") != 1:
        raise EvidenceError(
            f"{page}: the cell tagged `parameters` must set SEED to an integer and BUDGET to 1, "
            f"got {values}"
        )
    return values


def is_parameters(cell) -> bool:
    """Whether a cell is a code cell tagged `parameters`."""
    return cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])


def hash_of_code(notebook) -> str:
    """Give a short hash of the code cells, which changes when the code of a page does."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:12]


def execute(notebook, page: Path, run: dict, show) -> dict:
    """Execute a page once in a fresh kernel.

    Args:
        notebook: The notebook; it is not changed.
        page: Its path; the kernel works in its folder.
        run: Seed, budget and threads.
        show: Called with the number of the cell and the number of all cells before each cell.

    Returns:
        What the run noted: notes, versions, machine, and the assertions that failed.

    Raises:
        EvidenceError: If a cell fails with anything but an assertion, if the kernel dies, or if
            the page does not use its parameters.
    """
    notebook = copy.deepcopy(notebook)
    place = next(i for i, cell in enumerate(notebook.cells) if is_parameters(cell))
    given = new_code_cell(f"SEED = {run['seed']}\nBUDGET = {run['budget']}")
    notebook.cells.insert(place + 1, given)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(page.parent)}})
    kernel = client.create_kernel_manager()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        # Over TCP a kernel logs a warning.
        kernel.transport, kernel.ip = "ipc", f"{folder}/kernel"
        record = Path(folder) / "notes.jsonl"
        env = os.environ | dict.fromkeys(THREAD_VARIABLES, str(run["threads"]))
        # What an interrupted kernel has to say is of no use.
        with client.setup_kernel(env=env | {RECORD: str(record)}, stderr=subprocess.DEVNULL):
            for number, cell in enumerate(notebook.cells):
                show(number + 1, len(notebook.cells))
                error = _error_of(client, cell, number)
                if error and not error.startswith("AssertionError"):
                    before = "".join(f"\n  before: {f['cell']}: {f['error']}" for f in failed)
                    raise EvidenceError(f"not stored: cell {cell.id}: {error}{before}")
                if error and ASKS_STORED_RUNS not in cell.source:
                    failed.append({"cell": cell.id, "error": error})
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    return {**_recorded(lines, page, run), "failed": failed}


def _error_of(client, cell, number):
    """Execute a cell and say in one line what failed, or None."""
    try:
        client.execute_cell(cell, number)
    except CellExecutionError as error:
        colours = re.compile(r"\x1b\[[\d;]*m")
        arrow = re.search(r"^-+> *\d+ (.*)", colours.sub("", error.traceback), re.MULTILINE)
        text = error.evalue or (arrow.group(1).strip() if arrow else "")
        return f"{error.ename}: {text.strip().partition(chr(10))[0]}"
    except DeadKernelError:
        return "the kernel died"


def _recorded(lines, page, run):
    if not lines:
        raise EvidenceError(f"not stored: {page.name} makes no evidence.Notes")
    head, *notes = (json.loads(line) for line in lines)
    expected = {"chapter": page.stem, "seed": run["seed"], "budget": run["budget"]}
    if {key: head[key] for key in expected} != expected:
        raise EvidenceError(
            f"not stored: the page makes evidence.Notes({head['chapter']!r}, seed={head['seed']}, "
            f"budget={head['budget']}), expected {page.stem!r}, seed=SEED and budget=BUDGET"
        )
    if not notes:
        raise EvidenceError(f"not stored: {page.name} notes nothing")
    return {
        "notes": {note["name"]: note["value"] for note in notes},
        "versions": head["versions"],
        "machine": head["machine"],
    }
