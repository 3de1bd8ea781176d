"""Open a page in JupyterLab: `python -m tools.read 05 [option of JupyterLab ...]`."""

import sys
from pathlib import Path
from urllib.parse import quote

import zmq
from jupyter_core.paths import jupyter_runtime_dir
from jupyterlab.labapp import main

from tools.find import find_page

CHAPTERS = Path(__file__).parents[1] / "chapters"
SOCKET = len("/kernel-01234567-89ab-cdef-0123-456789abcdef-ipc-1")


def options(page: Path) -> list[str]:
    """List the options with which JupyterLab shows the chapters alone, and first this page."""
    address = quote(page.relative_to(CHAPTERS.resolve()).as_posix())
    chosen = [
        f"--ServerApp.root_dir={CHAPTERS.resolve()}",
        f"--LabApp.default_url=/lab/tree/{address}",
        # Besides the link, which is logged as critical, a reader needs no log.
        "--LabApp.log_level=CRITICAL",
        "--ServerApp.log_level=CRITICAL",
        # Containers run as root.
        "--allow-root",
    ]
    # Over TCP a kernel logs a warning. Sockets in files are silent, but their paths must be short:
    # a long home folder has no room for them, and Windows allows 0 characters.
    if len(jupyter_runtime_dir()) + SOCKET <= zmq.IPC_PATH_MAX_LEN:
        chosen.append("--KernelManager.transport=ipc")
    return chosen


if __name__ == "__main__":
    try:
        chapter = find_page(sys.argv[1] if len(sys.argv) > 1 else "00", CHAPTERS)
    except ValueError as error:
        sys.exit(str(error))
    main([*options(chapter), *sys.argv[2:]])
