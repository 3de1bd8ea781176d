"""Checks say what is wrong; student notebooks match the solutions, and fail unsolved."""

import contextlib
import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.utils import is_grade

from segbook.exercises import check_array, check_at_least, check_model
from tools.classroom import lay_out
from tools.exercises import grading_complaints, write_student_notebook
from tools.notebooks import PAGE_NUMBER

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "chapters/solutions").glob("*.ipynb"))
STUDENTS = [ROOT / "chapters/exercises" / path.name for path in SOLUTIONS]
PLAN = ROOT / "chapters/README.md"

MASK = np.arange(64).reshape(8, 8) % 5
PICTURE = np.random.default_rng(0).random((4, 5, 3), dtype="float32")
ONE_WRONG = np.where(np.arange(64).reshape(8, 8) == 21, 99, MASK)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (MASK, MASK),
        (MASK.astype("uint8"), MASK.astype("int32")),
        (MASK.tolist(), MASK),
        (PICTURE.astype("float64") + 1e-7, PICTURE),
        (keras.ops.convert_to_tensor(PICTURE), PICTURE),
        (PICTURE > 0.5, PICTURE > 0.5),
        (0.333333, 1 / 3),
        ([np.nan, 1.0], [np.nan, 1.0]),
        (keras.ops.cast([0.5, -1.25], "bfloat16"), [0.5, -1.25]),
        ([0.5, -1.25], keras.ops.cast([0.5, -1.25], "bfloat16")),
        (keras.ops.cast([0.5, -1.25], "float16"), [0.5, -1.25]),
    ],
)
def test_check_array_passes(given, expected):
    check_array("value", given, expected)


@pytest.mark.parametrize(
    ("given", "expected", "message"),
    [
        (None, MASK, "your value is None: is a `return`"),
        (print, MASK, "your value is of type builtin_function_or_method, expected numbers"),
        ([[1], [2, 3]], MASK, "your value has rows of different lengths"),
        (keras.Input((8,)), MASK, "your value is symbolic"),
        (MASK[::2, ::2], MASK, "your value has shape (4, 4), expected (8, 8)"),
        (MASK[None], MASK, "(1, 8, 8), expected (8, 8): 3 axes instead of 2"),
        (MASK[1:], MASK, "(7, 8), expected (8, 8): off by one"),
        (PICTURE.transpose(1, 0, 2), PICTURE, "(5, 4, 3), expected (4, 5, 3): the same sizes"),
        (MASK * 1.0, MASK, "holds floating-point numbers (float64), expected integers (int64)"),
        (MASK, MASK * 1.0, "holds integers (int64), expected floating-point numbers (float64)"),
        (PICTURE > 0.5, MASK[:4, :5, None] + MASK[:3, 0], "holds booleans (bool), expected int"),
        (PICTURE * np.inf, PICTURE, "is NaN or infinite in 60 of 60 places"),
        (ONE_WRONG, MASK, "is wrong in 1 of 64 places, most at (2, 5): 99, expected 1"),
        (MASK.T, MASK, "right with its axes in the order (1, 0)"),
        (PICTURE[..., ::-1], PICTURE, "right with axis 2 reversed (flipped, or BGR?)"),
        (-PICTURE, PICTURE, "right with the opposite sign"),
        (np.roll(PICTURE, 1, 0), PICTURE, "right moved by -1 along axis 0 (off by one?)"),
        (np.roll(PICTURE, -1, 1), PICTURE, "right moved by +1 along axis 1 (off by one?)"),
        (keras.ops.cast(PICTURE, "bfloat16"), PICTURE, "your value is wrong in"),
        (keras.ops.cast(MASK, "bfloat16"), MASK, "holds floating-point numbers (float32), exp"),
        (0.25, 1 / 3, "your value is 0.25, expected 0.3333333"),
        (PICTURE + 1e-3, PICTURE, "is wrong in 60 of 60 places"),
    ],
)
def test_check_array_says_what_is_wrong(given, expected, message):
    with pytest.raises(AssertionError) as failure:
        check_array("value", given, expected)
    assert message in str(failure.value)


def test_check_array_gives_no_false_hint():
    with pytest.raises(AssertionError) as failure:
        check_array("value", np.zeros((4, 4)), np.eye(4))
    assert str(failure.value).endswith("most at (0, 0): 0, expected 1")


def test_tolerance_is_the_callers():
    check_array("value", PICTURE + 1e-3, PICTURE, tolerance=2e-3)


def test_check_at_least():
    check_at_least("mIoU", 0.5, 0.5)
    for given, message in [
        (0.41, "your mIoU is 0.41, the task asks for at least 0.5"),
        (0.499996, "your mIoU is 0.499996, the task asks for at least 0.5"),
        (float("nan"), "your mIoU is nan"),
        (None, "your mIoU is None"),
        ([0.6, 0.7], "your mIoU has shape (2,), expected one number"),
    ]:
        with pytest.raises(AssertionError) as failure:
            check_at_least("mIoU", given, 0.5)
        assert message in str(failure.value)


