"""What the sequence examples share: the text, a character tokenizer, and sampling."""

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

# The default text: modules of Python's standard library, because every reader has them.
MODULES = (
    "argparse", "copy", "csv", "dataclasses", "enum", "fractions", "functools", "random", "shutil",
    "statistics", "string", "tempfile", "threading", "contextlib", "difflib", "inspect", "logging",
    "subprocess", "typing", "unittest.case", "calendar", "heapq", "json.decoder", "textwrap")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options about the training text and the generated text."""
    parser.add_argument("--text", metavar="FILE",
                        help="the training text (default: the source of Python's library)")
    parser.add_argument("--characters", type=int, default=1_000_000,
                        help="characters of the text to use at most (default: %(default)s)")
    parser.add_argument("--prompt", help="the beginning of the generated text (default: 'def ', "
                                         "with --text its first ten characters)")
    parser.add_argument("--length", type=int, default=400,
                        help="characters to generate (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8,
                        help="below 1, likely characters become likelier (default: %(default)s)")
    parser.add_argument("--top-k", type=int, metavar="K",
                        help="sample from the K likeliest characters (default: from all)")
    parser.add_argument("--top-p", type=float, metavar="P",
                        help="sample from the fewest characters whose probabilities reach P "
                             "(default: from all)")


@dataclass
class Task:
    """The data and settings that follow from the options of `arguments`."""

    tokenizer: CharTokenizer
    train: Any  # character indices (L), the first nine tenths of the text
    held_out: Any  # character indices of the last tenth, not used in training
    prompt: Any  # character indices (1, P)
    restrictions: dict[str, Any]  # keyword arguments of `choose`


def prepare(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Task:
    """Reads and encodes the text. Ends the program if an option of `arguments` is wrong."""
    restrictions = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    try:
        text = load(args.text, 20_000 if args.smoke else args.characters)
        tokenizer = CharTokenizer(text)
        prompt = args.prompt or ("def " if args.text is None else text[:10])
        start = tt.tensor([tokenizer.encode(prompt)], device=args.device)
        restrict(tt.zeros(1, len(tokenizer)), **restrictions)
    except (OSError, ValueError) as problem:
        parser.error(str(problem))
    if args.length < 1:
        parser.error("--length must be at least 1")
    ids = tt.tensor(tokenizer.encode(text), device=args.device)
    cut = 9 * len(ids) // 10
    return Task(tokenizer, ids[:cut], ids[cut:], start, restrictions)


def load(path: str | None, characters: int) -> str:
    """The first `characters` characters of a UTF-8 file, or of the source of MODULES.

    The default text contains ASCII only, which keeps the vocabulary small. It differs slightly
    between versions of Python.

    Raises:
        OSError: the file cannot be read.
        ValueError: the text is not UTF-8, or it is empty.
    """
    if path is None:
        text = "\n".join(filter(None, map(_source, MODULES))).encode("ascii", "ignore").decode()
    else:
        text = Path(path).read_text(encoding="utf-8")
    if not text[:max(characters, 0)]:
        raise ValueError(f"{path or 'the default text'} has no characters to learn from "
                         f"(--characters {characters})")
    return text[:characters]


def _source(module: str) -> str | None:
    spec = importlib.util.find_spec(module)
    loader: Any = spec.loader if spec else None
    return loader.get_source(module) if hasattr(loader, "get_source") else None


class CharTokenizer:
    """Maps characters to indices and back. The vocabulary is the set of characters of a text."""

    def __init__(self, text: Iterable[str]) -> None:
        self.characters = sorted(set(text))
        self._index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """The index of each character. Raises ValueError for a character without index."""
        unknown = sorted(set(text) - self._index.keys())
        if unknown:
            raise ValueError(f"encode: the vocabulary has no {', '.join(map(repr, unknown))}")
        return [self._index[c] for c in text]

    def decode(self, indices: Iterable[int]) -> str:
        """The text of some indices."""
        return "".join(self.characters[i] for i in indices)


def recent_loss(run: Any) -> float:
    """The mean training loss of a run's last hundred steps."""
    losses = [row["loss"] for row in run.rows()[-100:]]
    return sum(losses) / len(losses)


def report(losses: dict[str, float]) -> None:
    """Prints losses in nats and in bits."""
    for name, nats in losses.items():
        print(f"{name}: {nats:.3f} nats, {nats / math.log(2):.3f} bits per character")


# ---------------------------------------------------------------- sampling the next character


def restrict(logits: Any, temperature: float = 1.0, top_k: int | None = None,
             top_p: float | None = None) -> Any:
    """Applies temperature, top-k and top-p to logits. Shapes: (*, V) -> (*, V).

    temperature  Divides the logits. Below 1, likely tokens become likelier.
    top_k        Keeps the k likeliest tokens (Fan et al. 2018).
    top_p        Keeps the fewest likeliest tokens whose probabilities sum to at least p (nucleus
                 sampling, Holtzman et al. 2020). It is applied last.

    Removed tokens get the logit -inf. Among equal logits, the lower indices are kept.

    Raises:
        ValueError: temperature is not above 0, top_k is below 1, or top_p not in (0, 1].
    """
    if not temperature > 0:
        raise ValueError(f"restrict: temperature must be above 0, got {temperature}; use top_k=1 "
                         "for the likeliest token alone")
    if top_k is not None and top_k < 1:
        raise ValueError(f"restrict: top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"restrict: top_p must be above 0 and at most 1, got {top_p}")
    ordered, order = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[..., top_k:] = -tt.inf
    if top_p is not None:
        probabilities = functional.softmax(ordered, dim=-1)
        before = probabilities.cumsum(-1) - probabilities  # the sum over the likelier tokens
        ordered = ordered.masked_fill(before >= top_p, -tt.inf)
    return tt.empty_like(ordered).scatter(-1, order, ordered)


def choose(logits: Any, **restrictions: Any) -> Any:
    """Samples an index for each row of logits, after `restrict`. Shapes: (N, V) -> (N, 1)."""
    return tt.multinomial(functional.softmax(restrict(logits, **restrictions), dim=-1), 1)
