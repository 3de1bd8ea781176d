"""Copy each solution to classroom/source/NN_name, the folder of an assignment for nbgrader."""

import shutil
from pathlib import Path

CHAPTERS = Path(__file__).parent

if __name__ == "__main__":
    for solution in sorted((CHAPTERS / "solutions").glob("*.ipynb")):
        folder = CHAPTERS.parent / "classroom/source" / solution.stem
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(solution, folder)
