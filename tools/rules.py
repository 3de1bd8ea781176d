"""The rules that every chapter and every solution keeps.

A rule takes a notebook and returns its complaints, one string each; none means that it is kept.
"""

import itertools
import re
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

from tools.canonical import to_text, views, widget_states
from tools.notebooks import SECTION_NUMBER, damage, where
from tools.stored import IGNORED, hashes

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
LARGEST = 1_500_000  # bytes


def runs_top_to_bottom(notebook):
    """Every code cell was run once, in order, in a fresh kernel."""
    for expected, (name, cell) in enumerate(_code(notebook), start=1):
        if cell.execution_count != expected:
            return [f"{name}: its execution count is {cell.execution_count}, expected {expected}"]
    return []


def was_run_as_it_stands(notebook):
    """No code cell was edited, added, removed or moved without running the page."""
    ran, found = notebook.metadata.get("segbook", {}).get("ran", []), hashes(notebook)
    for place, (name, _) in enumerate(_code(notebook)):
        if ran[place : place + 1] != found[place : place + 1]:
            return [f"{name}: its code is not what was run; run `make page`"]
    return [] if ran == found else ["code cells at the end are gone; run `make page`"]


def has_no_errors(notebook):
    """No output is an exception: a trap catches what it shows."""
    return [f"{name}: {o.ename}" for name, o in _outputs(notebook) if o.output_type == "error"]


def has_no_stderr(notebook):
    """Nothing was written to stderr."""
    return [f"{name}: {o.text}" for name, o in _outputs(notebook) if o.get("name") == "stderr"]


def has_no_debris(notebook):
    """No progress bar, warning, log line or terminal colour is stored."""
    return [
        f"{name}: {found!r}"
        for name, output in _outputs(notebook)
        for found in DEBRIS.findall(_text(output))
    ]


def names_no_machine_path(notebook):
    """Neither text nor code nor output names a folder of the author's machine."""
    texts = [(name, cell.source) for name, cell in _cells(notebook)]
    texts += [(name, _text(output)) for name, output in _outputs(notebook)]
    return [f"{name}: {found}" for name, text in texts for found in MACHINE_PATH.findall(text)]


def figures_have_alt_text(notebook):
    """Every picture, in outputs and in text, says what it shows."""
    alts = [
        (name, output.metadata.get(kind, {}).get("alt"))
        for name, output in _outputs(notebook)
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]
    pages = [
        (name, BeautifulSoup(output.get("data", {}).get("text/html", ""), "html.parser"))
        for name, output in _outputs(notebook)
    ]
    alts += [
        (name, image.get("alt"))
        for name, page in pages + _markdown(notebook)
        for image in page.find_all("img")
    ]
    return [
        f"{name}: the alternative text of a picture is {alt!r}"
        for name, alt in alts
        if len(alt or "") < SHORTEST_ALT
    ]


def compares_most_outputs(notebook):
    """Under 30% of the code cells are tagged nbval-ignore-output, and nbval runs every cell."""
    tags = [cell.metadata.get("tags", []) for _, cell in _code(notebook)]
    ignored = sum(IGNORED in of_cell for of_cell in tags)
    complaints = [
        f"{name}: hidden from nbval"
        for name, cell in _code(notebook)
        if UNCHECKED.intersection(cell.metadata.get("tags", [])) or "NBVAL_" in cell.source
    ]
    if ignored >= 0.3 * len(tags):
        complaints.append(f"{ignored} of {len(tags)} code cells are tagged {IGNORED}")
    return complaints


def has_short_cells(notebook):
    """Every code cell stays under 25 lines."""
    lengths = [(name, len(cell.source.splitlines())) for name, cell in _code(notebook)]
    return [f"{name}: {length} lines" for name, length in lengths if length >= 25]


def uses_the_default_kernel(notebook):
    """The kernel is python3, which every Jupyter has."""
    name = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"the kernel is {name!r}"]


