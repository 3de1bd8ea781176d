"""Unpack archives whose entries may try to leave their folder."""

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath

from segbook.datasets.disk.errors import DownloadError


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
        shutil.copyfileobj(source, copy)
