"""The built site in a browser: `make site-test`. Skipped where Chromium or the site is missing."""

import functools
import gzip
import http.server
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="`make site-test` installs it")

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build/site"
AXE = ROOT / "build/npm/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and "_downloads" not in path.parts
)
# Each theme: how wide the window is when a page opens, and what it is drawn to then.
SCREENS = [("light", 1280, 390), ("dark", 390, 1280)]
LARGEST = 3_000_000  # bytes of a page and all that it loads, compressed as servers send them
MATH_IS_SET = "() => !document.querySelector('.math') || document.querySelector('mjx-container')"
LINKS = "() => [...document.querySelectorAll('a[href]')].map(a => a.href)"
BROKEN = "() => [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
IDS = "() => [...document.querySelectorAll('[id]')].map(e => e.id)"
WIDER = "() => document.documentElement.scrollWidth - window.innerWidth"
SERIOUS = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .filter(fault => ["serious", "critical"].includes(fault.impact))
    .map(fault => fault.id + ": " + fault.nodes.slice(0, 3).map(n => n.html).join(" | "))"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not PAGES, reason="the site is not built: `make site`"),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve the site below the folder that GitHub's pages give it."""

    def log_message(self, *_):
        pass

    def translate_path(self, path):
        return super().translate_path(path.removeprefix(f"/{prefix()}"))


def prefix():
    """Return the folder that the 404 page names, as `REPOSITORY`."""
    return (SITE / "404.html").read_text(encoding="utf-8").partition('href="/')[2].partition("/")[0]


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{prefix()}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def anchors():
    """Collect what each page links to, and the anchors that it has."""
    return {"links": {}, "ids": {}}


def look(browser, address, theme, widths):
    """Open a page, draw the window to another width, and say what is wrong and what it asks for."""
    complaints, requests = [], set()
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    page.set_viewport_size({"width": widths[0], "height": 900})
    page.on("request", lambda request: requests.add(request.url))
    page.on(
        "console", lambda said: said.type in ("error", "warning") and complaints.append(said.text)
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.wait_for_function(MATH_IS_SET)
    page.add_script_tag(path=AXE)
    complaints += [f"{theme}, {widths[0]} pixels: {fault}" for fault in page.evaluate(SERIOUS)]
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate(WIDER) > 0:
            complaints.append(f"at {width} pixels, it scrolls sideways by {page.evaluate(WIDER)}")
    complaints += [f"picture is missing: {source}" for source in page.evaluate(BROKEN)]
    links, ids = page.evaluate(LINKS), page.evaluate(IDS)
    context.close()
    return complaints, requests, links, ids


@pytest.mark.parametrize("name", PAGES)
def test_page_reads_well(browser, address, anchors, name):
    complaints, requests = [], set()
    for theme, *widths in SCREENS:
        found, asked, links, ids = look(browser, address + name, theme, widths)
        complaints += found
        requests |= asked
        anchors["links"][name], anchors["ids"][name] = links, ids
    own = (address, "data:", "blob:")
    complaints += [f"asks a foreign host: {url}" for url in requests if not url.startswith(own)]
    assert not complaints, "\n".join(complaints)
    assert sum(_size(url, address) for url in requests) < LARGEST


def test_links_and_anchors_lead_somewhere(address, anchors):
    assert set(anchors["links"]) == set(PAGES), "every page is opened first"
    broken = []
    for page, links in anchors["links"].items():
        for link in {urljoin(address + page, link) for link in links}:
            url, fragment = urldefrag(link)
            if not url.startswith(address):
                continue
            target = _file(url, address)
            name = str(target.relative_to(SITE))
            if not target.is_file() or (fragment and unquote(fragment) not in anchors["ids"][name]):
                broken.append((page, link))
    assert broken == []


def test_search_finds_a_chapter(browser, address):
    page = browser.new_page()
    page.goto(f"{address}search.html?q=atrous")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results a", has_text="Atrous").count() > 0


def _file(url, address):
    path = SITE / unquote(urlsplit(url).path.removeprefix(urlsplit(address).path))
    return path / "index.html" if path.is_dir() else path


def _size(url, address):
    return _compressed(_file(url, address)) if url.startswith(address) else 0


@functools.cache
def _compressed(file):
    return len(gzip.compress(file.read_bytes()))
