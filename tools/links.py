"""Follow the links of the pages that lead to the web: `make links`, or `python -m tools.links A`.

It needs a network and says so if there is none. Tests do not call it on real addresses.
"""

import argparse
import http.client
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.notebooks import PageError, find, pages, read
from tools.rules import links

GONE = (404, 410)
BROWSER = {"User-Agent": "Mozilla/5.0 (a check of the links of a book)"}
NO_NETWORK = "unreachable"


def addresses(paths: list[Path]) -> dict[str, list[str]]:
    """Collect the addresses that pages link to.

    Args:
        paths: Notebooks.

    Returns:
        From each address, without what follows a `#`, to the places where it stands.
    """
    found = {}
    for path in paths:
        for cell, target in links(read(path)):
            if target.startswith(("http://", "https://")):
                found.setdefault(target.partition("#")[0], []).append(f"{path.name}, {cell}")
    return found


def follow(address: str, *, seconds: float = 20) -> str:
    """Ask for a page and say what came.

    Args:
        address: Where it is.
        seconds: How long to wait for an answer.

    Returns:
        "ok"; "moved to ..." if the answer came from another address; "gone (404)"; "refused (403)"
        for every other refusal, which often only means that programs are not welcome; or
        "unreachable: ..." if nobody answered.
    """
    try:
        request = urllib.request.Request(address, headers=BROWSER)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            moved = answer.url.rstrip("/") != address.rstrip("/")
            return f"moved to {answer.url}" if moved else "ok"
    except urllib.error.HTTPError as error:
        return f"{'gone' if error.code in GONE else 'refused'} ({error.code})"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{NO_NETWORK}: {getattr(error, 'reason', error)}"


def main(arguments: list[str]) -> int:
    """Print what is wrong: return 0 if nothing is, 1 if a link is dead, 2 without a network."""
    parser = argparse.ArgumentParser(prog="python -m tools.links", description=__doc__)
    parser.add_argument("pages", nargs="*", help="05, 05_fcn, a path; all if none is given")
    given = parser.parse_args(arguments)
    try:
        found = addresses([find(page) for page in given.pages] or pages())
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(found, pool.map(follow, found), strict=True))
    if found and all(answer.startswith(NO_NETWORK) for answer in answers.values()):
        print(f"There is no network: none of {len(found)} links could be followed.")
        return 2
    for address, answer in answers.items():
        if answer != "ok":
            print(f"{answer}\n  {address}\n  in {'; '.join(found[address])}")
    dead = [answer for answer in answers.values() if answer.startswith(("gone", NO_NETWORK))]
    print(f"{len(found)} links: {list(answers.values()).count('ok')} ok, {len(dead)} dead")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
