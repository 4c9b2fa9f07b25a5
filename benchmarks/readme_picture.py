"""The picture in the README: what `make annotate` prints, as SVG.

python benchmarks/readme_picture.py docs/annotate.svg
"""

from __future__ import annotations

import io
import re
import sys
from itertools import islice
from pathlib import Path

from rich.console import Console

from diptych import JointEmbedding, annotate
from diptych.annotation.shipped import shipped_example, shipped_library
from diptych.cli.annotate import _table

N_ROWS, WIDTH = 16, 84


def main() -> None:
    """Annotate the shipped example and draw the first rows."""
    model = JointEmbedding.load()
    annotations = list(islice(annotate(shipped_example(), shipped_library(model), model=model, rerank=50), N_ROWS))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(_table(annotations, width=WIDTH))
    picture = console.export_svg(title="diptych annotate example.mgf --rerank 50")
    without_web_fonts = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.S)
    Path(sys.argv[1]).write_text(without_web_fonts, encoding="utf-8")


if __name__ == "__main__":
    main()
