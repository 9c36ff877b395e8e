"""What the site does to pages that are read in the repository too: links out of docs/ become names of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)(?:#[^)]*)?\)", re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """A page as it stands on the site."""
    here = Path(page.file.abs_src_path).parent
    if page.file.src_path.startswith("reference/"):
        # Tables of seven columns need the room.
        page.meta["hide"] = ["toc"]

    def named(link: re.Match[str]) -> str:
        file = (here / link[2]).resolve()
        if not file.is_relative_to(ROOT) or file.is_relative_to(ROOT / "docs"):
            return link[0]
        if not file.exists():
            raise FileNotFoundError(f"{page.file.src_path}: a link to {link[2]}, which is not there")
        # The name alone, where the link's text is the name.
        path = f"`{file.relative_to(ROOT).as_posix()}`"
        return path if link[1].strip("`/") in path else f"{link[1]} ({path})"

    return OUTSIDE.sub(named, markdown)
