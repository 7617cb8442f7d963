"""Python for the browser: the parts of the npm package `pyodide` that a page needs.

Pyodide is CPython compiled to WebAssembly (https://pyodide.org; Mozilla Public License 2.0).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "314.0.7"
# The integrity that npm states for this version: sha512 of the archive, in base64.
SHA512 = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
PARTS = ("pyodide.asm.wasm", "pyodide.asm.mjs", "python_stdlib.zip", "pyodide.mjs")
# Of the standard library, what the program does not import.
UNUSED = ("ensurepip/", "idlelib/", "lib2to3/", "pydoc_data/", "sqlite3/", "test/", "tkinter/",
          "turtledemo/", "unittest/", "venv/", "wsgiref/", "xml/", "xmlrpc/", "curses/", "dbm/",
          "email/", "http/", "multiprocessing/", "distutils/", "_pyrepl/", "asyncio/tools",
          "pydoc.py", "turtle.py", "doctest.py")


@dataclass(frozen=True)
class Pyodide:
    """The parts as text, gzipped and in base64, and the lock file without packages."""

    parts: dict[str, str]
    lock: str


def pyodide(archive: Path | None = None) -> Pyodide:
    """Pyodide from an archive of its npm package; without one, npm fetches it.

    Raises:
        RuntimeError: npm is not installed, or fails.
        ValueError: the archive is not that of this version.
    """
    if archive is not None:
        return _read(archive.read_bytes(), str(archive))
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            f"playground: the live page contains pyodide {VERSION}, which npm fetches, and npm is "
            "not installed. Install npm (on Debian: apt-get install npm), or run `npm pack "
            f"pyodide@{VERSION}` on another machine and pass its file: --pyodide "
            f"pyodide-{VERSION}.tgz")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([npm, "pack", "--silent", f"pyodide@{VERSION}"], cwd=folder,
                              capture_output=True, text=True)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or not archives:
            raise RuntimeError(f"playground: `npm pack pyodide@{VERSION}` failed:\n"
                               f"{done.stderr.strip() or done.stdout.strip()}")
        return _read(archives[0].read_bytes(), "what npm has fetched")


def _read(archive: bytes, name: str) -> Pyodide:
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != SHA512:
        raise ValueError(f"playground: {name} is not the npm package pyodide {VERSION}: its "
                         f"sha512 is {found}, not {SHA512}. `npm pack pyodide@{VERSION}` writes "
                         f"pyodide-{VERSION}.tgz")
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for part in (*PARTS, "pyodide-lock.json"):
            content = tar.extractfile(f"package/{part}")
            assert content is not None  # it is in the archive of this sha512
            files[part] = content.read()
    files["python_stdlib.zip"] = _without_unused(files["python_stdlib.zip"])
    lock = json.loads(files.pop("pyodide-lock.json"))
    return Pyodide({part: _gzipped(content) for part, content in files.items()},
                   json.dumps({**lock, "packages": {}}))


def _without_unused(library: bytes) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(library)) as given, \
            zipfile.ZipFile(kept, "w", zipfile.ZIP_STORED) as out:  # it is gzipped as a whole
        for entry in given.infolist():
            if not entry.filename.startswith(UNUSED):
                out.writestr(zipfile.ZipInfo(entry.filename), given.read(entry))
    return kept.getvalue()


def _gzipped(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
