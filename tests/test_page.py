"""`make page`: damage is named and leaves the file alone; a small change gives a small diff."""

import difflib
import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.canonical import canonical, to_text, widget_states, write
from tools.canonical import main as canonicalise
from tools.notebooks import ROOT, PageError, find, read
from tools.page import main, make_page
from tools.stored import IGNORED, code_cells, first_change, keep, sign

FIGURE = """import base64, os
from IPython.display import HTML
png = base64.b64encode(os.urandom({noise})).decode()
HTML(f'<img alt="A picture of nothing but noise" src="data:image/png;base64,{{png}}">')"""
SLIDER = """import ipywidgets
from IPython.display import display
display(ipywidgets.HBox([ipywidgets.IntSlider(value=2, max=5)]))"""


def code(name, source, *tags):
    return new_code_cell(source, id=name, metadata={"tags": list(tags)} if tags else {})


def write_page(path, noise):
    """Write a page that was never run; its figures are `noise` random bytes."""
    cells = [
        new_markdown_cell("# Noise\n\nOne word is wrong.\n\nThe end.", id="title"),
        code("words", "start = 2\nprint('one', flush=True)\nprint('two')"),
        code("slider", SLIDER),
        code("figure", FIGURE.format(noise=noise)),
        code("luck", f"print(os.urandom({noise}))", IGNORED),
        code("product", "number = 3\nprint(start * number)"),
        code("late-figure", FIGURE.format(noise=noise)),
    ]
    write(new_notebook(cells=cells), path)
    return path


