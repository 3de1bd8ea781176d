"""Every chapter and every solution keeps the rules of `tools/rules.py`, and every rule can fail."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.canonical import VIEW, WIDGETS, canonical, to_text, widget_states
from tools.covers import covers
from tools.notebooks import SECTION_NUMBER, read
from tools.rules import LARGEST, RULES, broken_links, links
from tools.stored import IGNORED, sign

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "chapters/solutions").glob("*.ipynb"))
WITHOUT_EXERCISES = ("A_resources",)
ALT = "A curve that falls from 3.0 to 0.2."


def name_of(path):
    return str(path.relative_to(ROOT / "chapters"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", CHAPTERS + SOLUTIONS, ids=name_of)
def test_notebook_keeps_the_rule(path, rule):
    assert rule(read(path)) == []


@pytest.mark.parametrize("path", CHAPTERS + SOLUTIONS, ids=name_of)
def test_notebook_is_in_canonical_form(path):
    same = path.read_text(encoding="utf-8") == to_text(canonical(read(path)))
    assert same, f"run `python -m tools.canonical {path.relative_to(ROOT)}`"


@pytest.mark.parametrize("path", CHAPTERS + SOLUTIONS, ids=name_of)
def test_links_lead_somewhere(path):
    assert broken_links(read(path), path.parent) == []


@pytest.mark.parametrize(
    "path", [path for path in CHAPTERS if path.stem not in WITHOUT_EXERCISES], ids=name_of
)
def test_chapter_links_its_exercises(path):
    targets = [target for _, target in links(read(path))]
    assert f"exercises/{path.name}" in targets


def text_of(path):
    cells = read(path).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_sections_that_are_named_exist():
    headings = "\n".join(text_of(path) for path in CHAPTERS)
    sections = set(re.findall(rf"^## ({SECTION_NUMBER}) ", headings, re.MULTILINE))
    named = [
        (name_of(path), number)
        for path in CHAPTERS + SOLUTIONS
        for numbers in re.findall(
            rf"\bsections?\s((?:{SECTION_NUMBER}(?:,? and |, | to )?)+)", text_of(path)
        )
        for number in re.findall(SECTION_NUMBER, numbers)
    ]
    assert ("01_convolutions.ipynb", "1.2") in named
    assert [pair for pair in named if pair[1] not in sections] == []


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(command):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def figure(**metadata):
    data = {"image/png": "AAAA", "text/plain": "<Figure size 640x480 with 1 Axes>"}
    return new_output("display_data", data=data, metadata=metadata)


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def html(text):
    return new_output("display_data", data={"text/html": text})


def widget(model_id):
    return new_output("display_data", data={VIEW: {"model_id": model_id}})


def good_notebook():
    """A page that keeps every rule: cell 0 is text, cells 1 to 4 are code."""
    code = [
        ("import numpy as np\n\nfiles = '/data/train'", []),
        ("print(2)", [stream("2 of 4, 12 ms/step\n")]),
        ("show(figure, alt)", [figure(**{"image/png": {"alt": ALT}})]),
        (
            "interactive(draw)",
            [widget("a"), html(f'<img alt="{ALT}" src="data:image/png;base64,/tmp/">')],
        ),
    ]
    cells = [new_markdown_cell(f"# FCN\n\n## A trap\n\n![{ALT}](a.png) [there](#A-trap)")]
    cells += [
        new_code_cell(source, outputs=outputs, execution_count=count)
        for count, (source, outputs) in enumerate(code, start=1)
    ]
    state = {"a": {"state": {}}, "b": {"state": {"outputs": [stream("3\n")]}}}
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "widgets": {WIDGETS: {"state": state}},
    }
    notebook = nbformat.from_dict(new_notebook(cells=cells, metadata=metadata))
    sign(notebook)
    return notebook


def test_good_notebook_keeps_every_rule(tmp_path):
    (tmp_path / "a.png").touch()
    notebook = good_notebook()
    assert [complaint for rule in RULES for complaint in rule(notebook)] == []
    assert broken_links(notebook, tmp_path) == []


def source(text, cell=1):
    def spoil(notebook):
        notebook.cells[cell].update(source=text)
        sign(notebook)

    return spoil


def output(*outputs):
    return lambda notebook: notebook.cells[2].update(outputs=list(outputs))


def count(value, cell=2):
    return lambda notebook: notebook.cells[cell].update(execution_count=value)


def tags(*names, cells=(1,)):
    return lambda notebook: [notebook.cells[c].metadata.update(tags=list(names)) for c in cells]


def in_widget(out):
    return lambda notebook: widget_states(notebook)["b"]["state"].update(outputs=[out])


ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
BAD = [
    ("runs_top_to_bottom", "not run", count(None)),
    ("runs_top_to_bottom", "run twice", count(5)),
    ("runs_top_to_bottom", "run after editing", count(1)),
    ("was_run_as_it_stands", "edited", lambda nb: nb.cells[2].update(source="print(3)")),
    ("was_run_as_it_stands", "removed", lambda notebook: notebook.cells.pop()),
    ("was_run_as_it_stands", "never signed", lambda notebook: notebook.metadata.pop("segbook")),
    ("has_no_errors", "error", output(ERROR)),
    ("has_no_errors", "error in a widget", in_widget(ERROR)),
    ("has_no_stderr", "stderr", output(stream("oh", "stderr"))),
    ("has_no_stderr", "stderr in a widget", in_widget(stream("oh", "stderr"))),
    ("has_no_debris", "Keras bar", output(stream("1/9 ━━━━ 0s 12ms/step - loss: 1\n"))),
    ("has_no_debris", "tqdm bar", output(stream("50%|#####     | 5/10 [00:01, 4.98it/s]\n"))),
    ("has_no_debris", "overwritten line", output(stream("1\r2\r3\n"))),
    ("has_no_debris", "epoch lines", output(stream("start\nEpoch 3/9\n"))),
    ("has_no_debris", "colours", output(stream("\x1b[31mred\x1b[0m\n"))),
    ("has_no_debris", "warning", output(stream("a.py:3: UserWarning: careful\n"))),
    ("has_no_debris", "TensorFlow log", output(stream("W0000 00:00 cpu_feature_guard\n"))),
    ("has_no_debris", "debris in a widget", in_widget(stream("1\r2\n"))),
    ("names_no_machine_path", "home in code", source("open('/home/me/a.png')")),
    ("names_no_machine_path", "tmp in text", source("# FCN\n\nIn /tmp/a.", cell=0)),
    ("names_no_machine_path", "root in output", output(stream("saved in /root/book/a.keras\n"))),
    ("names_no_machine_path", "Windows", output(stream("C:\\Users\\me\\book\n"))),
    ("figures_have_alt_text", "no alt", output(figure())),
    ("figures_have_alt_text", "empty alt", output(figure(**{"image/png": {"alt": ""}}))),
    ("figures_have_alt_text", "bare alt", output(figure(**{"image/png": {"alt": "figure"}}))),
    ("figures_have_alt_text", "no alt in HTML", output(html("<img src='a.png'>"))),
    ("figures_have_alt_text", "no alt in text", source("# FCN\n\n![](a.png)", cell=0)),
    ("figures_have_alt_text", "no alt in a widget", in_widget(figure())),
    ("compares_most_outputs", "two of four ignored", tags(IGNORED, cells=(1, 2))),
    ("compares_most_outputs", "skipped", tags("nbval-skip")),
    ("compares_most_outputs", "may raise", tags("raises-exception")),
    ("compares_most_outputs", "comment", source("# NBVAL_IGNORE_OUTPUT\nprint(2)", cell=2)),
    ("has_short_cells", "25 lines", source("\n".join("x = 1" for _ in range(25)))),
    ("uses_the_default_kernel", "other", lambda nb: nb.metadata.kernelspec.update(name="book")),
    ("uses_the_default_kernel", "none", lambda notebook: notebook.metadata.pop("kernelspec")),
    ("stores_widget_states", "other widget", output(widget("z"))),
    ("stores_widget_states", "no states", lambda notebook: notebook.metadata.pop("widgets")),
    ("has_one_title", "none", source("FCN", cell=0)),
    ("has_one_title", "two", source("# FCN\n\n# U-Net", cell=0)),
    ("has_one_title", "late", lambda nb: nb.cells.insert(0, new_markdown_cell("Hello"))),
    ("numbers_sections_without_a_gap", "gap", source("# A\n\n## 5.1 B\n\n## 5.3 C", cell=0)),
    ("numbers_sections_without_a_gap", "letter", source("# A\n\n## B.1 C\n\n## B.3 D", cell=0)),
    ("numbers_sections_without_a_gap", "twice", source("# A\n\n## 5.1 B\n\n## 5.1 C", cell=0)),
    ("is_valid", "times", lambda nb: nb.cells[1].metadata.update(execution={"iopub": "2030"})),
    ("is_valid", "old format", lambda notebook: notebook.update(nbformat_minor=4)),
    ("is_valid", "bad id", lambda notebook: notebook.cells[1].update(id="two words")),
    ("is_small", "large", source("# FCN\n\n" + "la " * (LARGEST // 3), cell=0)),
]


@pytest.mark.parametrize(
    ("broken", "spoil"),
    [(rule, spoil) for rule, _, spoil in BAD],
    ids=[f"{rule}: {name}" for rule, name, _ in BAD],
)
def test_bad_notebook_breaks_its_rule_only(broken, spoil):
    notebook = good_notebook()
    spoil(notebook)
    assert [rule.__name__ for rule in RULES if rule(notebook)] == [broken]


def test_every_rule_has_a_bad_notebook():
    assert {rule for rule, _, _ in BAD} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](a.ipynb)", True),
        ("[a](sub/b.ipynb)", False),
        ("[a](sub/b.ipynb#A-trap)", False),
        ("[a](sub/my%20notes.md)", False),
        ("[a](../b.ipynb)", True),
        ("[a](#A-trap)", False),
        ("[a](#Another-trap)", True),
        ("![a](a.png)", True),
        ("<img src='a.png'>", True),
        ("[a](https://keras.io/api#x)", False),
        ("`[a](a.ipynb)`", False),
    ],
)
def test_broken_links(tmp_path, text, broken):
    (tmp_path / "sub").mkdir()
    for name in ("b.ipynb", "my notes.md"):
        (tmp_path / "sub" / name).touch()
    cells = [new_markdown_cell("# FCN"), new_markdown_cell("## A trap"), new_markdown_cell(text)]
    assert bool(broken_links(new_notebook(cells=cells), tmp_path)) == broken


def test_opening_pictures_are_stored_outputs():
    found = covers()
    assert found
    for path, png in found.items():
        assert path.read_bytes() == png, f"{path.name} is out of date: run `make derived`"
