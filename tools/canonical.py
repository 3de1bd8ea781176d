"""Write notebooks in one form, so that a diff shows what an author changed and nothing else.

`python -m tools.canonical FILES...` rewrites what is not in this form and then exits with 1, as
pre-commit wants. It executes nothing, and it never says that changed code was run.
"""

import copy
import itertools
import json
import os
import re
import sys
from pathlib import Path

import nbformat

from tools.notebooks import PageError, read

WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
OF_NOTEBOOK = ("kernelspec", "language_info", "segbook", "widgets")
OF_CELL = ("deletable", "editable", "nbgrader", "tags")
REFERENCE = re.compile(r'(?<="IPY_MODEL_)[^"\\]+|(?<="model_id": ")[^"\\]+')


def canonical(notebook):
    """Bring a notebook into its one form; doing so twice changes nothing more.

    The kernel is python3, other tools' metadata and times of execution are gone, neighbouring
    pieces of one output stream are joined, and widgets are named after the cell that shows them.

    Args:
        notebook: A valid notebook; it stays as it is.

    Returns:
        A new notebook.
    """
    page = copy.deepcopy(notebook)
    page.metadata = _only(OF_NOTEBOOK, {**page.metadata, "kernelspec": dict(KERNEL)})
    if "language_info" in page.metadata:
        page.metadata.language_info = {"name": "python"}
    for cell in page.cells:
        cell.metadata = _only(OF_CELL, cell.metadata)
        # JupyterLab writes what is true anyway.
        for key, default in (("editable", True), ("deletable", True), ("tags", [])):
            if cell.metadata.get(key) == default:
                del cell.metadata[key]
        if cell.cell_type == "code":
            cell.outputs = _join_streams(cell.outputs)
    _name_widgets(page)
    return nbformat.from_dict(page)


def to_text(notebook) -> str:
    """Return what the file of a notebook holds: the same notebook gives the same text.

    Args:
        notebook: A valid notebook.

    Returns:
        JSON with sorted keys.
    """
    return nbformat.v4.writes(notebook) + "\n"


def write(notebook, path: Path) -> bool:
    """Write a notebook in one step, so that no reader ever sees half of it.

    Args:
        notebook: A valid notebook.
        path: Its file; left alone if it holds the same already.

    Returns:
        Whether the file changed.
    """
    content = to_text(notebook).encode()
    if path.exists() and path.read_bytes() == content:
        return False
    whole = path.with_name(f".{path.name}.new")
    whole.write_bytes(content)
    os.replace(whole, path)
    return True


def widget_states(notebook) -> dict:
    """Return the states of a notebook's widgets: `{name: model}`, to read and to change.

    Args:
        notebook: The notebook.

    Returns:
        The stored dictionary; an empty one if there is none.
    """
    return notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})


def views(cell) -> list:
    """Return the widgets' views among the outputs of a code cell: `{"model_id": name, ...}`.

    Args:
        cell: A code cell.

    Returns:
        The stored dictionaries, to read and to change.
    """
    return [output.data[VIEW] for output in cell.outputs if VIEW in output.get("data", {})]


def _only(keys, metadata):
    return {key: metadata[key] for key in keys if key in metadata}


def _join_streams(outputs):
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _name_widgets(page):
    """Replace random names: `table.0`, `table.1`, ... are shown by the cell `table`."""
    states, names = widget_states(page), {}

    def visit(model, owner, counter):
        if model in states and model not in names:
            names[model] = f"{owner}.{next(counter)}"
            for part in REFERENCE.findall(json.dumps(states[model], sort_keys=True)):
                visit(part, owner, counter)

    code = [cell for cell in page.cells if cell.cell_type == "code"]
    for cell in code:
        counter = itertools.count()
        for view in views(cell):
            visit(view.model_id, cell.id, counter)
    counter = itertools.count()  # what no cell shows, in the order of its content
    for model in sorted(
        states, key=lambda name: REFERENCE.sub("", json.dumps(states[name], sort_keys=True))
    ):
        visit(model, "", counter)
    for view in itertools.chain.from_iterable(map(views, code)):
        view.model_id = names.get(view.model_id, view.model_id)
    renamed = {
        names[model]: json.loads(
            REFERENCE.sub(lambda found: names.get(found[0], found[0]), json.dumps(state))
        )
        for model, state in states.items()
    }
    states.clear()
    states.update(nbformat.from_dict(renamed))


def main(files: list[str]) -> int:
    """Rewrite files in canonical form; return 1 if one was changed or is damaged, else 0."""
    status = 0
    for path in map(Path, files):
        try:
            if write(canonical(read(path)), path):
                print(f"{path}: rewritten")
                status = 1
        except PageError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
