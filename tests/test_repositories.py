"""Folders of public repositories, from a server on this machine that has its moods."""

import dataclasses
import hashlib
import io
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import downloads
import numpy as np
import processes
import pytest
from pictures import real
from PIL import Image

from segbook import datasets
from segbook.datasets.disk import transfer
from segbook.datasets.disk.download import CONNECTIONS, Repository, download_files

REPOSITORIES = {
    name: sys.modules[f"segbook.datasets.{name}"].REPOSITORY
    for name in ("camvid", "isbi2012", "fasseg")
}
# What each reader reads, in tiny: folder of pictures, folder of masks, a name, a mask's colour.
LAYOUTS = {
    "camvid": ("camvid", "train", "trainannot", "0001TP_1.png", 10),
    "isbi2012": ("isbi2012/train", "image", "label", "0.png", 255),
    "fasseg": ("fasseg/V2", "Train_RGB", "Train_Labels", "1.bmp", (255, 0, 0)),
}


def git_hash(content):
    return hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()


def encoded(mode, color, kind):
    file = io.BytesIO()
    Image.new(mode, (6, 4), color).save(file, kind)
    return file.getvalue()


@pytest.fixture
def server():
    with downloads.serving({}) as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    downloads.hurry(monkeypatch)


@pytest.fixture
def repository(server, tmp_path):
    """Twelve files of 50 kB in two folders."""
    rng = np.random.default_rng(0)
    lines = []
    for name in [f"{part}/{i}.bin" for part in ("a", "b with space") for i in range(6)]:
        content = rng.bytes(50_000)
        server.files[f"owner/name/c0ffee/deep/top/{name.replace(' ', '%20')}"] = content
        lines.append(f"{git_hash(content)} {len(content)} {name}\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    return Repository("owner/name", "c0ffee", "deep/top", tmp_path / "list.txt", server.url)


def get(repository, folder, manner="fine"):
    return download_files(
        dataclasses.replace(repository, site=f"{repository.site}/{manner}"), folder
    )


def here(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def is_whole(repository, folder):
    files = {path: sha for sha, _, path in repository.files()}
    return here(folder) == set(files) and all(
        git_hash((folder / path).read_bytes()) == sha for path, sha in files.items()
    )


@pytest.mark.parametrize(
    "manner", ["fine", "slow", "truncated", "dribbling", "forgetful", "stumbling"]
)
def test_the_whole_folder_arrives(server, repository, tmp_path, manner):
    assert get(repository, tmp_path / "data", manner) == tmp_path / "data"
    assert is_whole(repository, tmp_path / "data")
    assert len(server.requests) >= 12


def test_what_is_there_and_right_is_not_fetched_again(server, repository, tmp_path):
    get(repository, tmp_path / "data")
    for name in ("a/3.bin", "b with space/0.bin"):
        (tmp_path / "data" / name).unlink()
    server.requests.clear()
    for _ in range(2):
        get(repository, tmp_path / "data")
    assert len(server.requests) == 2
    assert is_whole(repository, tmp_path / "data")


def test_another_file_in_place_is_named_and_not_overwritten(repository, tmp_path):
    mine = tmp_path / "data" / "a" / "3.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"my own")
    message = rf"a.3\.bin: git's hash {git_hash(b'my own')}, expected [0-9a-f]{{40}}; remove it"
    with pytest.raises(datasets.DownloadError, match=message):
        get(repository, tmp_path / "data")
    assert mine.read_bytes() == b"my own"


@pytest.mark.parametrize(
    ("manner", "message"),
    [
        ("missing", "HTTP 404 Not Found"),
        ("busy", "HTTP (503|429)"),
        ("wrong", "git's hash [0-9a-f]{40}, expected [0-9a-f]{40}; removed"),
        ("login", "git's hash [0-9a-f]{40}, expected [0-9a-f]{40}; removed"),
    ],
)
def test_one_failure_ends_it_and_the_next_call_goes_on(
    server, repository, tmp_path, manner, message
):
    folder = tmp_path / "data"
    with pytest.raises(datasets.DownloadError) as error:
        get(repository, folder, manner)
    first, reason, advice = str(error.value).splitlines()
    assert first == "0.bin could not be downloaded"
    assert reason.startswith(f"  {server.url}/{manner}/owner/name/c0ffee/deep/top/a/0.bin: ")
    assert advice == (
        "What came is kept: the next call goes on. To get it by hand: copy the folder deep/top of "
        f"https://github.com/owner/name to {folder}."
    )
    with pytest.raises(datasets.DownloadError, match=message):
        get(repository, folder, manner)
    assert {name for name in here(folder) if name.endswith(".bin")} == set()
    get(repository, folder)
    assert is_whole(repository, folder)


def test_nobody_listens(repository, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        site = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(datasets.DownloadError, match="refused"):
            download_files(dataclasses.replace(repository, site=site), tmp_path / "data")


DOWNLOAD = """
from pathlib import Path
from segbook.datasets.disk.download import Repository, download_files
listing, site, folder = sys.argv[2:]
repository = Repository("owner/name", "c0ffee", "deep/top", Path(listing), site)
print(download_files(repository, folder).name)
"""


def test_a_killed_download_goes_on(server, repository, tmp_path):
    process = processes.start(
        DOWNLOAD, repository.listing, f"{server.url}/stalling", tmp_path / "data"
    )
    while len(server.requests) < downloads.CALM + CONNECTIONS and process.poll() is None:
        server.began.wait(0.01)  # four have come, all connections wait
    process.kill()
    process.communicate()
    came = {name for name in here(tmp_path / "data") if name.endswith(".bin")}
    assert len(came) == downloads.CALM
    server.requests.clear()
    get(repository, tmp_path / "data")
    assert is_whole(repository, tmp_path / "data")
    assert len(server.requests) == 12 - len(came)


def test_processes_and_threads_fetch_each_file_once(server, repository, tmp_path):
    folder, slow = tmp_path / "data", f"{server.url}/slow"
    started = [
        processes.start(DOWNLOAD, repository.listing, slow, tmp_path / "data") for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(get, repository, folder, "slow") for _ in range(2)]
    assert processes.finish(*started) == ["data\n"] * 2
    assert [each.result() for each in done] == [folder] * 2
    assert is_whole(repository, folder)
    assert len(server.requests) == 12


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_counts_files_and_bytes(repository, tmp_path, monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", shown)
    get(repository, tmp_path / "data")
    lines = [line.strip() for line in shown.getvalue().split("\r")][1:]
    expected = [f"owner/name: {n} of 12 files, {n * 0.05:.0f} of 1 MB" for n in range(1, 13)]
    assert lines == (expected if terminal else [])


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_data_set_comes_to_where_it_is_read(server, tmp_path, monkeypatch, name):
    below, pictures, masks, file, label = LAYOUTS[name]
    kind = file.rsplit(".", 1)[1]
    grey = encoded("RGB", (100, 100, 100), kind)
    mask = encoded("RGB" if isinstance(label, tuple) else "L", label, kind)
    repository = REPOSITORIES[name]
    lines = []
    for path, content in ((f"{pictures}/{file}", grey), (f"{masks}/{file}", mask)):
        place = f"{repository.name}/{repository.commit}/{repository.folder}/{path}"
        server.files[place] = content
        lines.append(f"{git_hash(content)} {len(content)} {path}\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    monkeypatch.setattr(
        sys.modules[f"segbook.datasets.{name}"],
        "REPOSITORY",
        dataclasses.replace(
            repository, listing=tmp_path / "list.txt", site=f"{server.url}/truncated"
        ),
    )
    read, download = getattr(datasets, name), getattr(datasets, f"download_{name}")
    call = rf"call datasets\.download_{name}\(\), or by hand: .*{repository.name}.*SEGBOOK_DATA"
    with pytest.raises(datasets.MissingData, match=call):
        read("train", root=tmp_path)
    assert download(tmp_path) == tmp_path / below
    samples = read("train", root=tmp_path)
    assert samples.images.shape == (1, 4, 6, 3)
    assert set(np.unique(samples.masks)) == {10 if name == "camvid" else 0}


@pytest.mark.parametrize(
    ("name", "counts", "megabytes"),
    [
        (
            "camvid",
            {"train": 367, "trainannot": 367, "val": 101, "valannot": 101}
            | {"test": 233, "testannot": 233},
            186.8,
        ),
        ("isbi2012", {"image": 30, "label": 30}, 6.5),
        (
            "fasseg",
            {"Train_RGB": 20, "Train_Labels": 20, "Test_RGB": 50, "Test_Labels": 50},
            93.3,
        ),
    ],
)
def test_the_lists_are_whole(name, counts, megabytes):
    repository = REPOSITORIES[name]
    rows = repository.files()
    folders = [path.split("/")[0] for _, _, path in rows]
    assert {part: folders.count(part) for part in folders} == counts
    assert sum(size for _, size, _ in rows) / 1e6 == pytest.approx(megabytes, abs=0.1)
    for text in [repository.commit, *(sha for sha, _, _ in rows)]:
        assert len(text) == 40
        assert set(text) <= set("0123456789abcdef")
    assert len({path for _, _, path in rows}) == len(rows)
    assert repository.url("x").startswith("https://raw.githubusercontent.com/")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=real(name)) for name in ("isbi2012", "fasseg")]
)
def test_the_real_files_are_those_of_the_list(name, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", None)  # whoever fetches now fails
    assert getattr(datasets, f"download_{name}")() == datasets.data_root() / LAYOUTS[name][0]


@pytest.mark.parametrize(
    ("content", "sha"),  # as `git hash-object` prints them
    [
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_git_hashes(tmp_path, content, sha):
    (tmp_path / "file").write_bytes(content)
    assert transfer.git_check(sha)(tmp_path / "file") is None
    (tmp_path / "file").write_bytes(content + b"x")
    assert f"expected {sha}" in transfer.git_check(sha)(tmp_path / "file")
