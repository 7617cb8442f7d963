"""A browser for tests: Chromium, driven by its DevTools protocol through a pipe.

Only the standard library is needed. The browser has no network: its requests are refused, and
listed in `Tab.requests`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "needs Chromium: apt-get install chromium"
KEYS = {  # name: (key, code, virtual key code)
    "ArrowRight": 39, "ArrowLeft": 37, "ArrowUp": 38, "ArrowDown": 40, "Home": 36, "End": 35,
    "Enter": 13, "Escape": 27, "Tab": 9,
}
SECONDS = 60


def program() -> str | None:
    """The path of a Chromium, or None; None on Windows, which has no `posix_spawn`."""
    if not hasattr(os, "posix_spawn"):
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running Chromium without windows."""

    def __init__(self) -> None:
        import fcntl  # not on Windows

        self.folder = tempfile.mkdtemp()
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                 "--no-first-run", "--disable-extensions", "--disable-background-networking",
                 "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
                 f"--user-data-dir={self.folder}"]
        # The browser reads commands from descriptor 3 and writes answers to descriptor 4.
        moved = [fcntl.fcntl(end, fcntl.F_DUPFD, 5) for end in (commands, answers)]
        nowhere = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (1, 2)]
        self.process = os.posix_spawn(
            str(program()), [str(program()), *flags], os.environ,
            file_actions=[*nowhere, *((os.POSIX_SPAWN_DUP2, end, n)
                                      for end, n in zip(moved, (3, 4), strict=True))])
        for end in (commands, answers, *moved):
            os.close(end)
        self._count = 0
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of a command; events that come before it are kept."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, address: str, width: int = 1400, height: int = 800, dark: bool = False) -> Tab:
        """A tab in which the page has been loaded."""
        target = self.call("Target.createTarget", url="about:blank")
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = Tab(self, session["sessionId"], target["targetId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.call(f"{domain}.enable")
        tab.call("Network.emulateNetworkConditions", offline=True, latency=0,
                 downloadThroughput=0, uploadThroughput=0)
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)
        tab.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        tab.call("Page.navigate", url=address)
        deadline = time.monotonic() + SECONDS
        while not tab.run("location.href !== 'about:blank' && document.readyState === 'complete'"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} does not load")
        return tab

    def close(self) -> None:
        """Ends the browser."""
        with contextlib.suppress(RuntimeError, OSError, TimeoutError):
            self.call("Browser.close")
        deadline = time.monotonic() + 10
        while os.waitpid(self.process, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.process, signal.SIGKILL)
            time.sleep(0.02)
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self.folder, ignore_errors=True)


class Tab:
    """One page in the browser."""

    def __init__(self, browser: Browser, session: str, target: str):
        self.browser, self.session, self.target = browser, session, target

    def call(self, method: str, **parameters: Any) -> Any:
        return self.browser.call(method, self.session, **parameters)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression.

        Raises:
            RuntimeError: the expression throws.
        """
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Presses and releases keys: "ArrowRight", "c", "Shift+Tab"."""
        for key in keys:
            shift, _, name = key.rpartition("+") if len(key) > 1 else ("", "", key)
            modifiers = 8 if shift else 0
            given: dict[str, Any] = {"key": name, "modifiers": modifiers,
                                     "windowsVirtualKeyCode": KEYS.get(name, ord(name[-1].upper()))}
            text = "\r" if name == "Enter" else name if len(name) == 1 else ""
            down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
            self.call("Input.dispatchKeyEvent", **down, **given)
            self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Types a text into the focused field."""
        self.call("Input.insertText", text=text)

    def picture(self, path: str | Path) -> None:
        """Writes a PNG of the page."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    @property
    def requests(self) -> list[str]:
        """The addresses that the page has asked for, itself not among them."""
        sent = [event["params"] for event in self.browser.events
                if event.get("sessionId") == self.session
                and event["method"] == "Network.requestWillBeSent"]
        return [p["request"]["url"] for p in sent if p.get("type") != "Document"]

    @property
    def errors(self) -> list[str]:
        """What the page has thrown, and what the console says of errors."""
        own = [event for event in self.browser.events if event.get("sessionId") == self.session]
        thrown = [e["params"]["exceptionDetails"] for e in own
                  if e["method"] == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"]["text"] for e in own if e["method"] == "Log.entryAdded"]
        return [t.get("exception", {}).get("description", t["text"]) for t in thrown] + logged

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)
