"""A headless Chromium over its own pipe, with nothing but the standard library.

The DevTools protocol goes over two descriptors as JSON texts that end with a zero byte; no port is
opened, and name resolution is turned off, so the browser reaches nobody.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WAIT_S = 60.0

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)

# The browser wants descriptors 3 and 4; this puts them there and becomes the browser.
BECOME = """
import os, sys
reads, writes = int(sys.argv[1]), int(sys.argv[2])
os.dup2(reads, 13); os.dup2(writes, 14); os.dup2(13, 3); os.dup2(14, 4)
os.set_inheritable(3, True); os.set_inheritable(4, True)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    """The path of a Chromium; None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@attrs.define
class Page:
    """What the browser saw of one page."""

    _pipe: "_Pipe"
    _session: str
    requests: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol."""
        return self._pipe.ask(method, self._session, params, self)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @staticmethod
    def prefers(theme: str) -> list[dict[str, str]]:
        """The features of the medium, for a user of that theme."""
        return [{"name": "prefers-color-scheme", "value": theme}]

    def picture(self, path: Path) -> None:
        """What all of it looks like, as PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": size["height"]}
        answer = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def see(self, event: dict[str, Any]) -> None:
        """Take note of what the browser tells by itself."""
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.complaints.append(json.dumps(params["args"])[:2000])
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(params["entry"]["text"])
            case _:
                pass


class _Pipe:
    """Commands and answers by number; events go to the page."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._rest = b""
        self._number = 0

    def ask(
        self, method: str, session: str, params: dict[str, Any], page: Page | None = None
    ) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            if page is not None:
                page.see(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._reads, 1 << 20)
            assert more, "the browser has gone"
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))


@attrs.frozen
class Browser:
    """A browser that runs."""

    _pipe: _Pipe

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, theme: str = "light"
    ) -> Page:
        """A page from the disk, loaded and drawn, without any network.

        Args:
            path: of the file.
            width: of the window, in CSS pixels; below 500 it is a phone.
            height: the same.
            theme: what the user's system prefers.
        """
        target = self._pipe.ask("Target.createTarget", "", {"url": "about:blank"})["targetId"]
        attached = self._pipe.ask(
            "Target.attachToTarget", "", {"targetId": target, "flatten": True}
        )
        page = Page(self._pipe, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.ask(f"{domain}.enable")
        page.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 500 else 1,
            mobile=width < 500,
        )
        page.ask(
            "Emulation.setEmulatedMedia",
            features=page.prefers(theme),
        )
        page.ask("Page.navigate", url=path.as_uri())
        page.evaluate(
            "new Promise(done => { const look = () => document.readyState === 'complete' &&"
            " location.protocol === 'file:' ? setTimeout(done, 150) : setTimeout(look, 20);"
            " look(); })"
        )
        return page


@contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    """A browser that ends with the block, whatever happens in it."""
    to_child, writes = os.pipe()
    reads, from_child = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        command = [sys.executable, "-c", BECOME, str(to_child), str(from_child), path, *FLAGS]
        child = subprocess.Popen(
            [*command, f"--user-data-dir={home}"],
            pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        try:
            yield Browser(_Pipe(reads, writes))
        finally:
            os.close(writes)
            os.close(reads)
            child.terminate()
            try:
                child.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
