"""Lay the exercises out for nbgrader: `make classroom`, or `python -m tools.classroom`."""

import shutil
from pathlib import Path

from tools.notebooks import ROOT


def lay_out(course: Path) -> None:
    """Copy each solution to classroom/source/NN_name, the folder of an assignment.

    Args:
        course: The folder that holds `chapters/solutions`, and is to hold `classroom`.
    """
    for solution in sorted((course / "chapters/solutions").glob("*.ipynb")):
        folder = course / "classroom/source" / solution.stem
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(solution, folder)


if __name__ == "__main__":
    lay_out(ROOT)