@pytest.mark.parametrize(
    ("layer", "output_shape", "parameters", "message"),
    [
        (keras.layers.Conv2D(4, 1), (1, 6, 7, 4), 16, None),
        (keras.layers.Conv2D(4, 1), (1, 6, 7, 4), None, None),
        (keras.layers.Conv2D(4, 1), (1, 6, 7, 5), None, "(1, 6, 7, 4), expected (1, 6, 7, 5)"),
        (keras.layers.Conv2D(4, 1), (1, 6, 7, 4), 12, "16 parameters, expected 12 (+4)"),
        (keras.layers.Rescaling(np.inf), (1, 6, 7, 3), None, "NaN or infinity"),
    ],
)
def test_check_model(layer, output_shape, parameters, message):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    if message is None:
        check_model("model", model, (1, 6, 7, 3), output_shape, parameters)
    else:
        with pytest.raises(AssertionError) as failure:
            check_model("model", model, (1, 6, 7, 3), output_shape, parameters)
        assert message in str(failure.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "your model is None"),
        (print, "is of type builtin_function_or_method, expected keras"),
    ],
)
def test_check_model_wants_a_model(model, message):
    with pytest.raises(AssertionError, match=message):
        check_model("model", model, (1, 6, 7, 3), (1, 6, 7, 3))


def passed_tests(notebook, folder):
    """Run a notebook's code to its end, whatever fails, and list the graded tests that pass.

    In this very process, which has imported Keras: a kernel a notebook takes five times as long.
    """
    names, passed = {"__name__": "__main__"}, []
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            try:
                exec(compile(cell.source, cell.id, "exec"), names)
            except Exception:
                continue
            if is_grade(cell):
                passed.append(cell.metadata.nbgrader.grade_id)
    return passed


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solution_can_be_graded(path):
    assert grading_complaints(read(path)) == []


def points_of_tasks(cells):
    """The points of each task of a notebook, in order."""
    return [cell.metadata.nbgrader.points for cell in cells if is_grade(cell)]


def number_of(path):
    """The number of a page as a reader writes it: 5, or 2a; B of an appendix."""
    return path.stem.partition("_")[0].lstrip("0") or "0"


def is_appendix(path):
    """Whether a page has a letter in place of a number."""
    return number_of(path).isalpha()


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_tasks_are_numbered_and_name_their_points(path):
    cells = read(path).cells
    title, *_ = read(ROOT / "chapters" / path.name).cells[0].source.splitlines()
    chapter = re.sub(rf"^# ({PAGE_NUMBER}\. )?", "", title)
    page = f"{'appendix' if is_appendix(path) else 'chapter'} {number_of(path)}"
    assert cells[0].source.startswith(f"# Exercises for {page}: {chapter}\n")
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^## Task (\d+): .* \((\d+) points?\)$", text, flags=re.MULTILINE)
    points = points_of_tasks(cells)
    assert found == [(str(number), str(value)) for number, value in enumerate(points, 1)]
    assert text.count("## Task") == len(points)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_student_notebook_is_what_the_solution_gives(path, tmp_path):
    write_student_notebook(path, tmp_path / path.name)
    stored = ROOT / "chapters/exercises" / path.name
    assert stored.read_text() == (tmp_path / path.name).read_text(), "run `make derived`"


def planned_weeks():
    """Read the tasks that chapters/README.md sets each week, {chapter: [task, ...]}, and points."""
    rows = re.findall(r"\| (chapter \d[^|]*) \| (\d+) \|$", PLAN.read_text(), re.MULTILINE)
    for tasks, points in rows:
        found = {}
        for chapter, numbers in re.findall(r"chapter (\d+[a-z]?): ([\d, to]+)", tasks):
            spans = [[int(end) for end in span.split(" to ")] for span in numbers.split(", ")]
            found[chapter] = [n for span in spans for n in range(span[0], span[-1] + 1)]
        yield found, int(points)


def test_plan_of_ten_weeks_counts_the_points_of_its_tasks():
    chapters = [path for path in SOLUTIONS if not is_appendix(path)]  # an appendix has no week
    points_in = {number_of(path): points_of_tasks(read(path).cells) for path in chapters}
    weeks = list(planned_weeks())
    assert len(weeks) == 10
    assert sorted(chapter for tasks, _ in weeks for chapter in tasks) == sorted(points_in)
    for tasks, points in weeks:
        assert points == sum(points_in[c][n - 1] for c, numbers in tasks.items() for n in numbers)


def test_every_student_notebook_has_a_solution():
    assert sorted((ROOT / "chapters/exercises").glob("*.ipynb")) == STUDENTS


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_unsolved_tasks_fail(path):
    assert passed_tests(read(path), path.parent) == []


SOLUTION = """def {task}():
    ### BEGIN SOLUTION
    return start
    ### END SOLUTION"""
TEST = """assert {task}() == 1
### BEGIN HIDDEN TESTS
assert {task}() < 2
### END HIDDEN TESTS"""


def cell(source, grade_id, **role):
    about = {"schema_version": 3, "grade": False, "solution": False, "locked": False}
    about |= {"grade_id": grade_id, "task": False} | role
    return new_code_cell(source, id=grade_id, metadata={"nbgrader": about})


