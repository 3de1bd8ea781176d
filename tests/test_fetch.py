"""Downloads from a server on this machine that is fine, slow, cut off, wrong or missing."""

import dataclasses
import hashlib
import io
import socket
import stat
import sys
import tarfile
import time
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor

import downloads
import processes
import pytest

from segbook import datasets
from segbook.datasets.disk import transfer
from segbook.datasets.disk.download import Archive, by_hand, download
from segbook.datasets.disk.lock import alone
from segbook.datasets.disk.unpack import extract

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with downloads.serving({"data.bin": CONTENT}) as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    downloads.hurry(monkeypatch)


def get(server, target, *manners, md5=MD5):
    if "hanging" in manners:
        transfer.TIMEOUT = 1
    urls = [f"{server.url}/{manner}/data.bin" for manner in manners]
    return transfer.fetch(urls, target, transfer.md5_check(md5), "By hand: this way.")


@pytest.mark.parametrize(
    "manner", ["fine", "slow", "truncated", "dribbling", "forgetful", "stumbling"]
)
@pytest.mark.parametrize("md5", [MD5, None])
def test_the_whole_file_arrives(server, tmp_path, manner, md5):
    target = get(server, tmp_path / "deep" / "data.bin", manner, md5=md5)
    assert target.read_bytes() == CONTENT
    assert [file.name for file in target.parent.iterdir()] == ["data.bin"]


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    get(server, tmp_path / "data.bin", "truncated")
    (_, first), (_, second) = server.requests
    assert first is None
    assert second == f"bytes={len(CONTENT) // 3}-"


def test_a_killed_download_goes_on(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:5000])
    get(server, tmp_path / "data.bin", "fine")
    assert server.requests == [("fine", "bytes=5000-")]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_download_killed_after_the_last_byte_is_finished(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert get(server, tmp_path / "data.bin", "fine").read_bytes() == CONTENT


def test_what_is_there_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    get(server, tmp_path / "data.bin", "fine")
    assert server.requests == []


def test_a_wrong_file_in_place_is_not_overwritten(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"something else")
    with pytest.raises(datasets.DownloadError, match=f"expected {MD5}; remove it"):
        get(server, tmp_path / "data.bin", "fine")
    assert (tmp_path / "data.bin").read_bytes() == b"something else"


FETCH = """
from segbook.datasets.disk.transfer import fetch, md5_check
print(fetch([sys.argv[2]], sys.argv[3], md5_check(sys.argv[4])).stat().st_size)
"""


def test_several_processes_download_one_file_once(server, tmp_path):
    url, target = f"{server.url}/slow/data.bin", tmp_path / "data.bin"
    started = [processes.start(FETCH, url, target, MD5) for _ in range(3)]
    assert processes.finish(*started) == [f"{len(CONTENT)}\n"] * 3
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["data.bin"]


def test_a_killed_process_keeps_nobody_waiting(server, tmp_path):
    url, target = f"{server.url}/hanging/data.bin", tmp_path / "data.bin"
    process = processes.start(FETCH, url, target, MD5)
    assert server.began.wait(30)
    process.kill()
    process.communicate()
    assert get(server, target, "fine").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["data.bin"]


def test_threads_wait_for_each_other(server, tmp_path):
    server.files["data.tgz"] = GOOD["tar"]
    archive = Archive((f"{server.url}/slow/data.tgz",), None, ("top",))
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(download, archive, tmp_path / "root") for _ in range(4)]
    assert {each.result() for each in done} == {tmp_path / "root"}
    assert len(server.requests) == 1
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["top"]


def test_alone_is_alone(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(30):
            with alone(tmp_path / "deep" / "file"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work) for _ in range(6)]:
            done.result()
    assert most == [1] * 180
    assert list((tmp_path / "deep").iterdir()) == []


