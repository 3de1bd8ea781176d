"""Write the student notebooks: `make derived`, or `python -m tools.exercises`.

`chapters/solutions/NN_name.ipynb` is the single source of `chapters/exercises/NN_name.ipynb`.
"""

from pathlib import Path

from nbgrader import preprocessors as steps
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooOldError, ValidationError
from nbgrader.utils import is_grade, is_solution

from tools.canonical import write
from tools.notebooks import CHAPTERS, read


def write_student_notebook(solution: Path, target: Path) -> None:
    """Write the notebook that a student gets: no solutions, no hidden tests, no outputs.

    The steps are those of `nbgrader generate_assignment`, so both give the same notebook.

    Args:
        solution: The notebook with nbgrader's metadata and the solutions.
        target: Where to write; the same source gives the same bytes.
    """
    notebook = read(solution)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    for step in (
        steps.LockCells,
        steps.ClearSolutions,
        steps.ClearOutput,
        steps.ClearHiddenTests,
        steps.ClearMarkScheme,
        steps.ComputeChecksums,
        steps.CheckCellMetadata,
    ):
        notebook, _ = step().preprocess(notebook, {})
    write(notebook, target)


def grading_complaints(notebook) -> list[str]:
    """Say what nbgrader or a class would trip over in a solution notebook.

    Args:
        notebook: The notebook.

    Returns:
        Complaints, each with the grade id of its cell.
    """
    try:
        MetadataValidator().validate_nb(notebook)
    except (ValidationError, SchemaTooOldError, KeyError) as error:
        return [f"nbgrader refuses it: {error}"]
    complaints = []
    roles = [cell for cell in notebook.cells if is_solution(cell) or is_grade(cell)]
    count = sum(map(is_solution, roles))
    if not 3 <= count <= 6:
        complaints.append(f"{count} tasks, expected 3 to 6")
    for cell, following in zip(roles, [*roles[1:], None], strict=True):
        about = cell.metadata.nbgrader
        if is_solution(cell):
            if following is None or is_solution(following):
                complaints.append(f"{about.grade_id}: no test follows")
            continue
        if about.points <= 0:
            complaints.append(f"{about.grade_id}: {about.points} points")
        if not about.locked:
            complaints.append(f"{about.grade_id}: a student can edit the test")
        if cell.outputs:
            complaints.append(f"{about.grade_id}: nbgrader reads a test's output as a grade")
    return complaints


if __name__ == "__main__":
    for path in sorted((CHAPTERS / "solutions").glob("*.ipynb")):
        write_student_notebook(path, CHAPTERS / "exercises" / path.name)
