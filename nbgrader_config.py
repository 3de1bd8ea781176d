"""Lets a teacher run nbgrader in this folder, after `make classroom`: an assignment a chapter."""

from pathlib import Path

c = get_config()  # noqa: F821  nbgrader provides it

c.CourseDirectory.course_id = "segbook"
c.CourseDirectory.root = str(Path(__file__).parent / "classroom")
c.Execute.timeout = 600  # seconds a cell may take; nbgrader's own limit is too short to train
