"""Get one file over the network: resumed, verified, put in place at once or not at all."""

import contextlib
import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from segbook import progress
from segbook.datasets.disk.errors import DownloadError
from segbook.datasets.disk.lock import alone

CHUNK = 1 << 18
ATTEMPTS = 5  # without a new byte, for each mirror
PAUSE = 1  # seconds, longer with each attempt
LONGEST_PAUSE = 30  # seconds, though a busy server may ask for more
TIMEOUT = 30  # seconds without a byte
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
TOO_MANY_REQUESTS = 429


def fetch(urls, target, wrong, advice="", *, quiet=False):
    """Download a file; go on where an earlier try stopped.

    A connection that breaks is taken up again, and a server that is busy asked again, some times.
    Bytes arrive in a file beside the target whose name ends in `.part`. It gets the target's name
    when it is whole and its content is right, so that a killed download never looks complete.
    Where several processes or threads want the same file, one fetches it and the others wait.

    Args:
        urls: Mirrors of one file, tried in turn.
        target: Path of the file.
        wrong: Function of a path that says what is wrong with the file there, or None; such as
            `md5_check` gives.
        advice: A last line for the error.
        quiet: True shows no progress.

    Returns:
        The target, a `pathlib.Path`.

    Raises:
        DownloadError: If no mirror gives the file, or another one is in its place.
    """
    target = Path(target)
    if target.exists():
        return _checked(target, wrong)
    with alone(target):
        return fetch_alone(urls, target, wrong, advice, quiet=quiet)


def fetch_alone(urls, target, wrong, advice="", *, quiet=False):
    """Download a file as `fetch` does, for a caller that keeps others off the target."""
    if target.exists():
        return _checked(target, wrong)
    part = target.with_name(target.name + ".part")
    problems = []
    for url in urls:
        try:
            with contextlib.nullcontext(lambda text: None) if quiet else progress.line() as show:
                _fetch_all(url, part, show)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if getattr(error, "errno", None) in DISK_FULL:
                raise
            problems.append(f"{url}: {_reason(error)}")
            continue
        problem = wrong(part)
        if not problem:
            os.replace(part, target)
            return target
        part.unlink()
        problems.append(f"{url}: {problem}; removed")
    lines = [f"{target.name} could not be downloaded", *(f"  {problem}" for problem in problems)]
    raise DownloadError("\n".join([*lines, advice] if advice else lines))


def md5_check(expected):
    """Make a check of a file's MD5, hexadecimal; of its length alone where None is known."""
    if expected is None:
        return lambda path: None
    return _check("MD5", lambda file: hashlib.file_digest(file, "md5"), expected)


def git_check(expected):
    """Make a check of the hash that git has for a file, hexadecimal."""

    def digest(file):
        content = file.read()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)

    return _check("git's hash", digest, expected)


def _check(name, digest, expected):
    def wrong(path):
        with open(path, "rb") as file:
            found = digest(file).hexdigest()
        return None if found == expected else f"{name} {found}, expected {expected}"

    return wrong


def _checked(target, wrong):
    if problem := wrong(target):
        raise DownloadError(f"{target}: {problem}; remove it and try again")
    return target


def _fetch_all(url, part, show):
    """Append to `part` until it is whole; take up a connection that breaks, ask a busy server."""
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        asked = ""
        try:
            if _fetch_some(url, part, before, show):
                return
            error = ConnectionError("the connection broke")
        except urllib.error.HTTPError as caught:
            if caught.code < 500 and caught.code != TOO_MANY_REQUESTS:
                raise
            caught.close()
            error, asked = caught, caught.headers.get("Retry-After", "")
        except (OSError, http.client.HTTPException) as caught:
            error = caught
        after = part.stat().st_size if part.exists() else 0
        idle = 0 if after > before else idle + 1
        if idle == ATTEMPTS or getattr(error, "errno", None) in DISK_FULL:
            raise error
        pause = min(int(asked), LONGEST_PAUSE) if asked.isdecimal() else 0
        time.sleep(max(idle * PAUSE, pause))


def _fetch_some(url, part, start, show):
    """Append what one connection gives; say whether the file is whole now."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("not an http address")
    request = urllib.request.Request(url, headers={"User-Agent": "segbook"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        # Nothing follows what is there: an earlier try was killed after the last byte.
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{start}":
            return True
        raise
    with response, open(part, "ab") as file:
        # A server that cannot resume answers 200 and sends the beginning again.
        resumed = response.status == 206
        received = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else received + int(length)
        while block := response.read(CHUNK):
            file.write(block[max(0, start - received) :])
            received += len(block)
            show(_text(part.name.removesuffix(".part"), received, total))
    if received < start:
        raise ConnectionError(f"the server has {received} bytes, fewer than the {start} here")
    return total is None or received == total


def _text(name, received, total):
    of = f" of {total / 1e6:.0f}" if total else ""
    share = f", {received / total:.0%}" if total else ""
    return f"{name}: {received / 1e6:.0f}{of} MB{share}"


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__
