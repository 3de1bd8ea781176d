"""`make links` follows links to the web, and says so when there is no network."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tools.canonical import write
from tools.links import addresses, follow, main

MOVES = {"/moved": "/200", "/folder": "/folder/"}


class Site(BaseHTTPRequestHandler):
    """Answers /404 with 404, sends /moved to /200 and /folder to /folder/; /noise is no HTTP."""

    def do_GET(self):
        if self.path == "/noise":
            self.wfile.write(b"what?")
            return
        if self.path in MOVES:
            self.send_response(301)
            self.send_header("Location", MOVES[self.path])
        else:
            self.send_response(200 if self.path == "/folder/" else int(self.path[1:]))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody(monkeypatch):
    """An address at which nobody answers: a port that was just closed."""
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        return f"http://127.0.0.1:{server.server_port}"


def page(folder, *targets):
    text = "# A\n\n" + " ".join(f"[x]({target})" for target in targets)
    path = folder / "page.ipynb"
    write(new_notebook(cells=[new_markdown_cell(text, id="title")]), path)
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/200", "ok"),
        ("/moved", "moved to {site}/200"),
        ("/folder", "ok"),  # a slash at the end is no move
        ("/404", "gone (404)"),
        ("/410", "gone (410)"),
        ("/403", "refused (403)"),
        ("/503", "refused (503)"),
        ("/noise", "unreachable: what?"),
    ],
)
def test_an_answer_is_named(site, path, expected):
    assert follow(site + path) == expected.format(site=site)


def test_no_answer_is_named(nobody):
    assert follow(nobody).startswith("unreachable: ")


def test_links_to_the_web_are_collected_once(tmp_path):
    path = page(tmp_path, "https://a.org/b#c", "https://a.org/b", "05_fcn.ipynb", "#A")
    place = "page.ipynb, cell 1 (`title`)"
    assert addresses([path]) == {"https://a.org/b": [place, place]}


def test_dead_links_are_printed_with_their_place(site, nobody, tmp_path, capsys):
    targets = [f"{site}/200", f"{site}/404", f"{site}/403", nobody]
    assert main([str(page(tmp_path, *targets))]) == 1
    out = capsys.readouterr().out
    assert f"gone (404)\n  {site}/404\n  in page.ipynb, cell 1 (`title`)\n" in out
    assert "refused (403)" in out
    assert f"{site}/200\n" not in out
    assert out.endswith("4 links: 1 ok, 2 dead\n")


def test_a_refusal_or_a_move_is_not_dead(site, tmp_path, capsys):
    assert main([str(page(tmp_path, f"{site}/200", f"{site}/moved", f"{site}/403"))]) == 0
    assert "3 links: 1 ok, 0 dead" in capsys.readouterr().out


def test_without_a_network_nothing_is_called_dead(nobody, tmp_path, capsys):
    assert main([str(page(tmp_path, nobody, f"{nobody}/a"))]) == 2
    assert capsys.readouterr().out == ("There is no network: none of 2 links could be followed.\n")


def test_a_page_without_links_is_right(tmp_path, capsys):
    assert main([str(page(tmp_path, "05_fcn.ipynb"))]) == 0
    assert capsys.readouterr().out == "0 links: 0 ok, 0 dead\n"


def test_an_unknown_page_is_named(capsys):
    assert main(["99"]) == 1
    assert "CHAPTER='99'" in capsys.readouterr().err
