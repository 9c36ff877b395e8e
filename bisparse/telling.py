"""How far a study is, told to whoever calls from Python: in the log ``bisparse``, and by a bar in a notebook with tqdm.

``logging.basicConfig(level="INFO")`` shows the log.
"""

from __future__ import annotations

import logging
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

log = logging.getLogger("bisparse")

_SECONDS_BETWEEN = 5.0
"""Between two lines of the log on one task; its end is logged in any case."""


class Telling:
    """Called with what is done, parts done and parts in all."""

    def __init__(self, what: str) -> None:
        """Of a study.

        Args:
            what: is under way, as the log says it.
        """
        self._what, self._last, self._bar = what, 0.0, None if not _notebook() else _new_bar(what)

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, task: str, done: int, of: int) -> None:
        """Tell that ``done`` of so many parts are done."""
        if self._bar is not None:
            self._bar.total = of
            self._bar.n = done
            self._bar.set_postfix_str(task)
        now = time.monotonic()
        if done >= of or now - self._last >= _SECONDS_BETWEEN:
            self._last = now
            log.info("%s: %s of %s, %s", self._what, f"{done:,}", f"{of:,}", task)


def _notebook() -> bool:
    return "ipykernel" in sys.modules and find_spec("tqdm") is not None


def _new_bar(what: str) -> Any:
    return import_module("tqdm.auto").tqdm(desc=what)
