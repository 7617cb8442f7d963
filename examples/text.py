"""What the sequence examples share: a text, its characters as numbers, and drawing the next one."""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tinytensor as tt
from tinytensor.nn import functional

# The default text: modules of Python's standard library, which every reader has, in a fixed order.
MODULES = (
    "argparse", "copy", "csv", "dataclasses", "enum", "fractions", "functools", "random", "shutil",
    "statistics", "string", "tempfile", "threading", "contextlib", "difflib", "inspect", "logging",
    "subprocess", "typing", "unittest.case", "calendar", "heapq", "json.decoder", "textwrap")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which text to learn, and how to write one afterwards."""
    parser.add_argument("--text", metavar="FILE", help="default: the source of Python's library")
    parser.add_argument("--characters", type=int, default=1_000_000,
                        help="of the text, at most; default: a million")
    parser.add_argument("--prompt", help="how the written text begins; default: 'def ', or as the "
                                         "text of --text does")
    parser.add_argument("--length", type=int, default=400, help="of what is written; default: 400")
    parser.add_argument("--temperature", type=float, default=0.8,
                        help="below 1 what is likely gets likelier; default: 0.8")
    parser.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest only")
    parser.add_argument("--top-p", type=float, metavar="P",
                        help="draw from the likeliest only that reach the probability P together")


@dataclass
class Task:
    """What the options of `arguments` ask for."""

    tokenizer: CharTokenizer
    train: Any  # indices of characters (L): what is learnt from
    held_out: Any  # the last tenth of the text, which training never sees
    prompt: Any  # indices (1, P)
    restrictions: dict[str, Any]  # for `choose`


def prepare(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Task:
    """Reads and encodes the text, and ends the program if an option of `arguments` is wrong."""
    restrictions = {"temperature": given.temperature, "top_k": given.top_k, "top_p": given.top_p}
    try:
        text = load(given.text, 20_000 if given.smoke else given.characters)
        tokenizer = CharTokenizer(text)
        prompt = given.prompt or ("def " if given.text is None else text[:10])
        start = tt.tensor([tokenizer.encode(prompt)], device=given.device)
        restrict(tt.zeros(1, len(tokenizer)), **restrictions)
    except (OSError, ValueError) as problem:
        parser.error(str(problem))
    if given.length < 1:
        parser.error("--length must be at least 1")
    ids = tt.tensor(tokenizer.encode(text), device=given.device)
    cut = 9 * len(ids) // 10
    return Task(tokenizer, ids[:cut], ids[cut:], start, restrictions)


def load(path: str | None, characters: int) -> str:
    """At most so many characters of a UTF-8 file; without one, of the source of MODULES.

    The default text is ASCII: the few other characters are left out, which keeps the vocabulary
    small. It differs a little from one version of Python to the next.

    Raises:
        OSError, ValueError: a file that cannot be read, is not UTF-8, or has no characters.
    """
    if path is None:
        text = "\n".join(filter(None, map(_source, MODULES))).encode("ascii", "ignore").decode()
    else:
        text = Path(path).read_text(encoding="utf-8")
    if not text[:max(characters, 0)]:
        raise ValueError(f"there are no characters to learn from in "
                         f"{path or 'the default text'}[:{characters}]")
    return text[:characters]


def _source(module: str) -> str | None:
    found = importlib.util.find_spec(module)
    loader: Any = found.loader if found else None
    return loader.get_source(module) if hasattr(loader, "get_source") else None


class CharTokenizer:
    """Characters as numbers and back: each kind of character in the text has an index."""

    def __init__(self, text: Iterable[str]) -> None:
        self.characters = sorted(set(text))
        self._index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """The index of each character. Raises ValueError where the vocabulary lacks one."""
        unknown = sorted(set(text) - self._index.keys())
        if unknown:
            raise ValueError(f"encode: the text that the vocabulary was made from has no "
                             f"{', '.join(map(repr, unknown))}")
        return [self._index[c] for c in text]

    def decode(self, indices: Iterable[int]) -> str:
        return "".join(self.characters[i] for i in indices)


def recent_loss(run: Any) -> float:
    """The mean loss of a run's last steps, at most a hundred."""
    losses = [row["loss"] for row in run.rows()[-100:]]
    return sum(losses) / len(losses)


def report(losses: dict[str, float]) -> None:
    """Prints losses in both units."""
    for name, nats in losses.items():
        print(f"{name}: {nats:.3f} nats, {nats / math.log(2):.3f} bits a character")


# ---------------------------------------------------------------- drawing the next character


def restrict(logits: Any, temperature: float = 1.0, top_k: int | None = None,
             top_p: float | None = None) -> Any:
    """The logits to draw from: sharper or flatter, and -inf for what must not be drawn.

    temperature  divides the logits: below 1 the likely gets likelier still.
    top_k        leaves the k likeliest (Fan et al. 2018).
    top_p        leaves the fewest likeliest whose probabilities reach p in sum, computed after
                 the other two (Holtzman et al. 2020, "nucleus").

    Of equals those with the lower index stay. Shapes: (*, V) -> (*, V).

    Raises:
        ValueError: temperature is not above 0, top_k is below 1, or top_p not in (0, 1].
    """
    if not temperature > 0:
        raise ValueError(f"restrict: temperature must be above 0, got {temperature}; the likeliest "
                         "alone is top_k=1")
    if top_k is not None and top_k < 1:
        raise ValueError(f"restrict: top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"restrict: top_p must be above 0 and at most 1, got {top_p}")
    ordered, order = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[..., top_k:] = -tt.inf
    if top_p is not None:
        probabilities = functional.softmax(ordered, dim=-1)
        before = probabilities.cumsum(-1) - probabilities  # the sum over what is likelier
        ordered = ordered.masked_fill(before >= top_p, -tt.inf)
    return tt.empty_like(ordered).scatter(-1, order, ordered)


def choose(logits: Any, **restrictions: Any) -> Any:
    """One index drawn from each row of logits, restricted as above. Shapes: (N, V) -> (N, 1)."""
    return tt.multinomial(functional.softmax(restrict(logits, **restrictions), dim=-1), 1)
