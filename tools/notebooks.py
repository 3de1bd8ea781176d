"""Find and read the notebooks of the book. What is damaged is named; nothing is repaired."""

import json
import os
import re
from pathlib import Path

import nbformat
from nbformat.validator import iter_validate

from tools.find import find_page

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "chapters"
PAGE_NUMBER = r"(?:\d+[a-z]?|[A-Z])"  # 5, 2a; B of an appendix
SECTION_NUMBER = r"(?:\d+|[A-Z])\.\d+"  # 5.3; B.3 of an appendix
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NAME_IT = 'give it a name of its own, such as "floor-table", and keep it for ever'


class PageError(Exception):
    """What the author of a page has to mend."""


def pages() -> list[Path]:
    """Return the paths of all chapters, then of all solutions."""
    return sorted(CHAPTERS.glob("*.ipynb")) + sorted((CHAPTERS / "solutions").glob("*.ipynb"))


def find(page: str) -> Path:
    """Find a page by its path, its number or its name.

    Args:
        page: The path of a notebook, or `05`, `05_fcn`, `solutions/05`.

    Returns:
        The path of the notebook, seen from the working directory.

    Raises:
        PageError: If there is no such page, or if it is a student notebook, which is derived.
    """
    try:
        path = Path(page) if _is_notebook(Path(page)) else find_page(page, CHAPTERS)
    except ValueError as error:
        raise PageError(str(error)) from None
    if path.resolve().parent == CHAPTERS / "exercises":
        raise PageError(f"{page}: `make derived` writes it; change chapters/solutions/{path.name}")
    return Path(os.path.relpath(path))


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as it is stored.

    Args:
        path: Where it lies.

    Returns:
        The notebook, in format 4.5.

    Raises:
        PageError: If the file is missing or is no valid notebook.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PageError(f"{path}: {error.strerror}") from None
    return parse(content, str(path))


def parse(content: bytes, name: str) -> nbformat.NotebookNode:
    """Read the content of a notebook's file.

    Args:
        content: What the file holds.
        name: What messages call it.

    Returns:
        The notebook, in format 4.5.

    Raises:
        PageError: If it is not JSON, or if `damage` finds something.
    """
    try:
        text = content.decode("utf-8")
        raw = json.loads(text)
    except ValueError as error:
        raise PageError(f"{name}: not JSON ({error})") from None
    found = damage(raw)
    if found:
        raise PageError("\n".join(f"{name}: {complaint}" for complaint in found))
    return nbformat.v4.reads(text)


def damage(notebook) -> list[str]:
    """Say where a notebook departs from the notebook format, or has cells without lasting names.

    Args:
        notebook: What its JSON holds, valid or not.

    Returns:
        Complaints, one a place.
    """
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return ["not a notebook: it has no list of cells"]
    if not notebook["cells"]:
        return ["it has no cells"]
    version = (notebook.get("nbformat"), notebook.get("nbformat_minor"))
    if version[0] != 4 or not isinstance(version[1], int) or version[1] < 5:
        return [f"its notebook format is {version}, expected (4, 5): cells need lasting ids"]
    complaints, first_with = [], {}
    for number, cell in enumerate(notebook["cells"], start=1):
        found = _damage_of_cell(cell)
        if not found and cell["id"] in first_with:
            found = f"has the id of cell {first_with[cell['id']]}; {NAME_IT}"
        if found:
            complaints.append(f"{where(number, cell)}: {found}")
        else:
            first_with[cell["id"]] = number
    error = None if complaints else next(iter_validate(notebook), None)
    return complaints or ([f"invalid: {_message(error)}"] if error else [])


def where(number: int, cell) -> str:
    """Name a cell by its place, from 1, and its id.

    Args:
        number: Its place.
        cell: The cell.

    Returns:
        For example "cell 17 (`floor-table`)".
    """
    name = cell.get("id") if isinstance(cell, dict) else None
    return f"cell {number} (`{name}`)" if name else f"cell {number}"


def first_line(cell) -> str:
    """Return the first line of a cell's source that says something.

    Args:
        cell: A valid cell.

    Returns:
        At most 60 characters.
    """
    return cell.source.strip().partition("\n")[0][:60]


def _is_notebook(path):
    return path.suffix == ".ipynb" and path.is_file()


def _damage_of_cell(cell):
    kinds = ("code", "markdown", "raw")
    if not isinstance(cell, dict) or cell.get("cell_type") not in kinds:
        return f"not a cell: its cell_type is not one of {', '.join(kinds)}"
    if "id" not in cell:
        return f"has no id; {NAME_IT}"
    if not isinstance(cell["id"], str) or not ID.fullmatch(cell["id"]):
        return (
            f"its id is {cell['id']!r}; allowed: 1 to 64 letters, digits, hyphens and underscores"
        )
    reference = f"{cell['cell_type']}_cell"
    error = next(iter_validate(cell, ref=reference, version=4, version_minor=5), None)
    return f"invalid: {_message(error)}" if error else None


def _message(error):
    place = "".join(f"[{step!r}]" for step in error.absolute_path)
    return f"{place} {error.message}".strip()[:300]
