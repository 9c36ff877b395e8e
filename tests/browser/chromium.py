"""Headless Chromium, asked over a pipe (``--remote-debugging-pipe``): no library, no port, no network."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60
"""Seconds that an answer may take; on a busy machine a first page takes several."""

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip


def found() -> str | None:
    """The browser on this machine, if it has one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """One browser with one page in it."""

    def __init__(self, program: str, profile: Path):
        read_here, written_there = os.pipe()
        read_there, self._write = os.pipe()
        # The browser reads from its descriptor 3 and writes to its 4; bash gives it those.
        moved = f'exec "$@" 3<&{read_there} 4>&{written_there}'
        command = ["bash", "-c", moved, "bash", program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            command,
            pass_fds=(read_there, written_there),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(written_there)
        self._read, self._rest, self._number, self._session = read_here, b"", 0, ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        (page,) = [target["targetId"] for target in targets if target["type"] == "page"][:1]
        self._session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def close(self) -> None:
        """End the browser."""
        try:
            self._session = ""
            self.ask("Browser.close")
        except (OSError, AssertionError):
            self._process.kill()
        self._process.wait(timeout=20)
        os.close(self._read)
        os.close(self._write)

    def ask(self, method: str, **parameters: Any) -> Any:
        """What the browser answers to one command of its protocol."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._next(until, method)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _next(self, until: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
            assert ready, f"{method}: the browser gave no answer in {PATIENCE} s"
            more = os.read(self._read, 1 << 20)
            assert more, f"{method}: the browser ended"
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        self._heard(message)
        return message

    def _heard(self, message: dict[str, Any]) -> None:
        told, what = message.get("params", {}), message.get("method")
        if what == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif what == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(told["args"]))
        elif what == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(told["entry"]))
        elif what == "Network.requestWillBeSent" and not told["request"]["url"].startswith(("data:", "blob:")):
            self.requests.append(told["request"]["url"])

    def run(self, script: str) -> Any:
        """The value of an expression of the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, (script, answer["exceptionDetails"])
        return answer["result"].get("value")

    def load(self, page: Path, *, width: int = 1280, dark: bool = False, anchor: str = "") -> None:
        """Open a file, at a width and in a colour scheme, and wait until its figures are drawn."""
        self.complaints.clear()
        self.requests.clear()
        self.size(width)
        self.scheme(dark)
        # A page that differs from the last one by its anchor only would not be loaded anew.
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=page.as_uri() + anchor)
        until = time.monotonic() + PATIENCE
        while not self.run("location.href !== 'about:blank' && document.readyState === 'complete' && !!window.drawn"):
            assert time.monotonic() < until, f"{page}: not loaded; {self.complaints}"
            time.sleep(0.02)
        self.run("window.drawn")

    def size(self, width: int) -> None:
        """How wide the window is; a narrow one is a telephone's."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)

    def settled(self) -> None:
        """Wait until what the page draws anew, after a change, is drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.run("window.drawn")

    def scheme(self, dark: bool) -> None:
        """Light or dark; what the page shows is drawn anew."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="", features=[feature])

    def media(self, kind: str) -> None:
        """``print``, or empty for the screen again."""
        self.ask("Emulation.setEmulatedMedia", media=kind)

    def until(self, condition: str) -> bool:
        """Whether an expression of the page comes true in time."""
        until = time.monotonic() + 10
        while not self.run(condition):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def pointer(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse: ``mouseMoved``, ``mousePressed``, ``mouseReleased``."""
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, **more)

    def screenshot(self, file: Path) -> None:
        """The whole page as a picture."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16_000), "scale": 1}
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
