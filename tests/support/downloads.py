"""A server on this machine that is fine, slow, cut off, wrong, busy or without the file."""

import contextlib
import http.server
import threading
import time

from segbook.datasets.disk import transfer

CALM = 4  # answers before "stalling" stalls


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve `server.files`; the first part of the path says how badly."""

    def do_GET(self):
        manner, name = self.path.strip("/").split("/", 1)
        asked = self.headers.get("Range")
        self.server.requests.append((manner, asked))
        if manner == "missing":
            return self.send_error(404)
        if manner == "busy" or (manner == "stumbling" and len(self.server.requests) < 3):
            after = {"Retry-After": self.server.retry_after} if self.server.retry_after else {}
            return self.answer(503 if len(self.server.requests) % 2 else 429, b"", **after)
        if manner == "login":
            return self.answer(200, b"<html>please log in</html>")
        content = self.server.files[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if manner == "wrong":
            content = b"x" + content[1:]
        if manner == "forgetful":
            start = 0  # knows nothing of Range
        if start >= len(content):
            return self.answer(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
        rest = content[start:]
        ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        code, headers = (206, ranged) if start else (200, {})
        if manner in ("truncated", "forgetful") and len(self.server.requests) == 1:
            return self.answer(code, rest, sent=len(rest) // 3, **headers)
        if manner == "dribbling":
            return self.answer(code, rest, sent=min(len(rest), 300_000), **headers)
        if manner == "hanging" or (manner == "stalling" and len(self.server.requests) > CALM):
            return self.answer(code, rest, sent=1000, hang=True, **headers)
        return self.answer(code, rest, slow=manner == "slow", **headers)

    def answer(self, code, body, sent=None, slow=False, hang=False, **headers):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = body[:sent]
        for i in range(0, len(body), 100_000):
            self.wfile.write(body[i : i + 100_000])
            self.server.began.set()
            time.sleep(0.02 * slow)
        if hang:
            self.server.released.wait(10)
        self.close_connection = True

    def log_message(self, *_):
        pass


def hurry(monkeypatch):
    """Give up sooner than a reader's download does."""
    for name, value in {"PAUSE": 0, "TIMEOUT": 10, "ATTEMPTS": 3}.items():
        monkeypatch.setattr(transfer, name, value)


@contextlib.contextmanager
def serving(files):
    """Serve files at `server.url/MANNER/NAME`; `server.requests` lists the manners and ranges."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.requests, server.retry_after = files, [], None
        server.released, server.began = threading.Event(), threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