def test_no_progress_without_stderr(server, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert get(server, tmp_path / "data.bin", "fine").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("asked", "slept"), [(None, [1, 2]), ("1", [1, 2]), ("7", [7, 7]), ("3600", [30, 30])]
)
def test_a_busy_server_may_ask_for_a_pause(server, tmp_path, monkeypatch, asked, slept):
    server.retry_after, pauses = asked, []
    monkeypatch.setattr(transfer, "time", types.SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr(transfer, "PAUSE", 1)
    assert get(server, tmp_path / "data.bin", "stumbling").read_bytes() == CONTENT
    assert pauses == slept


@pytest.mark.parametrize("bad", ["missing", "wrong", "hanging", "login"])
def test_the_next_mirror_is_tried(server, tmp_path, bad):
    assert get(server, tmp_path / "data.bin", bad, "fine").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("manner", "message"),
    [
        ("missing", "missing/data.bin: HTTP 404"),
        ("busy", "busy/data.bin: HTTP 503 Service Unavailable"),
        ("wrong", f"wrong/data.bin: MD5 [0-9a-f]{{32}}, expected {MD5}; removed"),
        ("hanging", "hanging/data.bin: .*timed out"),
        ("login", f"login/data.bin: MD5 [0-9a-f]{{32}}, expected {MD5}; removed"),
    ],
)
def test_no_mirror_works(server, tmp_path, manner, message):
    with pytest.raises(datasets.DownloadError, match=message) as error:
        get(server, tmp_path / "data.bin", manner)
    assert str(error.value).endswith("By hand: this way.")
    assert not (tmp_path / "data.bin").exists()


def test_nobody_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.bin"
        with pytest.raises(datasets.DownloadError, match="refused"):
            transfer.fetch([url], tmp_path / "data.bin", transfer.md5_check(MD5))


def test_other_addresses_are_refused(tmp_path):
    (tmp_path / "here").write_bytes(CONTENT)
    with pytest.raises(datasets.DownloadError, match="not an http address"):
        transfer.fetch(
            [(tmp_path / "here").as_uri()], tmp_path / "data.bin", transfer.md5_check(MD5)
        )


