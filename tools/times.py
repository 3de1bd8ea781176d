"""Execute chapters in fresh kernels, print seconds and peak memory: `make times`.

`python -m tools.times --store 05` measures one chapter and stores its seconds in its metadata;
`make derived` then writes them into the README.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

from tools.canonical import canonical, write
from tools.notebooks import CHAPTERS, ROOT, PageError, find, read

# A process of its own, so that the peak memory is that of its kernel.
EXECUTE = """
import sys, time
from pathlib import Path
from tools.notebooks import read
from tools.page import execute
path = Path(sys.argv[1])
start = time.perf_counter()
execute(read(path), path.parent)
print(time.perf_counter() - start)
"""


def seconds(path: Path) -> float:
    """Measure how long a page takes in a fresh kernel, the kernel's start included.

    Args:
        path: The notebook.

    Returns:
        Seconds.

    Raises:
        subprocess.CalledProcessError: If a cell fails.
    """
    command = [sys.executable, "-c", EXECUTE, str(path.resolve())]
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return float(run.stdout)


def store(path: Path, value: float) -> None:
    """Store the seconds of a page in its metadata.

    Args:
        path: The notebook.
        value: Seconds; stored as a whole number.
    """
    page = canonical(read(path))
    page.metadata.setdefault("segbook", {})["seconds"] = round(value)
    write(page, path)


def main(arguments: list[str]) -> int:
    """Print one line a chapter; return 1 if one is unknown or fails, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tools.times", description=__doc__)
    parser.add_argument("chapters", nargs="*", help="05 or 05_fcn; all if none is given")
    parser.add_argument("--store", action="store_true", help="store the seconds in the notebooks")
    given = parser.parse_args(arguments)
    try:
        paths = [find(chapter) for chapter in given.chapters] or sorted(CHAPTERS.glob("*.ipynb"))
        for path in paths:
            taken = seconds(path)
            # The largest child so far; chapters are close enough for that to bound each.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(f"{path.name:28} {taken:4.0f} s   peak so far {peak:.1f} GB", flush=True)
            if given.store:
                store(path, taken)
    except (PageError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
