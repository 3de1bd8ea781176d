"""Lay out the sources of the HTML book in build/source: the first half of `make site`.

Nothing is executed. A chapter gets its widgets as they were stored, links to the code that it
proves, and its exercises behind it; an exercise gets its solutions, folded.
"""

import copy
import html
import itertools
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.canonical import VIEW, widget_states, write
from tools.notebooks import CHAPTERS, ROOT, read

# The public address, the one place that names it. GitHub's runners know it.
REPOSITORY = "https://github.com/" + os.environ.get("GITHUB_REPOSITORY", "OWNER/REPOSITORY")

SOURCE = ROOT / "build/source"
NPM = ROOT / "build/npm/node_modules"
COPIED = ["CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "LICENSE-text.md"]
# Each part's first chapter.
PARTS = {"00": "Foundations", "05": "Networks", "13": "Practice", "A": "Appendices"}
INSTALL = """\
# On Colab and Kaggle: install the book, fetch what its pages read. Elsewhere this does nothing.
import os
if {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & set(os.environ):
    !pip show -q segbook || (git clone -q --depth 1 {repository} /tmp/segbook && \
pip install -q /tmp/segbook && cp -rn /tmp/segbook/chapters/evidence . && \
cp -n /tmp/segbook/requirements.txt ..)"""


def with_stored_widgets(notebook):
    """Draw each widget as it was stored, as HTML that needs no script and no kernel.

    Args:
        notebook: A valid notebook; it stays as it is.

    Returns:
        A new notebook, without the states of widgets.

    Raises:
        KeyError: If a kind of widget is shown that is not drawn here.
    """
    page, states = copy.deepcopy(notebook), widget_states(notebook)
    for cell in page.cells:
        for output in cell.get("outputs", []):
            if VIEW in output.get("data", {}):
                drawn = _draw(states, output.data[VIEW].model_id)
                note = "Run the page to move this."
                output.data = {
                    "text/html": f'<div class="stored-widget" role="group" aria-label="{note}">'
                    f"{drawn}<p>{note}</p></div>"
                }
    page.metadata.pop("widgets", None)
    return page


def with_links(notebook, name: str):
    """Add what follows a chapter: the code that it proves, and its exercises.

    Args:
        notebook: The chapter; it stays as it is.
        name: Its name, such as `"05_fcn"`.

    Returns:
        A new notebook.
    """
    page = copy.deepcopy(notebook)
    lines = ["## The code of this chapter", ""]
    for file in page.metadata.segbook.code:
        module = file.removesuffix(".py").partition("/")[0]
        source = f"../_modules/segbook/{file.removesuffix('.py')}.html"
        lines.append(
            f'- <a href="{source}"><code>segbook/{file}</code></a>, described in'
            f" [the reference](../api/{module}.md)"
        )
    if (CHAPTERS / "exercises" / f"{name}.ipynb").exists():
        lines += ["", "```{toctree}", ":hidden:", f"Exercises <exercises/{name}>", "```"]
    page.cells.append(new_markdown_cell("\n".join(lines), id="site-code"))
    return page


def with_solutions(exercises, solutions):
    """Put each task's solution behind it, folded.

    Args:
        exercises: The notebook that students get; it stays as it is.
        solutions: The notebook that it was written from.

    Returns:
        A new notebook.
    """
    page, solved = copy.deepcopy(exercises), {cell.id: cell for cell in solutions.cells}
    cells = []
    for cell in page.cells:
        cells.append(cell)
        if cell.metadata.get("nbgrader", {}).get("solution"):
            source = re.sub(r"\n? *### (BEGIN|END) SOLUTION", "", solved[cell.id].source)
            folded = {"tags": ["hide-input"], "mystnb": {"code_prompt_show": "A solution"}}
            folded["mystnb"]["code_prompt_hide"] = "A solution"
            cells.append(new_code_cell(source, metadata=folded, id=f"{cell.id}-solution"))
    page.cells = cells
    return page


def with_install(notebook):
    """Put the line that Colab and Kaggle need before the first code cell.

    Args:
        notebook: A valid notebook; it stays as it is.

    Returns:
        A new notebook.
    """
    page = copy.deepcopy(notebook)
    first = next(i for i, cell in enumerate(page.cells) if cell.cell_type == "code")
    source = INSTALL.format(repository=REPOSITORY)
    page.cells.insert(first, new_code_cell(source, id="install"))
    return page


def gallery() -> str:
    """Return the chapters as a list of pictures, each a link to its chapter, in Markdown."""
    lines = []
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        page = read(path)
        title = page.cells[0].source.partition("\n")[0].removeprefix("# ")
        alt, picture = re.search(r"!\[([^\]]+)\]\(([^)]+)\)", page.cells[0].source).groups()
        lines.append(f"- [![{alt}](chapters/{picture})](chapters/{path.name})\n")
        lines.append(f"  **[{title}](chapters/{path.name})**<br>{page.metadata.segbook.builds}\n")
    return "\n".join(lines)


def contents() -> str:
    """Return a table of contents for each part that has chapters, in MyST."""
    names = sorted(path.stem for path in CHAPTERS.glob("*.ipynb"))
    tables = []
    for first, end in itertools.pairwise([*PARTS, "~"]):
        entries = [f"chapters/{name}" for name in names if first <= name < end]
        if entries:
            head = f"```{{toctree}}\n:hidden:\n:caption: {PARTS[first]}\n"
            tables.append("\n".join([head, *entries, "```\n"]))
    return "\n".join(tables)


def heading_id(title: str) -> str:
    """Return the name by which Jupyter links to a heading, and so do the chapters."""
    return title.replace(" ", "-")


def lay_out() -> None:
    """Write build/source anew; Sphinx reads nothing else."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "site", SOURCE)
    shutil.copytree(CHAPTERS / "images", SOURCE / "chapters/images")
    shutil.copytree(NPM / "mathjax/es5", SOURCE / "_static/mathjax", ignore=_other_fonts)
    for name in ["chapters/README.md", "data/README.md", *COPIED]:
        (SOURCE / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, SOURCE / name)
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        page = with_links(with_stored_widgets(read(path)), path.stem)
        _put(page, read(path), f"chapters/{path.name}")
    for path in sorted((CHAPTERS / "exercises").glob("*.ipynb")):
        exercises = read(path)
        page = with_solutions(exercises, read(CHAPTERS / "solutions" / path.name))
        _put(page, exercises, f"chapters/exercises/{path.name}")
    index = (ROOT / "site/index.md").read_text(encoding="utf-8")
    index = index.replace("<!-- gallery -->", gallery()).replace("<!-- contents -->", contents())
    (SOURCE / "index.md").write_text(index, encoding="utf-8")
    _reference()


def add_buttons(app, pagename, templatename, context, doctree):
    """Offer a notebook on Colab, Kaggle and Binder, beside the theme's download.

    Args:
        app: Sphinx.
        pagename: The page, such as `"chapters/05_fcn"`.
        templatename: Its template.
        context: What the template is given; `header_buttons` grows.
        doctree: The content of the page.
    """
    if context.get("page_source_suffix") != ".ipynb":
        return
    address = REPOSITORY.removeprefix("https://github.com/")
    with_line = f"{address}/blob/gh-pages/_sources/{pagename}.ipynb"  # it installs the book
    lab = quote(f"lab/tree/{pagename}.ipynb", safe="")
    places = {
        "Colab": f"https://colab.research.google.com/github/{with_line}",
        "Kaggle": f"https://kaggle.com/kernels/welcome?src=https://github.com/{with_line}",
        "Binder": f"https://mybinder.org/v2/gh/{address}/main?urlpath={lab}",
    }
    buttons = [
        {
            "type": "link",
            "url": url,
            "text": place,
            "tooltip": f"Open in {place}",
            "icon": "fas fa-play",
        }
        for place, url in places.items()
    ]
    context["header_buttons"].insert(
        0,
        {
            "type": "group",
            "tooltip": "Run this page",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": buttons,
        },
    )


def _put(page, original, name):
    """Write what Sphinx reads, and what its download button gives."""
    for folder, notebook in (("", page), ("_extra/_sources", with_install(original))):
        path = SOURCE / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(notebook, path)


def _reference():
    folder = SOURCE / "api"
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "segbook").iterdir()):
        if path.stem.startswith("_") or not (path.suffix == ".py" or path.is_dir()):
            continue
        module = f"segbook.{path.stem}"
        text = f"# {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
        (folder / f"{path.stem}.md").write_text(text, encoding="utf-8")


def _draw(states, name):
    kind, state = states[name]["model_name"], states[name]["state"]
    if kind == "HBoxModel":
        parts = (_draw(states, child.removeprefix("IPY_MODEL_")) for child in state["children"])
        return "".join(parts)
    if kind in ("SelectionSliderModel", "DropdownModel"):
        labels = state["_options_labels"]
        low, high, value, shown = 0, len(labels) - 1, state["index"], labels[state["index"]]
    else:
        low, high, value = (state[key] for key in ("min", "max", "value"))
        shown = format(value, state["readout_format"])
    label = html.escape(state["description"] or "slider")
    if kind == "DropdownModel":
        return f"<label>{label} <select disabled><option>{html.escape(shown)}</select></label>"
    return (
        f'<label>{label} <input type="range" disabled min="{low}" max="{high}" step="any"'
        f' value="{value}"> <output>{html.escape(str(shown))}</output></label>'
    )


def _other_fonts(folder, names):
    """Leave out what MathJax never loads here: other inputs, outputs and its speech engine."""
    if Path(folder).name == "es5":
        return [name for name in names if name not in ("tex-chtml.js", "output", "LICENSE")]
    return [name for name in names if name.endswith((".js", ".json"))]


if __name__ == "__main__":
    lay_out()
    sys.exit(0)
