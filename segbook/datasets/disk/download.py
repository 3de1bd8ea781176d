"""Download archives: resumed, verified, put in place at once or not at all."""

import contextlib
import errno
import hashlib
import http.client
import os
import shutil
import stat
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath

from segbook.datasets.disk.errors import DataError
from segbook.datasets.disk.lock import alone

CHUNK = 1 << 18
ATTEMPTS = 5  # without a new byte, for each mirror
PAUSE = 1  # seconds, longer with each attempt
TIMEOUT = 30  # seconds without a byte
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class DownloadError(DataError):
    """No mirror gave the file; says what each did, and how to go on by hand."""


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Args:
        urls: Where it lies; the first that works is used.
        md5: Its checksum, or None where none is published.
        gives: The folders that are taken from it, as paths from its top.
    """

    urls: tuple[str, ...]
    md5: str | None
    gives: tuple[str, ...]

    @property
    def name(self):
        """The file's name."""
        return self.urls[0].rsplit("/", 1)[-1]


def download(archive, folder):
    """Download an archive and unpack it into a folder; what is there already is left alone.

    Where several processes or threads want the same archive, one fetches it and the others wait.

    Args:
        archive: `Archive`.
        folder: Where its folders go; made if need be.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        DownloadError: If no mirror gives the file, or it holds what it should not.
    """
    folder = Path(folder)
    target = folder / archive.name

    def there():
        return all((folder / name).is_dir() for name in archive.gives)

    if not there():
        with alone(target):
            if not there():
                _fetch(archive.urls, target, archive.md5, by_hand([archive], folder))
                extract(target, folder, archive.gives)
                target.unlink()
    return folder


def by_hand(archives, folder, call=None):
    """Say in one line how to get archives.

    Args:
        archives: A list of `Archive`.
        folder: Where their folders go.
        call: The function that downloads them, as the reader would type it.

    Returns:
        A sentence.
    """
    start = f"To get it, call {call}, or by hand" if call else "To get it by hand"
    files = [
        f"{' or '.join(each.urls)} ({f'MD5 {each.md5}' if each.md5 else 'no checksum known to us'})"
        for each in archives
    ]
    return f"{start}: download {' and '.join(files)} and unpack in {folder}."


def fetch(urls, target, md5=None, advice=""):
    """Download a file; go on where an earlier try stopped.

    Bytes arrive in a file beside the target whose name ends in `.part`. It gets the target's name
    when it is whole and its checksum is right, so that a killed download never looks complete.
    Where several processes or threads want the same file, one fetches it and the others wait.

    Args:
        urls: Mirrors of one file, tried in turn.
        target: Path of the file.
        md5: Checksum in hexadecimal, or None if none is known: then only the length is checked.
        advice: A last line for the error.

    Returns:
        The target, a `pathlib.Path`.

    Raises:
        DownloadError: If no mirror gives the file.
    """
    target = Path(target)
    if target.exists():
        return _checked(target, md5)
    with alone(target):
        return _fetch(urls, target, md5, advice)


def _fetch(urls, target, md5, advice):
    if target.exists():
        return _checked(target, md5)
    part = target.with_name(target.name + ".part")
    problems = []
    for url in urls:
        try:
            _fetch_all(url, part)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if getattr(error, "errno", None) in DISK_FULL:
                raise
            problems.append(f"{url}: {_reason(error)}")
            continue
        found = checksum(part) if md5 else None
        if found == md5:
            os.replace(part, target)
            return target
        part.unlink()
        problems.append(f"{url}: MD5 {found}, expected {md5}; removed")
    lines = [f"{target.name} could not be downloaded", *(f"  {problem}" for problem in problems)]
    raise DownloadError("\n".join([*lines, advice] if advice else lines))


def extract(file, folder, names):
    """Unpack an archive whose entries all stay inside its own folders.

    It is unpacked beside its place first, so a killed extraction never looks complete. Files that
    macOS adds (`._name`) are left out.

    Args:
        file: Path of a tar file, compressed or not, or a zip file.
        folder: Where the archive's folders go.
        names: The folders to take from the archive, as paths from its top; one that is there
            already is left alone.

    Raises:
        DownloadError: If an entry is a link or a device, or leads outside those folders, or the
            archive cannot be read; nothing is left behind then.
    """
    folder = Path(folder)
    unfinished = folder / f"{file.name}.unpacking"
    shutil.rmtree(unfinished, ignore_errors=True)
    unpack = _unpack_zip if zipfile.is_zipfile(file) else _unpack_tar
    try:
        unpack(file, unfinished, names)
        for name in names:
            if not (unfinished / name).is_dir():
                raise DownloadError(f"{file}: no folder {name} in it")
        for name in names:
            if not (folder / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(unfinished / name, folder / name)
    except (tarfile.TarError, zipfile.BadZipFile, BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"{file}: not a readable archive ({error})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def checksum(path):
    """Compute a file's MD5, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _checked(target, md5):
    if md5 and checksum(target) != md5:
        raise DownloadError(
            f"{target}: MD5 {checksum(target)}, expected {md5}; remove it and try again"
        )
    return target


def _fetch_all(url, part):
    """Append to `part` until it is whole; a connection that breaks is taken up again."""
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _fetch_some(url, part, before):
                return
            error = ConnectionError("the connection broke")
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as caught:
            error = caught
        after = part.stat().st_size if part.exists() else 0
        idle = 0 if after > before else idle + 1
        if idle == ATTEMPTS or getattr(error, "errno", None) in DISK_FULL:
            raise error
        time.sleep(idle * PAUSE)


def _fetch_some(url, part, start):
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
        with _progress(part.name.removesuffix(".part"), total) as show:
            while block := response.read(CHUNK):
                file.write(block[max(0, start - received) :])
                received += len(block)
                show(received)
    if received < start:
        raise ConnectionError(f"the server has {received} bytes, fewer than the {start} here")
    return total is None or received == total


@contextlib.contextmanager
def _progress(name, total):
    """Show how far a download is, on a terminal only."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda received: None
        return

    def show(received):
        of = f" of {total / 1e6:.0f}" if total else ""
        share = f", {received / total:.0%}" if total else ""
        print(f"\r{name}: {received / 1e6:.0f}{of} MB{share}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(file=sys.stderr)


def _unpack_tar(file, folder, names):
    with tarfile.open(file) as archive:
        for member in archive:
            plain = member.isfile() or member.isdir()
            target = _target(file, folder, member.name, names, plain)
            if target and member.isfile():
                _write(archive.extractfile(member), target)


def _unpack_zip(file, folder, names):
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            target = _target(file, folder, member.filename, names, plain)
            if target and not member.is_dir():
                _write(archive.open(member), target)


def _target(file, folder, name, names, plain):
    """Say where an entry goes, or None where it is left out."""
    path = PurePosixPath(name)
    if path.name.startswith("._") or not path.parts:
        return None
    tops = {PurePosixPath(name).parts[0] for name in names}
    inside = path.parts[0] in tops and ".." not in path.parts and not set(name) & set("\\:\0")
    if not (plain and inside):
        trouble = "leads outside its folders" if plain else "is a link or a device"
        raise DownloadError(f"{file}: the entry {name!r} {trouble}; nothing was unpacked")
    return folder.joinpath(*path.parts)


def _write(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, open(target, "wb") as copy:
        shutil.copyfileobj(source, copy, CHUNK)


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__
