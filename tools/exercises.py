"""Write the student notebooks: `make derived`, or `python -m tools.exercises`.

`chapters/solutions/NN_name.ipynb` is the single source of `chapters/exercises/NN_name.ipynb`.
"""

from pathlib import Path

from nbgrader import preprocessors as steps

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


if __name__ == "__main__":
    for path in sorted((CHAPTERS / "solutions").glob("*.ipynb")):
        write_student_notebook(path, CHAPTERS / "exercises" / path.name)
