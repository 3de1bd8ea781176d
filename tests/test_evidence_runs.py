"""`make evidence` executes a page with other seeds, stores each run, and loses none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from segbook.evidence import EvidenceError, name_of, read
from tools import evidence as tool
from tools.evidence_run import execute, parameters

ROOT = Path(__file__).parents[1]
# The kernels of these tests need no Keras: a stand-in for the package has the folder alone.
IMPORT = f"""\
import random, sys, time, types
sys.modules["segbook"] = types.ModuleType("segbook")
sys.modules["segbook"].__path__ = [{str(ROOT / "segbook")!r}]
from segbook import evidence"""
NOTES = "notes = evidence.Notes('91_tiny', seed=SEED, budget=BUDGET)"
NOTE = "notes.note('x', random.Random(SEED).random() * BUDGET)"
OWN = {"seed": 5, "budget": 1, "threads": 2}


def write_page(folder, *sources, given="SEED = 5\nBUDGET = 1", tags=("parameters",)):
    """A page whose cells are called parameters, a, b, c, ..."""
    cells = [new_code_cell(given, id="parameters", metadata={"tags": list(tags)})]
    cells += [
        new_code_cell(source, id=chr(ord("a") + place)) for place, source in enumerate(sources)
    ]
    path = folder / "91_tiny.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def stored_in(page):
    return [name_of(run) for run in read(page.parent / "evidence" / "91_tiny.json")]


def test_real_runs_are_stored(tmp_path, capfd):
    page = write_page(
        tmp_path,
        IMPORT,
        NOTES,
        "import os\nthreads = int(os.environ['TF_NUM_INTRAOP_THREADS'])",
        f"{NOTE}\nnotes.note('threads', threads)",
        "assert SEED == 5",
        "assert SEED == 5, 'another\\nseed'",
        "stored = notes.values('x')\nassert len(stored) == 9",
        "print(notes.ranges('x'))\nnotes.agree(0)",
    )
    arguments = [str(page), "--seeds", "1", "--budgets", "3", "--threads", "1"]
    assert tool.main(arguments) == 0
    runs = read(tmp_path / "evidence" / "91_tiny.json")
    assert [name_of(run) for run in runs] == [
        "seed 1 budget 1 threads 1",
        "seed 1 budget 1 threads 2",
        "seed 5 budget 1 threads 1",
        "seed 5 budget 1 threads 2",
        "seed 1 budget 3 threads 2",
        "seed 5 budget 3 threads 2",
    ]
    assert [run["notes"]["threads"] for run in runs] == [1, 2, 1, 2, 2, 2]
    assert runs[4]["notes"]["x"] == pytest.approx(3 * runs[0]["notes"]["x"], rel=1e-5)
    of_seed_1 = [
        {"cell": "e", "error": "AssertionError: assert SEED == 5"},
        {"cell": "f", "error": "AssertionError: another"},
    ]
    assert [run["failed"] for run in runs] == [of_seed_1, of_seed_1, [], [], of_seed_1, []]
    assert runs[0]["command"] == 'make evidence CHAPTER=91 SEEDS=1 THREADS="1" BUDGET="3"'
    assert runs[0]["versions"]["backend"] == "none"
    out, err = capfd.readouterr()
    assert "91_tiny seed 1 budget 3 threads 2: stored after" in out
    assert err == ""


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["assert False\nx = 1", "x"], "cell b: NameError: name 'x' .*\n  before: a: AssertionErr"),
        (["import os\nos._exit(1)"], "cell a: the kernel died"),
        (["1"], "91_tiny.ipynb makes no evidence.Notes"),
        ([IMPORT, NOTES], "91_tiny.ipynb notes nothing"),
        (
            [IMPORT, "notes = evidence.Notes('91_tiny', seed=7, budget=BUDGET)"],
            "Notes.'91_tiny', seed=7, budget=1., expected '91_tiny', seed=SEED",
        ),
    ],
)
def test_spoilt_run_is_refused(tmp_path, sources, message):
    page = write_page(tmp_path, *sources)
    with pytest.raises(EvidenceError, match=f"not stored: .*{message}"):
        execute(nbformat.read(page, 4), page, OWN, lambda number, cells: None)


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "status"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_interrupted_runs_are_resumed(tmp_path, executed, ending, status):
    page = write_page(tmp_path, IMPORT, NOTES, NOTE, "time.sleep(60 * (SEED == 2))")
    # What a shell starts in the background ignores interrupts, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.evidence", str(page), "--seeds", "2"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "2 of 3" in line:
            break
    time.sleep(1)
    process.send_signal(getattr(signal, ending))
    process.communicate(timeout=30)
    assert process.returncode == status
    assert stored_in(page) == ["seed 1 budget 1 threads 2", "seed 5 budget 1 threads 2"]
    assert tool.main([str(page), "--seeds", "2"]) == 0
    assert executed == ["seed 2 budget 1 threads 2"]
    assert len(stored_in(page)) == 3


@pytest.fixture
def executed(monkeypatch):
    """Replace the kernel; give the names of the runs that would have been executed."""
    names = []

    def instead(notebook, page, run, show):
        names.append(name_of(run))
        if run["seed"] == 3:
            raise EvidenceError("not stored: cell a: ValueError: three")
        return {"notes": {"x": 0.5}, "versions": {}, "machine": {}, "failed": []}

    monkeypatch.setattr(tool, "execute", instead)
    return names


def test_finished_runs_are_kept(tmp_path, executed, capsys):
    page = write_page(tmp_path, "1")
    assert tool.main([str(page), "--seeds", "1"]) == 0
    assert tool.main([str(page), "--seeds", "2"]) == 0
    assert executed == [f"seed {seed} budget 1 threads 2" for seed in (5, 1, 2)]
    assert capsys.readouterr().out.count("stored already") == 2

    write_page(tmp_path, "2")
    executed.clear()
    assert tool.main([str(page), "--seeds", "2"]) == 0
    assert executed == []
    assert "kept, though the code has changed since (AGAIN=1" in capsys.readouterr().out

    assert tool.main([str(page), "--seeds", "1", "--again"]) == 0
    assert executed == [f"seed {seed} budget 1 threads 2" for seed in (5, 1)]
    executed.clear()
    assert tool.main([str(page), "--seeds", "2", "--again"]) == 0
    assert executed == ["seed 2 budget 1 threads 2"]


def test_one_bad_run_does_not_stop_the_others(tmp_path, executed, capsys):
    page = write_page(tmp_path, "1")
    assert tool.main([str(page), "--seeds", "4"]) == 1
    assert [name[5] for name in stored_in(page)] == ["1", "2", "4", "5"]
    assert "seed 3 budget 1 threads 2: not stored: cell a: ValueError" in capsys.readouterr().out


def test_two_at_once_are_refused(tmp_path, executed, capsys):
    page = write_page(tmp_path, "1")
    with tool.locked(page):
        assert tool.main([str(page)]) == 1
    assert "91_tiny.ipynb: another process makes its evidence now" in capsys.readouterr().err
    assert executed == []
    assert tool.main([str(page)]) == 0


def test_damaged_file_is_not_overwritten(tmp_path, executed, capsys):
    page = write_page(tmp_path, "1")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/91_tiny.json").write_text("{")
    assert tool.main([str(page)]) == 1
    assert "91_tiny.json is not JSON" in capsys.readouterr().err
    assert (tmp_path / "evidence/91_tiny.json").read_text() == "{"


def test_failed_writing_leaves_the_old_file(tmp_path, executed, monkeypatch):
    page = write_page(tmp_path, "1")
    tool.main([str(page)])
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        tool.main([str(page), "--seeds", "1"])
    assert stored_in(page) == ["seed 5 budget 1 threads 2"]


def test_file_has_one_line_a_note(tmp_path):
    notes = {"mean IoU, Lovász": 0.5, "IoU": {"car": 0.25, "pole": None}, "steps": [1, 2]}
    rest = {"seconds": 3, "command": "make", "versions": {}, "machine": {}, "code": "ab"}
    runs = [{**OWN, "notes": notes, "failed": [], **rest}]
    path = tmp_path / "91_tiny.json"
    tool.write(path, runs)
    assert read(path) == runs
    assert path.read_text(encoding="utf-8").splitlines()[10:15] == [
        '   "notes": {',
        '    "mean IoU, Lovász": 0.5,',
        '    "IoU": {"car": 0.25, "pole": null},',
        '    "steps": [1, 2]',
        "   },",
    ]


@pytest.mark.parametrize(
    ("given", "tags", "message"),
    [
        ("SEED = 5\nBUDGET = 1", [], "has 0 code cells tagged `parameters`, expected one"),
        ("SEED = 5", ["parameters"], "must set SEED to an integer and BUDGET to 1"),
        ("SEED = 5\nBUDGET = 3", ["parameters"], "must set SEED to an integer and BUDGET to 1"),
        ("SEED = 5.5\nBUDGET = 1", ["parameters"], "must set SEED to an integer and BUDGET to 1"),
        ("SEED, BUDGET = 5, 1", ["parameters"], "holds more than lines such as SEED = 5"),
        ("SEED = 4 + 1\nBUDGET = 1", ["parameters"], "holds more than lines such as SEED = 5"),
        ("import os", ["parameters"], "holds more than lines such as SEED = 5"),
        ("SEED = ", ["parameters"], "holds more than lines such as SEED = 5"),
    ],
)
def test_parameters_refuses(tmp_path, capsys, given, tags, message):
    page = write_page(tmp_path, "1", given=given, tags=tags)
    assert tool.main([str(page)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("91_tiny.ipynb")
    assert message in error


def test_parameters_may_hold_more(tmp_path):
    page = write_page(tmp_path, "1", given="SEED = 5  # any\nBUDGET = 1.0\nSIZE = (96, 96)")
    found = parameters(nbformat.read(page, 4), "the page")
    assert found == {"SEED": 5, "BUDGET": 1, "SIZE": (96, 96)}


@pytest.mark.parametrize(
    ("own", "count", "expected"),
    [(5, 0, [5]), (5, 2, [5, 1, 2]), (5, 5, [5, 1, 2, 3, 4, 6]), (1, 2, [1, 2, 3]), (0, 1, [0, 1])],
)
def test_seeds_in_order(own, count, expected):
    assert tool.seeds_in_order(own, count) == expected


@pytest.mark.parametrize(
    ("threads", "budgets", "expected"),
    [
        ([], [], [(1, 2)]),
        ([1, 2], [1, 3], [(1, 2), (1, 1), (3, 2)]),
        ([4], [0.5], [(1, 2), (1, 4), (0.5, 2)]),
    ],
)
def test_plan(threads, budgets, expected):
    runs = tool.plan(5, 1, threads, budgets)
    assert [(run["budget"], run["threads"], run["seed"]) for run in runs] == [
        (*pair, seed) for pair in expected for seed in (5, 1)
    ]


@pytest.mark.parametrize("chapter", ["05", "05_fcn", "05_fcn.ipynb", "chapters/05_fcn.ipynb"])
def test_chapter_is_found(monkeypatch, chapter):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(tool, "make", lambda page, **options: page.name != "05_fcn.ipynb")
    assert tool.main([chapter]) == 0


def test_unknown_chapter_is_named(capsys):
    assert tool.main(["77"]) == 1
    assert "CHAPTER='77' must be the number" in capsys.readouterr().err