def sample_notebook():
    """Three tasks in the form of a solution notebook."""
    cells = [
        new_markdown_cell("# Sample", id="title"),
        new_code_cell("start = 1", id="start", outputs=[new_output("stream", text="old\n")]),
    ]
    for task in ("one", "two", "three"):
        cells += [
            cell(SOLUTION.format(task=task), task, solution=True),
            cell(TEST.format(task=task), f"test-{task}", grade=True, locked=True, points=2),
        ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.from_dict(new_notebook(cells=cells, metadata={"kernelspec": kernel}))


@pytest.fixture
def sample(tmp_path):
    """The path of a sample solution in a course folder."""
    folder = tmp_path / "chapters/solutions"
    folder.mkdir(parents=True)
    nbformat.write(sample_notebook(), folder / "01_sample.ipynb")
    return folder / "01_sample.ipynb"


def test_student_notebook_holds_the_tests_but_no_solution(sample, tmp_path):
    write_student_notebook(sample, tmp_path / "student.ipynb")
    sources = [cell.source for cell in read(tmp_path / "student.ipynb").cells]
    assert sources[1:4] == [
        "start = 1",
        "def one():\n    # YOUR CODE HERE\n    raise NotImplementedError()",
        "assert one() == 1",
    ]
    text = (tmp_path / "student.ipynb").read_text()
    assert "return start" not in text
    assert "old" not in text


def test_student_notebook_is_the_same_twice(sample, tmp_path):
    for name in ("a.ipynb", "b.ipynb"):
        write_student_notebook(sample, tmp_path / name)
    assert (tmp_path / "a.ipynb").read_bytes() == (tmp_path / "b.ipynb").read_bytes()


def test_unsolved_sample_fails_and_solved_sample_passes(sample, tmp_path):
    write_student_notebook(sample, tmp_path / "student.ipynb")
    assert passed_tests(read(tmp_path / "student.ipynb"), tmp_path) == []
    assert passed_tests(read(sample), tmp_path) == ["test-one", "test-two", "test-three"]


def test_a_test_that_the_stub_passes_is_noticed(tmp_path):
    notebook = sample_notebook()
    notebook.cells[2].source = "def one():\n    raise NotImplementedError()"
    notebook.cells[3].source = "assert callable(one)"
    assert "test-one" in passed_tests(notebook, tmp_path)


def about(index, **changes):
    return lambda notebook: notebook.cells[index].metadata.nbgrader.update(changes)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda notebook: notebook.cells.pop(3), "one: no test follows"),
        (lambda notebook: notebook.cells.pop(), "three: no test follows"),
        (lambda notebook: notebook.cells.__delitem__(slice(2, 4)), "2 tasks, expected 3 to 6"),
        (lambda notebook: notebook.cells.extend(2 * notebook.cells[2:]), "Duplicate grade id: one"),
        (about(4, grade_id="one"), "Duplicate grade id: one"),
        (about(3, points=0), "test-one: 0 points"),
        (about(3, locked=False), "test-one: a student can edit the test"),
        (about(3, grade="yes"), "'yes' is not of type 'boolean'"),
        (about(3, schema_version=2), "Outdated schema version"),
        (
            lambda notebook: notebook.cells[3].update(outputs=[new_output("stream", text="0.5")]),
            "test-one: nbgrader reads a test's output as a grade",
        ),
    ],
)
def test_grading_complaints(spoil, complaint):
    notebook = sample_notebook()
    assert grading_complaints(notebook) == []
    spoil(notebook)
    assert any(complaint in found for found in grading_complaints(notebook))


@pytest.mark.slow
def test_teacher_can_run_nbgrader_week_by_week(sample, tmp_path, monkeypatch):
    """nbgrader releases what `make derived` writes, and grades solved and unsolved work."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copy(sample, sample.with_name("02_sample.ipynb"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)

    def run(*command):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    lay_out(tmp_path)
    write_student_notebook(sample, tmp_path / "student.ipynb")
    for week, works in [("01_sample", "solved unsolved"), ("02_sample", "unsolved solved")]:
        run("nbgrader", "generate_assignment", week)
        released = tmp_path / f"classroom/release/{week}/{week}.ipynb"
        assert released.read_text() == (tmp_path / "student.ipynb").read_text()
        for student, work in zip(["ada", "ben"], works.split(), strict=True):
            folder = tmp_path / "classroom/submitted" / student / week
            folder.mkdir(parents=True)
            shutil.copy(sample if work == "solved" else released, folder / f"{week}.ipynb")
        run("nbgrader", "autograde", week)
    run("nbgrader", "export")
    with open(tmp_path / "grades.csv") as file:
        rows = list(csv.DictReader(file))
    assert sorted((row["assignment"], row["student_id"], row["score"]) for row in rows) == [
        ("01_sample", "ada", "6.0"),
        ("01_sample", "ben", "0.0"),
        ("02_sample", "ada", "0.0"),
        ("02_sample", "ben", "6.0"),
    ]
