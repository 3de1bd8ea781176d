"""Errors that say what is wrong with a data set on disk."""

from segbook.checks import SHOWN


class DataError(ValueError):
    """A data set on disk is missing, incomplete or not what it should be."""


class DownloadError(DataError):
    """No mirror gave the file; says what each did, and how to go on by hand."""


def refuse(what, problems, advice=""):
    """Raise one error that lists the first few of many problems.

    Args:
        what: What was being read, for the first line.
        problems: One line of text a problem, with the file, what was found and what was expected.
        advice: A last line: what to do about it.

    Raises:
        DataError: If there are any problems.
    """
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{what}: {count}", *(f"  {problem}" for problem in problems[:SHOWN])]
    if len(problems) > SHOWN:
        lines.append(f"  ... and {len(problems) - SHOWN} more")
    if advice:
        lines.append(advice)
    raise DataError("\n".join(lines))
