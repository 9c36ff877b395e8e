"""HTML that needs no network: a template filled in, and plotly's own JavaScript joined to it.

Jinja2 renders the words and tables; the library, which lies beside the templates, draws, in the reader's browser,
figures that travel as data. It is plotly.js's smallest bundle, bars and scatters: ``plotly_js/ORIGIN.md``.
"""

from __future__ import annotations

import json
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parents[1] / "templates"
LIBRARY = Path(__file__).parents[1] / "plotly_js" / "plotly-basic.min.js"


def render(template: str, **values: Any) -> bytes:
    """A page as UTF-8 HTML.

    Args:
        template: its file among the templates.
        **values: what it names, besides the mark of the library.
    """
    # No name out of a file can be the mark, which is another each time.
    mark = f"/*plotly {secrets.token_hex(16)}*/"
    html = _environment().get_template(template).render(plotly_mark=mark, **values)
    # The library is more than a megabyte: joined as bytes, not passed through the template.
    before, after = html.split(mark)
    return b"".join((before.encode(), plotly_library(), after.encode()))


def figures_json(figures: Any) -> str:
    """Figures for the page's script: of markup, which plotly would show, no more than figures of ours are made of.

    Names are escaped where a figure is made, by ``plain``; here nothing is let through that could be a link. Fractions
    have the digits that an eye can follow.

    >>> json.loads(figures_json({"name": "<b>x</b><a href='http://evil.example'>y</a>"}))["name"]
    "<b>x</b>&lt;a href='http://evil.example'>y&lt;/a>"
    """

    def harmless(value: Any) -> Any:
        if isinstance(value, str):
            return _OTHER_TAGS.sub("&lt;", value) if "<" in value else value
        if isinstance(value, float):
            return rounded(value)
        if isinstance(value, dict):
            return {name: harmless(each) for name, each in value.items()}
        return [harmless(each) for each in value] if isinstance(value, list | tuple) else value

    return script_json(harmless(figures))


_OTHER_TAGS = re.compile(r"<(?!/?(?:b|br|i|extra)>)")
"""What opens a tag that no figure of ours has."""


def rounded(value: float) -> float:
    """A fraction to seven digits, which no figure or table of a page has more of.

    >>> rounded(143.98022732473873)
    143.9802
    """
    return float(f"{value:.7g}")


def script_json(value: Any) -> str:
    """Plain data for a script element."""
    # What ends the element, or begins a comment in it, begins with "<".
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c")


@cache
def _environment() -> Any:
    # Imported here: a run that writes no page does not wait for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def plotly_library() -> bytes:
    """Plotly's JavaScript."""
    return LIBRARY.read_bytes()
