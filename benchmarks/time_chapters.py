"""Execute every chapter in a fresh kernel and print its seconds and peak memory."""

import resource
import subprocess
import sys
import time
from pathlib import Path

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, resources={"metadata": {"path": "chapters"}}).execute()
"""


def main():
    """Print one line a chapter."""
    for path in sorted(Path("chapters").glob("*.ipynb")):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", EXECUTE, str(path)], check=True, stderr=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - start
        # The largest child so far; chapters are close enough for that to bound each.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"{path.name:28} {seconds:4.0f} s   peak so far {peak:.1f} GB", flush=True)


if __name__ == "__main__":
    main()
