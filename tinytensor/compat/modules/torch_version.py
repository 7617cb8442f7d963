"""`torch.torch_version`: the version of PyTorch whose names and numbers tinytensor has."""

from __future__ import annotations

import re
from typing import Any

RELEASE = "2.13.0"


class TorchVersion(str):
    """A version that compares by its numbers: "2.13.0" > "2.9". Its local tag does not count."""

    __slots__ = ()

    @staticmethod
    def release(version: Any) -> tuple[int, ...]:
        """The numbers of a version given as text, a tuple or another version object."""
        if isinstance(version, tuple):
            return tuple(map(int, version))
        numbers = re.findall(r"\d+", re.split(r"[+a-z]", str(version))[0])
        while numbers and numbers[-1] == "0":
            numbers.pop()  # 2.13.0 is 2.13
        return tuple(map(int, numbers))

    def __lt__(self, other: Any) -> bool:
        return self.release(self) < self.release(other)

    def __le__(self, other: Any) -> bool:
        return self.release(self) <= self.release(other)

    def __gt__(self, other: Any) -> bool:
        return self.release(self) > self.release(other)

    def __ge__(self, other: Any) -> bool:
        return self.release(self) >= self.release(other)


__version__ = TorchVersion(f"{RELEASE}+tinytensor")