def stores_widget_states(notebook):
    """Every widget's first state is stored, so that the page shows it without a kernel."""
    stored = widget_states(notebook)
    shown = [(name, view) for name, cell in _code(notebook) for view in views(cell)]
    return [
        f"{name}: a widget's state is not stored"
        for name, view in shown
        if view["model_id"] not in stored
    ]


def has_one_title(notebook):
    """The one first-level heading opens the notebook."""
    titles = [name for name, page in _markdown(notebook) for _ in page.find_all("h1")]
    first = next(name for name, _ in _cells(notebook))
    return [] if titles == [first] else [f"first-level headings are in {titles}, not in {first}"]


def numbers_sections_without_a_gap(notebook):
    """Section numbers such as 5.3 or B.3 in second-level headings follow each other."""
    numbers = [
        (name, int(match[1].partition(".")[2]))
        for name, page in _markdown(notebook)
        for heading in page.find_all("h2")
        if (match := re.match(rf"({SECTION_NUMBER}) ", heading.text))
    ]
    return [
        f"{name}: section {number} comes after section {last}"
        for (_, last), (name, number) in itertools.pairwise(numbers)
        if number != last + 1
    ]


def is_valid(notebook):
    """The file follows the notebook format, each cell has an id, and no timestamps are stored."""
    timed = [
        f"{name}: metadata holds the times of execution"
        for name, cell in _cells(notebook)
        if "execution" in cell.metadata
    ]
    return timed + damage(notebook)


def is_small(notebook):
    """The file stays small enough to be read in a browser."""
    size = len(to_text(notebook).encode())
    return [] if size < LARGEST else [f"the file has {size:,} bytes; allowed are {LARGEST:,}"]


RULES = [
    runs_top_to_bottom,
    was_run_as_it_stands,
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
    numbers_sections_without_a_gap,
    is_valid,
    is_small,
]


def complaints(notebook, folder: Path) -> list[str]:
    """Check a page against every rule.

    Args:
        notebook: The notebook.
        folder: The folder in which it lies, from which its links start.

    Returns:
        All complaints, each with the name of its rule.
    """
    found = [(rule.__name__, complaint) for rule in RULES for complaint in rule(notebook)]
    found += [("links_lead_somewhere", link) for link in broken_links(notebook, folder)]
    return [f"{complaint} [{rule}]" for rule, complaint in found]


def links(notebook):
    """List the targets of all links and pictures in the text: `(name, target)`."""
    return [
        (name, element.get("href") or element["src"])
        for name, page in _markdown(notebook)
        for element in page.select("a[href]:not(.anchor-link), img[src]")
    ]


def broken_links(notebook, folder):
    """Relative links and pictures that lead nowhere, seen from the notebook's folder."""
    headings = {
        element["id"] for _, page in _markdown(notebook) for element in page.find_all(id=True)
    }
    broken = []
    for name, target in links(notebook):
        path, _, fragment = unquote(target).partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        if (path and not (folder / path).exists()) or (not path and fragment not in headings):
            broken.append(f"{name}: {target}")
    return broken


def _cells(notebook):
    return [(where(number, cell), cell) for number, cell in enumerate(notebook.cells, start=1)]


def _code(notebook):
    return [(name, cell) for name, cell in _cells(notebook) if cell.cell_type == "code"]


def _markdown(notebook):
    return [
        (name, BeautifulSoup(markdown2html(cell.source), "html.parser"))
        for name, cell in _cells(notebook)
        if cell.cell_type == "markdown"
    ]


def _outputs(notebook):
    for name, cell in _code(notebook):
        yield from ((name, output) for output in cell.outputs)
    for model, stored in widget_states(notebook).items():
        yield from ((f"widget {model}", output) for output in stored.state.get("outputs", []))


def _text(output):
    data = output.get("data", {})
    texts = [output.get("text", ""), output.get("evalue", "")]
    texts += [content for kind, content in data.items() if kind.startswith("text/")]
    return EMBEDDED.sub("", "\n".join(texts))
