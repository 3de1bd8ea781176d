"""`make read` prints a link that opens the page, and finds a page by what a reader calls it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tools.find import find_page

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "chapters"


def get(url, patience=10):
    """What a URL gives. JupyterLab prints its link shortly before it listens."""
    end = time.monotonic() + patience
    while True:
        try:
            return urlopen(url, timeout=patience).read().decode()
        except URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_printed_link_opens_the_page(tmp_path):
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "DATA", "RUNTIME")}
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        busy = other.getsockname()[1]
        command = [sys.executable, "-m", "tools.read", "05", f"--ServerApp.port={busy}"]
        lab = subprocess.Popen(
            [*command, "--no-browser"],
            cwd=ROOT,
            env=os.environ | folders,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            link = next(line.strip() for line in lab.stdout if "http://127" in line)
            address, token = link.split("?")
            page = get(link)
            served = json.loads(get(f"{address.partition('/lab/')[0]}/api/contents?{token}"))
        finally:
            lab.terminate()
            lab.communicate(timeout=10)
    assert f":{busy}/" not in address
    assert address.endswith("/lab/tree/05_fcn.ipynb")
    config = re.search(r'id="jupyter-config-data".*?>(.*?)</script>', page, re.DOTALL)
    assert json.loads(config[1])["treePath"] == "05_fcn.ipynb"
    assert {file["name"] for file in served["content"]} >= {"05_fcn.ipynb", "exercises", "images"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", "00_start.ipynb"),
        ("5", "05_fcn.ipynb"),
        ("05", "05_fcn.ipynb"),
        ("02a", "02a_training.ipynb"),
        ("2b", "02b_practice.ipynb"),
        ("solutions/2b", "solutions/02b_practice.ipynb"),
        ("10", "10_deeplab.ipynb"),
        ("B", "B_mathematics.ipynb"),
        ("solutions/B", "solutions/B_mathematics.ipynb"),
        ("05_fcn", "05_fcn.ipynb"),
        ("05_fcn.ipynb", "05_fcn.ipynb"),
        ("exercises/05_fcn.ipynb", "exercises/05_fcn.ipynb"),
        ("solutions/5", "solutions/05_fcn.ipynb"),
        (str(CHAPTERS / "05_fcn.ipynb"), "05_fcn.ipynb"),
        (os.path.relpath(CHAPTERS / "solutions/05_fcn.ipynb"), "solutions/05_fcn.ipynb"),
    ],
)
def test_find_page(text, found):
    assert find_page(text, CHAPTERS) == CHAPTERS.resolve() / found


@pytest.mark.parametrize(
    "text", ["", "99", "5_", "fcn", "chapters", "solutions", "README.md", "../README.md"]
)
def test_find_page_lists_the_pages(text):
    with pytest.raises(
        ValueError, match=r"(?s)CHAPTER=.* must be .*00_start\.ipynb\n  01_convolutions"
    ):
        find_page(text, CHAPTERS)


@pytest.mark.parametrize("text", ["2", "02", "solutions/02"])
def test_find_page_names_the_parts_of_a_chapter(text):
    with pytest.raises(ValueError, match="this chapter has several: 02a, 02b"):
        find_page(text, CHAPTERS)


def test_unknown_chapter_is_named():
    run = subprocess.run(
        [sys.executable, "-m", "tools.read", "99"], cwd=ROOT, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("CHAPTER='99' must be the number")
    assert "Traceback" not in run.stderr
