"""Lets a teacher run nbgrader in this folder: the assignment `solutions` is chapters/solutions."""

c = get_config()  # noqa: F821  nbgrader provides it

c.CourseDirectory.course_id = "segbook"
c.CourseDirectory.source_directory = "chapters"
c.CourseDirectory.release_directory = "classroom/release"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
c.Execute.timeout = 600  # seconds a cell may take; nbgrader's own limit is too short to train
