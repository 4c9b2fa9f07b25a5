"""A page that needs nothing but itself: one file of HTML with its style and its pictures inside."""

from __future__ import annotations

from html import escape

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 84rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1rem; margin-bottom: .3rem; } p { max-width: 48rem; }
table { border-collapse: collapse; font-size: 13px; margin: .6rem 0; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .number, td:first-child { white-space: nowrap; }
th { text-align: left; border-bottom: 1px solid #888; } td, th { padding: .15rem .6rem .15rem 0; vertical-align: top; }
tr:nth-child(even) td { background: #f7f7f7; }
svg.figure { width: 100%; max-width: 44rem; height: auto; display: block; margin: .6rem 0; }
.pair { display: flex; gap: 1rem; flex-wrap: wrap; align-items: flex-end; } .pair figure { margin: 0; }
figcaption { font-size: 12px; color: #444; max-width: 20rem; overflow-wrap: anywhere; }
.pass { color: #00694b; } .warn { color: #8a5a00; } .fail { color: #a63a00; font-weight: 600; }
code { font-size: 12px; }
"""


def page(title: str, body: str) -> str:
    """Return a whole HTML document; it loads nothing from anywhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n"
        "</body></html>\n"
    )


def heading(title: str, *paragraphs: str) -> str:
    """Return a heading with paragraphs of plain text under it."""
    return f"<h2>{escape(title)}</h2>" + "".join(f"<p>{escape(text)}</p>" for text in paragraphs if text)
