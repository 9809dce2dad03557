"""A headless Chromium that a test opens pages in, by the DevTools protocol over pipes: nothing listens on a port."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_SECONDS = 60


def program() -> str | None:
    """Return the path of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page; `messages` are the errors and warnings of its console, and what it could not load."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.messages: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """Return the answer to a command of the protocol."""
        return self._browser.call(method, self._session, self.take, **parameters)

    def take(self, event: dict[str, Any]) -> None:
        method, found = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded":
            self.messages.append(found["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(found["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.messages.append(str(found["args"]))
        elif method == "Network.loadingFailed":
            self.messages.append(f"not loaded: {found['errorText']}")

    def open(self, address: str, width: int = 1200, height: int = 900, *, dark: bool = False) -> None:
        """Open an address in a window of that size, and wait for it."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        end = time.monotonic() + _SECONDS
        while self.run("document.readyState") != "complete" or self.run("location.href") == "about:blank":
            assert time.monotonic() < end, "the page does not load"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """Return the value of a script."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key and release it."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            code = {"Tab": 9, "Enter": 13, " ": 32}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def picture(self, file: Path) -> None:
        """Write a picture of the whole page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")["data"]
        file.write_bytes(base64.b64decode(data))


class Browser:
    """A browser process, with its two pipes."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self._process = process
        self._send = send
        self._receive = receive
        self._number = 0
        self._text = b""

    def page(self) -> Page:
        """Return a new, empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session)

    def call(self, method: str, session: str = "", take: Any = lambda event: None, **parameters: Any) -> Any:
        """Return the answer to a command; events that come before it are given to `take`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self._send, text) :]
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            take(found)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._text:
            ready, _, _ = select.select([self._receive], [], [], _SECONDS)
            assert ready, "the browser does not answer"
            piece = os.read(self._receive, 1 << 16)
            assert piece, f"the browser has ended ({self._process.poll()})"
            self._text += piece
        first, _, self._text = self._text.partition(b"\0")
        return json.loads(first)


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser whose files are in the folder, and end it after the block."""
    command = program()
    assert command
    theirs, ours = os.pipe(), os.pipe()

    def pipes() -> None:
        # The protocol's numbers.
        copies = os.dup(theirs[0]), os.dup(ours[1])
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)

    process = subprocess.Popen(
        [command, *_FLAGS, f"--user-data-dir={folder}"],
        preexec_fn=pipes,  # noqa: PLW1509 - no other thread is running
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    os.close(theirs[0])
    os.close(ours[1])
    try:
        yield Browser(process, theirs[1], ours[0])
    finally:
        process.terminate()
        process.wait(_SECONDS)
        os.close(theirs[1])
        os.close(ours[0])
