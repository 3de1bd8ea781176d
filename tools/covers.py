"""Write the opening picture of each chapter: `make derived`, or `python -m tools.covers`.

It is the figure that the cell tagged `cover` has stored.
"""

import base64
import re
from pathlib import Path

from tools.notebooks import CHAPTERS, read


def covers() -> dict[Path, bytes]:
    """Return the path and the PNG of every cover."""
    found = {}
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        for cell in read(path).cells:
            if "cover" in cell.metadata.get("tags", []):
                figure = next(out for out in cell.outputs if out.output_type == "display_data")
                png = re.search(r"base64,([A-Za-z0-9+/=]+)", figure.data["text/html"])[1]
                found[CHAPTERS / "images" / f"{path.stem}.png"] = base64.b64decode(png)
    return found


if __name__ == "__main__":
    for path, png in covers().items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)
