"""The rules that every chapter and every solution keeps.

A rule takes a notebook and returns its complaints, one string each; none means that it is kept.
"""

import re
from urllib.parse import unquote

import nbformat
from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
IGNORED = "nbval-ignore-output"
UNCHECKED = {"nbval-skip", "nbval-raises-exception", "raises-exception"}
EMBEDDED = re.compile(r"data:image/[\w+]+;base64,[\w+/=]+")
DEBRIS = re.compile(
    r"[\r\b\x1b]|[━█]|\d(?:it|ms|s)/(?:s|it|step)\b|^Epoch \d+/\d+"  # progress bars, colours
    r"|\w+Warning\b|\bWARNING\b|^[IWEF]\d{4} |oneDNN|/site-packages/",  # warnings, log lines
    re.MULTILINE,
)
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~<-])/(?:home|root|tmp|Users|usr|opt|var|mnt|work|content)\b"
    r"|(?<![A-Za-z])[A-Z]:\\+\w[\w ]+\\|file://"
)
SHORTEST_ALT = 20


def runs_top_to_bottom(notebook):
    """Every code cell was run once, in order, in a fresh kernel."""
    counts = [cell.execution_count for _, cell in _code(notebook)]
    fresh = list(range(1, len(counts) + 1))
    return [] if counts == fresh else [f"execution counts are {counts}, expected 1 to {len(fresh)}"]


def has_no_errors(notebook):
    """No output is an exception: a trap catches what it shows."""
    return [f"{where}: {o.ename}" for where, o in _outputs(notebook) if o.output_type == "error"]


def has_no_stderr(notebook):
    """Nothing was written to stderr."""
    return [f"{where}: {o.text}" for where, o in _outputs(notebook) if o.get("name") == "stderr"]


def has_no_debris(notebook):
    """No progress bar, warning, log line or terminal colour is stored."""
    return [
        f"{where}: {found!r}"
        for where, output in _outputs(notebook)
        for found in DEBRIS.findall(_text(output))
    ]


def names_no_machine_path(notebook):
    """Neither text nor code nor output names a folder of the author's machine."""
    texts = [(where, cell.source) for where, cell in _cells(notebook)]
    texts += [(where, _text(output)) for where, output in _outputs(notebook)]
    return [f"{where}: {found}" for where, text in texts for found in MACHINE_PATH.findall(text)]


def figures_have_alt_text(notebook):
    """Every picture, in outputs and in text, says what it shows."""
    alts = [
        (where, output.metadata.get(kind, {}).get("alt"))
        for where, output in _outputs(notebook)
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]
    pages = [
        (where, BeautifulSoup(output.get("data", {}).get("text/html", ""), "html.parser"))
        for where, output in _outputs(notebook)
    ]
    alts += [
        (where, image.get("alt"))
        for where, page in pages + _markdown(notebook)
        for image in page.find_all("img")
    ]
    return [
        f"{where}: the alternative text of a picture is {alt!r}"
        for where, alt in alts
        if len(alt or "") < SHORTEST_ALT
    ]


def compares_most_outputs(notebook):
    """Under 30% of the code cells are tagged nbval-ignore-output, and nbval runs every cell."""
    tags = [cell.metadata.get("tags", []) for _, cell in _code(notebook)]
    ignored = sum(IGNORED in of_cell for of_cell in tags)
    complaints = [
        f"{where}: hidden from nbval"
        for where, cell in _code(notebook)
        if UNCHECKED.intersection(cell.metadata.get("tags", [])) or "NBVAL_" in cell.source
    ]
    if ignored >= 0.3 * len(tags):
        complaints.append(f"{ignored} of {len(tags)} code cells are tagged {IGNORED}")
    return complaints


def has_short_cells(notebook):
    """Every code cell stays under 25 lines."""
    lengths = [(where, len(cell.source.splitlines())) for where, cell in _code(notebook)]
    return [f"{where}: {length} lines" for where, length in lengths if length >= 25]


def uses_the_default_kernel(notebook):
    """The kernel is python3, which every Jupyter has."""
    name = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"the kernel is {name!r}"]


def stores_widget_states(notebook):
    """Every widget's first state is stored, so that the page shows it without a kernel."""
    stored = _widget_states(notebook)
    views = [(where, o.data[VIEW]) for where, o in _outputs(notebook) if VIEW in o.get("data", {})]
    return [f"{where}: no state" for where, view in views if view["model_id"] not in stored]


def has_one_title(notebook):
    """The one first-level heading opens the notebook."""
    titles = [where for where, page in _markdown(notebook) for _ in page.find_all("h1")]
    first = next(where for where, _ in _cells(notebook))
    return [] if titles == [first] else [f"first-level headings are in {titles}, not in {first}"]


def is_valid(notebook):
    """The file follows the notebook format, cell ids included, and stores no timestamps."""
    complaints = [
        f"{where}: metadata holds the times of execution"
        for where, cell in _cells(notebook)
        if "execution" in cell.metadata
    ]
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        complaints.append("the notebook format is older than 4.5: cells have no stable ids")
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        complaints.append(error.message)
    return complaints


RULES = [
    runs_top_to_bottom,
    has_no_errors,
    has_no_stderr,
    has_no_debris,
    names_no_machine_path,
    figures_have_alt_text,
    compares_most_outputs,
    has_short_cells,
    uses_the_default_kernel,
    stores_widget_states,
    has_one_title,
    is_valid,
]


def links(notebook):
    """List the targets of all links and pictures in the text: `(where, target)`."""
    return [
        (where, element.get("href") or element["src"])
        for where, page in _markdown(notebook)
        for element in page.select("a[href]:not(.anchor-link), img[src]")
    ]


def broken_links(notebook, folder):
    """Relative links and pictures that lead nowhere, seen from the notebook's folder."""
    headings = {
        element["id"] for _, page in _markdown(notebook) for element in page.find_all(id=True)
    }
    broken = []
    for where, target in links(notebook):
        path, _, fragment = unquote(target).partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        if (path and not (folder / path).exists()) or (not path and fragment not in headings):
            broken.append(f"{where}: {target}")
    return broken


def _cells(notebook):
    for number, cell in enumerate(notebook.cells, start=1):
        yield f"cell {number} ({cell.source.strip().partition(chr(10))[0][:40]})", cell


def _code(notebook):
    return [(where, cell) for where, cell in _cells(notebook) if cell.cell_type == "code"]


def _markdown(notebook):
    return [
        (where, BeautifulSoup(markdown2html(cell.source), "html.parser"))
        for where, cell in _cells(notebook)
        if cell.cell_type == "markdown"
    ]


def _widget_states(notebook):
    return notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})


def _outputs(notebook):
    for where, cell in _code(notebook):
        yield from ((where, output) for output in cell.outputs)
    for model in _widget_states(notebook).values():
        yield from (("a widget", output) for output in model.state.get("outputs", []))


def _text(output):
    data = output.get("data", {})
    texts = [output.get("text", ""), output.get("evalue", "")]
    texts += [content for kind, content in data.items() if kind.startswith("text/")]
    return EMBEDDED.sub("", "\n".join(texts))
