"""One at a time: what several processes or threads must not do to one file at once."""

import contextlib
import os
import sys
import time

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PAUSE = 0.05  # seconds between two tries on Windows


@contextlib.contextmanager
def alone(path):
    """Wait until nobody else is working on a path, and keep others waiting meanwhile.

    The operating system frees the lock of a process that is killed.

    Args:
        path: `pathlib.Path` of the file or folder; `.lock` beside it is made, and removed after.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    while True:
        with open(lock, "ab") as file:
            _wait_for(file)
            if not _is_at(lock, file):  # whoever had it before has removed it
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows removes no file that is open
                    lock.unlink()
            return


def _wait_for(file):
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some network folders know no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        return
    while True:
        with contextlib.suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return
        time.sleep(PAUSE)


def _is_at(path, file):
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
