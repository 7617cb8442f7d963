"""What a check of the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Finding:
    """What is wrong, in what order to look at it, and what to do.

    name     the kind of the finding
    what     what was found, in one sentence
    seen     the number that was seen
    normal   what it usually is
    advice   what to do
    final    whether later checks would only repeat it
    """

    name: str
    what: str
    seen: str
    normal: str
    advice: str
    final: bool = False

    def __str__(self) -> str:
        return (f"{self.name}: {self.what}\n   seen    {self.seen}\n   normal  {self.normal}\n"
                f"   do      {self.advice}")


def listed(names: list[str]) -> str:
    """Up to three names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
