"""Draw drawings/*.dot into images/*.svg, by Graphviz: ``python docs/make_drawings.py``.

The lines and letters have the colour of the text around them where a page holds the drawing itself,
and that of the reader's system where it is shown as a file.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

DOCS = Path(__file__).parent
LOOKS = {
    "-G": ["bgcolor=transparent"],
    "-N": ["shape=box", "style=rounded", "fontname=sans-serif", "fontsize=13", "margin=0.25,0.12"],
    "-E": ["fontname=sans-serif", "fontsize=12"],
}
STYLE = (
    "<style>.drawing { color: #111 }"
    " @media (prefers-color-scheme: dark) { .drawing { color: #eee } }</style>"
)


def draw(source: Path) -> str:
    """Give the SVG of a drawing.

    :raises subprocess.CalledProcessError: if Graphviz does not take it
    """
    looks = [flag + value for flag, values in LOOKS.items() for value in values]
    command = ["dot", "-Tsvg", *looks, str(source)]
    svg = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<!--.*?-->\n|<title>.*?</title>\n| (id|class)=\"[^\"]*\"", "", svg, flags=re.DOTALL
    )
    svg = svg.replace('="black"', '="currentColor"').replace('pt"', '"')
    svg = re.sub(r"<text ", '<text fill="currentColor" ', svg)
    return re.sub(r"(<svg )([^>]*>)", rf'\1class="drawing" \2\n{STYLE}', svg, count=1)


if __name__ == "__main__":
    for drawing in sorted((DOCS / "drawings").glob("*.dot")):
        target = DOCS / "images" / drawing.with_suffix(".svg").name
        target.write_text(draw(drawing), encoding="utf-8")
