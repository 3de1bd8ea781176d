"""Download data sets: archives, and folders of public repositories."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from segbook import progress
from segbook.datasets.disk.lock import alone
from segbook.datasets.disk.transfer import fetch, fetch_alone, git_check, md5_check
from segbook.datasets.disk.unpack import extract

CONNECTIONS = 4  # GitHub answers 429 to those who hurry


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
                advice = by_hand([archive], folder)
                fetch_alone(archive.urls, target, md5_check(archive.md5), advice)
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
    files = [
        f"{' or '.join(each.urls)} ({f'MD5 {each.md5}' if each.md5 else 'no checksum known to us'})"
        for each in archives
    ]
    return f"{_start(call)}: download {' and '.join(files)} and unpack in {folder}."


@dataclass(frozen=True)
class Repository:
    """A folder of a public repository on GitHub, as it was at one commit.

    Args:
        name: Owner and name.
        commit: The commit, hexadecimal.
        folder: The folder, as a path from the top of the repository.
        listing: Path of a text file with the hash that git has for each file, its size in bytes and
            its path in the folder, one file a line.
        site: Where GitHub gives single files.
    """

    name: str
    commit: str
    folder: str
    listing: Path
    site: str = "https://raw.githubusercontent.com"

    def files(self):
        """List the hash, the size and the path of each file."""
        lines = self.listing.read_text(encoding="utf-8").splitlines()
        rows = [line.split(maxsplit=2) for line in lines]
        return [(sha, int(size), path) for sha, size, path in rows]

    def url(self, path):
        """Say where one file lies."""
        return f"{self.site}/{self.name}/{self.commit}/{quote(f'{self.folder}/{path}')}"

    def by_hand(self, folder, call=None):
        """Say in one line how to get the files into a folder, and by which call."""
        source = f"the folder {self.folder} of https://github.com/{self.name}"
        return f"{_start(call)}: copy {source} to {folder}."


def download_files(repository, folder):
    """Download the files of a repository's folder; those that are there and right are left alone.

    Where several processes or threads want the same file, one fetches it and the others wait.

    Args:
        repository: `Repository`.
        folder: Where the files go; made if need be.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        DownloadError: If a file cannot be had, or another is in its place. What came is kept.
    """
    folder = Path(folder)
    files = repository.files()
    total = sum(size for _, size, _ in files)
    advice = f"What came is kept: the next call goes on. {repository.by_hand(folder)}"

    def get(file):
        sha, size, path = file
        fetch([repository.url(path)], folder / path, git_check(sha), advice, quiet=True)
        return size

    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        with progress.line() as show:
            received = 0
            for count, size in enumerate(pool.map(get, files), 1):
                received += size
                show(
                    f"{repository.name}: {count} of {len(files)} files, "
                    f"{received / 1e6:.0f} of {total / 1e6:.0f} MB"
                )
    finally:
        pool.shutdown(cancel_futures=True)
    return folder


def _start(call):
    return f"To get it, call {call}, or by hand" if call else "To get it by hand"