@pytest.mark.parametrize("manner", ["missing", "hanging", "login"])
def test_what_came_is_kept_for_the_next_try(server, tmp_path, manner):
    part = tmp_path / "data.bin.part"
    part.write_bytes(CONTENT[:500_000])
    with pytest.raises(datasets.DownloadError):
        get(server, tmp_path / "data.bin", manner)
    assert part.read_bytes() == CONTENT[: part.stat().st_size]
    assert part.stat().st_size >= 500_000
    assert get(server, tmp_path / "data.bin", "fine").read_bytes() == CONTENT


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(server, tmp_path, monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", shown)
    get(server, tmp_path / "data.bin", "fine")
    assert ("data.bin: 1 of 1 MB, 100%" in shown.getvalue()) == terminal
    assert bool(shown.getvalue()) == terminal


def tarred(*entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, kind, content in entries:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.linkname = content
                archive.addfile(member)
    return file.getvalue()


def zipped(*entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, mode, content in entries:
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, content)
    return file.getvalue()


REGULAR = ("top/a/b.txt", tarfile.REGTYPE, b"hello")
GOOD = {
    "tar": tarred(REGULAR, ("top/empty", tarfile.DIRTYPE, ""), ("./top/c", tarfile.REGTYPE, b"c")),
    "zip": zipped(("top/a/b.txt", 0, b"hello"), ("top/c", stat.S_IFREG | 0o644, b"c")),
    "mac": tarred(REGULAR, ("./._top", tarfile.REGTYPE, b"x"), ("top/c", tarfile.REGTYPE, b"c")),
}
BAD = {
    "above": (tarred(REGULAR, ("top/../../evil", tarfile.REGTYPE, b"x")), "leads outside"),
    "absolute": (tarred(REGULAR, ("/evil", tarfile.REGTYPE, b"x")), "leads outside"),
    "beside": (tarred(REGULAR, ("evil", tarfile.REGTYPE, b"x")), "leads outside"),
    "symbolic link": (
        tarred(REGULAR, ("top/l", tarfile.SYMTYPE, "../..")),
        "is a link or a device",
    ),
    "hard link": (tarred(REGULAR, ("top/l", tarfile.LNKTYPE, "/etc/passwd")), "is a link"),
    "device": (tarred(REGULAR, ("top/fifo", tarfile.FIFOTYPE, "")), "is a link or a device"),
    "zip above": (zipped(("top/a", 0, b""), ("top/../../evil", 0, b"")), "leads outside"),
    "zip drive": (zipped(("top/a", 0, b""), ("top/c:/evil", 0, b"")), "leads outside"),
    "zip link": (zipped(("top/a", 0, b""), ("top/l", stat.S_IFLNK | 0o777, b"/etc")), "is a link"),
    "other folder": (tarred(("pot/a", tarfile.REGTYPE, b"x")), "leads outside"),
    "no folder": (tarred(), "no folder top in it"),
    "cut off": (GOOD["tar"][:-30], "not a readable archive"),
    "not an archive": (b"<html>", "not a readable archive"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_archives_are_unpacked(tmp_path, kind):
    (tmp_path / "archive").write_bytes(GOOD[kind])
    extract(tmp_path / "archive", tmp_path / "out", ["top"])
    files = sorted(p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*"))
    assert [str(file) for file in files if (tmp_path / "out" / file).is_file()] == [
        "top/a/b.txt",
        "top/c",
    ]
    assert (tmp_path / "out" / "top" / "a" / "b.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_archives_leave_nothing_behind(tmp_path, content, message):
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(datasets.DownloadError, match=message):
        extract(tmp_path / "archive", tmp_path / "out", ["top"])
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["archive", "out"]


def test_download_unpacks_once_and_removes_the_archive(server, tmp_path):
    server.files["data.tgz"] = GOOD["tar"]
    archive = Archive(
        (f"{server.url}/missing/data.tgz", f"{server.url}/truncated/data.tgz"),
        hashlib.md5(GOOD["tar"]).hexdigest(),
        ("top",),
    )
    for _ in range(2):
        assert download(archive, tmp_path / "root") == tmp_path / "root"
    assert [manner for manner, _ in server.requests].count("missing") == 1
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["top"]


def test_voc_2012_is_downloaded_beside_another_voc(server, tmp_path, monkeypatch):
    lists = "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"
    server.files["voc.tar"] = tarred(
        ("VOCdevkit", tarfile.DIRTYPE, ""),
        (lists, tarfile.REGTYPE, b"2007_000032\n"),
        ("VOCdevkit/VOC2007/other", tarfile.REGTYPE, b"not ours"),
    )
    voc = sys.modules["segbook.datasets.voc"]
    assert voc.VOC_ARCHIVE.gives == ("VOCdevkit/VOC2012",)
    monkeypatch.setattr(
        voc,
        "VOC_ARCHIVE",
        dataclasses.replace(voc.VOC_ARCHIVE, urls=(f"{server.url}/fine/voc.tar",), md5=None),
    )
    older = tmp_path / "VOCdevkit" / "VOC2007" / "mine"
    older.parent.mkdir(parents=True)
    older.write_text("here before")
    for _ in range(2):
        datasets.download_voc(tmp_path)
    datasets.download_voc(tmp_path / "fresh")
    assert len(server.requests) == 2
    for root in (tmp_path, tmp_path / "fresh"):
        assert (root / lists).read_text() == "2007_000032\n"
    assert [path.name for path in older.parent.iterdir()] == ["mine"]
    with pytest.raises(datasets.DataError, match=r"2007_000032.jpg: missing, though the list"):
        datasets.voc("train", root=tmp_path)


def test_pets_are_downloaded_to_where_they_are_read(server, tmp_path, monkeypatch):
    for name, entry in (("IMAGES", "images/a.jpg"), ("ANNOTATIONS", "annotations/test.txt")):
        server.files[name] = tarred((entry, tarfile.REGTYPE, b"Abyssinian_1 1 1 1\n"))
        md5 = hashlib.md5(server.files[name]).hexdigest()
        folder = entry.split("/")[0]
        archive = Archive((f"{server.url}/fine/{name}",), md5, (folder,))
        monkeypatch.setattr(sys.modules["segbook.datasets.pets"], name, archive)
    datasets.download_pets(tmp_path)
    with pytest.raises(datasets.DataError, match=r"images/Abyssinian_1.jpg: missing, though"):
        datasets.pets("test", size=(8, 8), root=tmp_path)


def test_the_way_by_hand_is_one_line():
    archives = [
        Archive(("http://a/x.tar", "http://b/x.tar"), "0" * 32, ("x",)),
        Archive(("http://a/y.tar",), None, ("y",)),
    ]
    assert by_hand(archives, "here", "datasets.download_x()") == (
        f"To get it, call datasets.download_x(), or by hand: download http://a/x.tar or "
        f"http://b/x.tar (MD5 {'0' * 32}) and http://a/y.tar (no checksum known to us) and unpack "
        "in here."
    )