def make(path, **options):
    """Make a page and return what the author is told."""
    told = []
    make_page(path, report=told.append, **options)
    return "\n".join(told)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The text of a page that was run once; its figures differ from run to run."""
    path = write_page(tmp_path_factory.mktemp("made") / "01_noise.ipynb", noise=6)
    make(path)
    return path.read_text()


@pytest.fixture
def page(made, tmp_path):
    path = tmp_path / "01_noise.ipynb"
    path.write_text(made)
    return path


def changed_lines(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_a_page_is_run_and_stored(page):
    notebook = read(page)
    cells = {cell.id: cell for cell in notebook.cells}
    assert [output.text for output in cells["words"].outputs] == ["one\ntwo\n"]
    assert cells["product"].outputs[0].text == "6\n"
    assert "base64" in cells["late-figure"].outputs[0].data["text/html"]
    assert [cell.execution_count for cell in code_cells(notebook)] == [1, 2, 3, 4, 5, 6]
    states = widget_states(notebook)
    assert states["slider.0"].model_name == "HBoxModel"
    assert states["slider.0"].state.children == ["IPY_MODEL_slider.1"]
    assert states["slider.1"].state.value == 2
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}


def test_an_unchanged_page_is_not_run(page, made):
    assert "nothing was run" in make(page)
    assert page.read_text() == made


def test_a_forced_run_of_a_page_without_luck_gives_the_same_bytes(tmp_path):
    path = write_page(tmp_path / "01_still.ipynb", noise=0)
    make(path)
    before = path.read_bytes()
    assert "new outputs from `words` on" in make(path, force=True)
    assert path.read_bytes() == before


def test_one_word_changes_one_line(page, made):
    page.write_text(made.replace("is wrong", "is right"))
    assert "nothing was run" in make(page)
    assert changed_lines(made, page.read_text()) == [
        '-    "One word is wrong.\\n",',
        '+    "One word is right.\\n",',
    ]


def test_one_number_changes_its_cell_and_what_follows(page, made):
    page.write_text(made.replace("number = 3", "number = 4"))
    assert "new outputs from `product` on" in make(page)
    found = changed_lines(made, page.read_text())
    removed = [line[1:].strip() for line in found if line[0] == "-"]
    assert removed[:2] == ['"6\\n"', '"number = 3\\n",']
    assert removed[2].startswith('"<img alt')
    assert len(removed) == 4  # and the hash of the cell
    assert len(found) == 8


def test_an_edit_while_the_page_runs_is_not_lost(page, made):
    page.write_text(made.replace("number = 3", "number = 4"))
    with pytest.raises(PageError, match="was edited while it ran"):
        make(page, progress=lambda text: page.write_text(made))
    assert page.read_text() == made


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda nb: nb.cells[4].update(source="print(7)"), 3),
        (lambda nb: nb.cells.insert(3, code("new", "x = 1")), 2),
        (lambda nb: nb.cells.insert(3, new_markdown_cell("Text.")), None),
        (lambda nb: nb.cells.pop(2), 1),
        (lambda nb: nb.cells.pop(), None),
        (lambda nb: nb.cells.insert(1, nb.cells.pop(5)), 0),
        (lambda nb: nb.cells[1].update(id="other"), None),
        (lambda nb: nb.cells[3].update(execution_count=None), 2),
        (lambda nb: nb.metadata.pop("segbook"), 0),
    ],
)
def test_first_change(page, spoil, place):
    notebook = read(page)
    spoil(notebook)
    assert first_change(notebook) == place


def output_of(text=None, html=None):
    if text is not None:
        return [new_output("stream", text=text)]
    return [new_output("display_data", data={"text/html": html})]


@pytest.mark.parametrize(
    ("was", "now", "tags", "kept"),
    [
        (output_of("3\n"), output_of("3\n"), [], True),
        (output_of("3\n"), output_of("4\n"), [], False),
        (output_of("3\n"), output_of("4\n"), [IGNORED], True),
        (output_of("3\n"), [], [], False),
        (output_of("a\n") + output_of("b\n"), output_of("a\nb\n"), [], True),
        (
            output_of(html='"data:image/png;base64,AAAA"'),
            output_of(html='"data:image/png;base64,BBBB"'),
            [],
            True,
        ),
        (output_of(html="<b>3</b>"), output_of(html="<b>4</b>"), [], False),
        (output_of("3\n"), output_of(html="3"), [], False),
    ],
)
def test_outputs_before_a_change_are_kept_if_nbval_sees_no_difference(was, now, tags, kept):
    old, new = (new_notebook(cells=[code("a", "f()", *tags), code("b", "g()")]) for _ in range(2))
    old.cells[0].outputs, new.cells[0].outputs = was, now
    assert keep(old, new, until=1) == int(kept)
    assert new.cells[0].outputs == (was if kept else now)


def edit(change):
    """Damage the JSON of a page."""

    def spoil(text):
        raw = json.loads(text)
        change(raw, raw["cells"])
        return json.dumps(raw)

    return spoil


def set_source(place, source):
    return edit(lambda raw, cells: cells[place].update(source=source))


DAMAGED = {
    "not JSON": (lambda text: text[:-20], "not JSON"),
    "conflict": (lambda text: "<<<<<<< HEAD\n" + text, "not JSON"),
    "not UTF-8": (lambda text: text.encode("utf-16"), "not JSON"),
    "a list": (lambda text: "[1, 2]", "not a notebook"),
    "no cells": (edit(lambda raw, cells: cells.clear()), "it has no cells"),
    "old format": (edit(lambda raw, cells: raw.update(nbformat_minor=4)), "(4, 4), expected (4, 5"),
    "no format": (edit(lambda raw, cells: raw.pop("nbformat")), "(None, 5), expected (4, 5)"),
    "no metadata": (edit(lambda raw, cells: raw.pop("metadata")), "'metadata' is a required"),
    "no source": (edit(lambda raw, cells: cells[3].pop("source")), "cell 4 (`figure`): invalid"),
    "bad output": (
        edit(lambda raw, cells: cells[1]["outputs"][0].pop("text")),
        "cell 2 (`words`): invalid: ['outputs'][0]",
    ),
    "not a cell": (edit(lambda raw, cells: cells.insert(2, "print(1)")), "cell 3: not a cell"),
    "bad type": (edit(lambda raw, cells: cells[2].update(cell_type="sql")), "cell 3 (`slider`)"),
    "pasted twin": (
        edit(lambda raw, cells: cells.append(cells[5])),
        "cell 8 (`product`): has the id of cell 6; give it a name of its own",
    ),
    "no id": (edit(lambda raw, cells: cells[2].pop("id")), "cell 3: has no id; give it a name"),
    "bad id": (
        edit(lambda raw, cells: cells[2].update(id="two words")),
        "cell 3 (`two words`): its id is 'two words'; allowed: 1 to 64",
    ),
    "empty id": (edit(lambda raw, cells: cells[2].update(id="")), "cell 3: its id is ''"),
    "broken rule": (
        set_source(0, "# Noise\n\n![](https://example.org/a.png)"),
        "cell 1 (`title`): the alternative text of a picture is ''",
    ),
    "broken link": (set_source(0, "# Noise\n\n[a](a.md)"), "cell 1 (`title`): a.md [links"),
    "failing cell": (
        set_source(5, "number = 3\nassert number == 4, 'no'"),
        "cell 6 (`product`): `number = 3`: AssertionError: no\n  line 2: assert number == 4",
    ),
    "dead kernel": (
        set_source(5, "os._exit(1)"),
        "cell 6 (`product`): `os._exit(1)`: the kernel died",
    ),
    "broken rule in an output": (
        set_source(5, "import sys\nprint('oh', file=sys.stderr)"),
        "cell 6 (`product`): oh",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_named_and_the_file_stays(page, made, capsys, spoil, message):
    spoiled = spoil(made)
    page.write_bytes(spoiled if isinstance(spoiled, bytes) else spoiled.encode())
    before = page.read_bytes()
    assert main([str(page)]) == 1
    assert message in capsys.readouterr().err
    assert page.read_bytes() == before
    assert list(page.parent.iterdir()) == [page]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("5", "05_fcn.ipynb"),
        ("05", "05_fcn.ipynb"),
        ("05_fcn", "05_fcn.ipynb"),
        ("05_fcn.ipynb", "05_fcn.ipynb"),
        ("chapters/05_fcn.ipynb", "05_fcn.ipynb"),
        ("solutions/05", "solutions/05_fcn.ipynb"),
        ("chapters/solutions/05_fcn.ipynb", "solutions/05_fcn.ipynb"),
    ],
)
def test_find(name, path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert str(find(name)) == f"chapters/{path}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("99", "99"),
        ("fcn", "05_fcn.ipynb"),
        ("chapters/99.ipynb", "11_attention.ipynb"),
        ("README.md", "00_start.ipynb"),
        ("exercises/05", "change chapters/solutions/05_fcn.ipynb"),
        ("chapters/exercises/05_fcn.ipynb", "change chapters/solutions/05_fcn.ipynb"),
    ],
)
def test_what_is_no_page_is_refused(name, message, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main([name]) == 1
    assert message in capsys.readouterr().err


def widgets_page(names):
    """A page with a slider in a box, and a model that no cell shows; `names` are random."""
    box, slider, style, link = names
    states = {
        box: {"model_name": "Box", "state": {"children": [f"IPY_MODEL_{slider}"]}},
        slider: {"model_name": "Slider", "state": {"style": f"IPY_MODEL_{style}"}},
        style: {"model_name": "Style", "state": {"colour": "red"}},
        link: {"model_name": "Link", "state": {"source": [f"IPY_MODEL_{slider}", "value"]}},
    }
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": box}}
    cell = code("box", "show()")
    cell.outputs = [new_output("display_data", data=view)]
    kind = "application/vnd.jupyter.widget-state+json"
    ordered = {name: states[name] for name in sorted(states)}
    return new_notebook(cells=[cell], metadata={"widgets": {kind: {"state": ordered}}})


@pytest.mark.parametrize("names", [("a", "b", "c", "d"), ("4", "3", "2", "1"), "wxzy"])
def test_widgets_are_named_after_their_cell(names):
    found = canonical(widgets_page(names))
    assert to_text(found) == to_text(canonical(widgets_page(("k", "l", "m", "n"))))
    assert set(widget_states(found)) == {"box.0", "box.1", "box.2", ".0"}
    assert to_text(canonical(found)) == to_text(found)


def test_canonical_form(tmp_path, capsys):
    cell = code("a", "f()")
    cell.metadata = {"editable": True, "execution": {"iopub": "2030"}, "scrolled": True, "tags": []}
    cell.outputs = output_of("a\n") + output_of("b\n") + output_of(html="c") + output_of("d\n")
    python = {"name": "python", "version": "3.11"}
    notebook = new_notebook(cells=[cell], metadata={"toc": {}, "language_info": python})
    sign(notebook)
    kept = new_markdown_cell("# T", id="t", metadata={"tags": ["cover"], "deletable": False})
    notebook.cells.insert(0, kept)
    path = tmp_path / "a.ipynb"
    write(notebook, path)
    assert canonicalise([str(path)]) == 1
    page = read(path)
    assert page.cells[0].metadata == {"tags": ["cover"], "deletable": False}
    assert page.cells[1].metadata == {}
    assert [output.get("text") for output in page.cells[1].outputs] == ["a\nb\n", None, "d\n"]
    assert set(page.metadata) == {"kernelspec", "language_info", "segbook"}
    assert canonicalise([str(path)]) == 0
    path.write_text("{")
    assert canonicalise([str(path)]) == 1
    assert "not JSON" in capsys.readouterr().err


def test_the_canonical_form_does_not_hide_that_code_changed(page):
    notebook = read(page)
    notebook.cells[5].source = "print(5)"
    assert first_change(canonical(notebook)) == 4
