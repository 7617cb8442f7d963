"""`torch.hub`: weights by URL, kept in a folder. Code is not downloaded.

`load_state_dict_from_url` reads the file as `load` does: nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from ...tensors.files import load as load_file
from ...tensors.replacing import destination

try:
    from tqdm.auto import tqdm
except ImportError:
    class tqdm:  # type: ignore[no-redef]  # noqa: N801 - the name of the package
        """A progress bar that shows nothing: the package tqdm is not installed."""

        def __init__(self, iterable: Any = (), **options: Any):
            self.iterable = iterable

        def __iter__(self) -> Iterator[Any]:
            return iter(self.iterable)

        def __enter__(self) -> tqdm:
            return self

        def __exit__(self, *exception: object) -> None:
            pass

        def update(self, n: float = 1) -> None:
            """Has no effect."""

        def close(self) -> None:
            """Has no effect."""


HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_folder: str | None = None


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder of downloads: $TORCH_HOME/hub, by default ~/.cache/torch/hub."""
    return _folder or os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Sets the folder of downloads."""
    global _folder
    _folder = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None,
                         progress: bool = True) -> None:
    """Downloads a file, which replaces an earlier one only if it has arrived completely.

    Raises:
        RuntimeError: its SHA256 does not begin with `hash_prefix`.
        OSError: it cannot be downloaded or written.
    """
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "tinytensor.hub"})
    with urllib.request.urlopen(request) as source, destination(os.fspath(dst)) as file:
        length = source.headers.get("Content-Length")
        with tqdm(total=length and int(length), disable=not progress, unit="B", unit_scale=True,
                  unit_divisor=1024) as bar:
            while block := source.read(1 << 20):
                file.write(block)
                digest.update(block)
                bar.update(len(block))
        if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
            raise RuntimeError(f"download_url_to_file: {url} has the SHA256 {digest.hexdigest()}, "
                               f"which does not begin with {hash_prefix}")


def load_state_dict_from_url(url: str, model_dir: str | None = None, map_location: Any = None,
                             progress: bool = True, check_hash: bool = False,
                             file_name: str | None = None, weights_only: bool = True) -> Any:
    """The state_dict of a URL, downloaded once into `model_dir`, by default get_dir()/checkpoints.

    With `check_hash` the name of the file holds the beginning of its SHA256, as in
    "resnet18-f37072fd.pth".

    Raises:
        OSError: it cannot be downloaded or written.
        RuntimeError: as `download_url_to_file` and `load`.
    """
    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        match = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, match.group(1) if match else None, progress)
    return load_file(path, map_location)


def _local_entries(repo_or_dir: str, source: str) -> Any:
    if source != "local":
        raise RuntimeError(f"hub: {repo_or_dir} would be downloaded and executed; clone the "
                           'repository, read it, and give its folder with source="local"')
    sys.path.insert(0, repo_or_dir)
    try:
        sys.modules.pop("hubconf", None)
        return importlib.import_module("hubconf")
    finally:
        sys.path.remove(repo_or_dir)


def load(repo_or_dir: str, model: str, *args: Any, source: str = "github",
         trust_repo: Any = None, force_reload: bool = False, verbose: bool = True,
         skip_validation: bool = False, **kwargs: Any) -> Any:
    """model(*args, **kwargs) of the file hubconf.py in a folder, with source="local".

    Raises:
        RuntimeError: another source: code from the network is not run.
    """
    return getattr(_local_entries(repo_or_dir, source), model)(*args, **kwargs)


def list(github: str, source: str = "github", **options: Any) -> Any:
    """The names of the models in the file hubconf.py of a folder; as `load`."""
    entries = _local_entries(github, source)
    return [name for name, value in vars(entries).items()
            if callable(value) and not name.startswith("_")]
