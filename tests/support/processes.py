"""Fresh Python processes that read and download data, without the second that Keras takes."""

import subprocess
import sys
from pathlib import Path

START = """
import sys, types
package = types.ModuleType("segbook")
package.__path__ = [sys.argv[1]]
sys.modules["segbook"] = package
"""


def start(code, *arguments):
    """Start Python on some code that may import `segbook.datasets`.

    Args:
        code: What to run; its arguments are `sys.argv[2:]`.
        *arguments: Its arguments.

    Returns:
        A `subprocess.Popen`.
    """
    package = Path(__file__).parents[2] / "segbook"
    command = [sys.executable, "-c", START + code, package, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*processes):
    """Wait for processes and check that none failed; return what each printed."""
    said = [process.communicate(timeout=60) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, f"exit status {process.returncode}\n{errors}"
    return [printed for printed, _ in said]
