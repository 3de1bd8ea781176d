"""Write the opening picture of each chapter: the stored output of its cell tagged `cover`."""

import base64
import json
import re
from pathlib import Path

CHAPTERS = Path(__file__).parent


def covers() -> dict[Path, bytes]:
    """Return the path and the PNG of every cover."""
    found = {}
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if "cover" in cell["metadata"].get("tags", []):
                html = "".join(cell["outputs"][-1]["data"]["text/html"])
                png = re.search(r"base64,([A-Za-z0-9+/=]+)", html)[1]
                found[CHAPTERS / "images" / f"{path.stem}.png"] = base64.b64decode(png)
    return found


if __name__ == "__main__":
    for path, png in covers().items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)
