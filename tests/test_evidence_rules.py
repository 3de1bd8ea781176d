"""What the chapters say of seeds, ranges and budgets is stored beside them."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from segbook.evidence import read
from tools.evidence_rules import RULES, speaks_of_runs
from tools.evidence_run import is_parameters

CHAPTERS = sorted((Path(__file__).parents[1] / "chapters").glob("*.ipynb"))
WITHOUT_RUNS = ("01_convolutions", "A_resources")  # train no network and speak of no runs


def name_of(path):
    return path.stem


def page(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", CHAPTERS, ids=name_of)
def test_chapter_has_parameters_or_is_listed(path):
    assert any(map(is_parameters, page(path).cells)) != (path.stem in WITHOUT_RUNS)


def test_listed_chapters_exist():
    assert set(WITHOUT_RUNS) <= {path.stem for path in CHAPTERS}


HELD = [path for path in CHAPTERS if path.stem not in WITHOUT_RUNS]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", HELD, ids=name_of)
def test_chapter_keeps_the_rule(path, rule):
    stored = path.parent / "evidence" / f"{path.stem}.json"
    number = path.stem.partition("_")[0]
    assert stored.exists(), f"no stored runs yet: make evidence CHAPTER={number}"
    assert rule(page(path), read(stored)) == []


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("On three seeds it won.", True),
        ("It won on every seed that we tried.", True),
        ("The order changed from seed to seed.", True),
        ("With one seed of three it found no pole.", True),
        ("So results differ as much as between two seeds.", True),
        ("The mean IoU was 0.39 to 0.40.", True),
        ("1% to 9% of the pixels changed.", True),
        ("The error lies between 0.3 and 0.4.", True),
        ("You see the range over all runs.", True),
        ("One run used one thread.", True),
        ("At three times the budget the gap shrinks.", True),
        ("After twice the steps it is gone.", True),
        ("It holds at both budgets.", True),
        ("Expect less in a longer training.", True),
        ("Three networks, one budget.", False),
        ("`runtime.start` seeds every generator.", False),
        ("Epochs and seeds", False),
        ("The same seed gives the same pictures.", False),
        ("The paper saves 33% to 41% of the multiply-adds.", False),
        ("They gain 3.3 to 5.4 points ([1], table 2).", False),
        ("Sections 2.5 and 2.6 say more.", False),
    ],
)
def test_speaks_of_runs(sentence, expected):
    assert speaks_of_runs(sentence) == expected


def run(seed=5, budget=1, threads=2, notes=("loss",), failed=()):
    found = [{"cell": name, "error": "AssertionError: no"} for name in failed]
    numbers = dict.fromkeys(notes, 0.5)
    return {"seed": seed, "budget": budget, "threads": threads, "notes": numbers, "failed": found}


PRINT = 'print(notes.ranges("loss"))'
OWN = [run()]
THREE = [run(1), run(2), run(5)]


def notebook(*cells):
    """A page of text and, where it begins like code, of code."""
    tagged = {"tags": ["parameters"]}
    made = [new_code_cell("SEED = 5\nBUDGET = 1", metadata=tagged)]
    made += [
        (new_code_cell if text.startswith(("print", "values")) else new_markdown_cell)(text)
        for text in cells
    ]
    return new_notebook(cells=made)


@pytest.mark.parametrize(
    ("cells", "runs", "broken"),
    [
        (["## 5.1 A\n\nIt won."], OWN, None),
        (["## 5.1 A\n\nOn all seeds.", PRINT], OWN, None),
        (["## 5.1 A\n\nOn all seeds.", "values = notes.values('loss')"], OWN, None),
        (["## 5.1 A\n\nOn all seeds.", "print(1)"], OWN, "prints_the_runs"),
        (["## 5.1 A\n\nOn all seeds.\n\n### B", PRINT], OWN, "prints_the_runs"),
        (["## 5.1 A", PRINT, "# B\nOn all seeds."], OWN, "prints_the_runs"),
        (["## 5.1 A", PRINT, "| a | b |\n|---|---|\n| 1 | 0.1 to 0.2 |"], OWN, None),
        (["| a | b |\n|---|---|\n| 1 | 0.1 to 0.2 |"], OWN, "prints_the_runs"),
        (["## 5.1 A\n\n### B", PRINT, "## 5.2\n\nOn all seeds (section 5.1)."], OWN, None),
        (
            ["## 5.1 A", PRINT, "## 5.2\n\nOn all seeds (section 5.3)."],
            OWN,
            "prints_the_runs",
        ),
        (["## B.1 A", PRINT, "## B.2 C\n\nOn all seeds (section B.1)."], OWN, None),
        (["## B.1 A", PRINT, "## B.2 C\n\nOn all seeds."], OWN, "prints_the_runs"),
        (["On three seeds.", PRINT], THREE, None),
        (["On three seeds.", PRINT], THREE[::2], "holds_the_runs"),
        (["On two other seeds.", PRINT], THREE, None),
        (["On three other seeds.", PRINT], THREE, "holds_the_runs"),
        (["With one seed of four.", PRINT], THREE, "holds_the_runs"),
        (["At three times the budget.", PRINT], OWN, "holds_the_runs"),
        (["At three times the budget.", PRINT], [*OWN, run(budget=3)], None),
        (["At 3 times as many steps.", PRINT], [*OWN, run(budget=3)], None),
        (
            ["On three seeds at three times the budget.", PRINT],
            [*THREE, run(budget=3)],
            "holds_the_runs",
        ),
        ([], [run(threads=1)], "holds_whole"),
        ([], [run(), run(1, notes=["loss", "new"])], "holds_whole"),
        ([], [run(), run(2)], "holds_whole"),
        ([], [run(), run(1, budget=3)], "holds_whole"),
        ([], [run(), run(1), run(1, threads=1), run(threads=1)], None),
        ([], [run(failed=["a"])], "asserts_what_holds"),
        ([], [run(), run(budget=3, failed=["a"])], None),
    ],
)
def test_rules(cells, runs, broken):
    found = [rule.__name__ for rule in RULES if rule(notebook(*cells), runs)]
    assert [name.startswith(broken) for name in found] == [True] if broken else found == []
