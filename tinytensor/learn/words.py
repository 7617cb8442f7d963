"""What `explain` returns, and its words: what a mistake is and where, without the right formula."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .mistakes import CHOICES, Mistake
from .tape import Group, Tape

SHOWN = 3  # further places
OPERATIONS = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division",
              "**": "power", "neg": "minus sign", "max": "maximum", "min": "minimum",
              "ReLU": "ReLU", "dot": "product", "where": "choice"}


@dataclass
class Finding:
    """A mistake that gives the learner's numbers in the gradients by `names`.

    places      where else it could be made, with the same numbers
    only_here   whether the same place is right on the way to another input
    """

    kind: str
    names: list[str]
    text: str
    line: int = 0
    places: list[str] = field(default_factory=list)
    only_here: bool = False


@dataclass
class Explanation:
    """What `explain` found: print it.

    right       whether all gradients are right
    wrong       for each wrong gradient, which element is wrong and what it should be
    mistakes    the mistakes that together give the learner's numbers
    unknown     the wrong gradients that no known mistake gives
    several     whether it is more than one mistake, as far as can be told
    together    whether two mistakes are needed for the numbers of one gradient
    is_g_constant  whether all numbers of g are equal, which hides mistakes
    """

    right: bool
    wrong: dict[str, str] = field(default_factory=dict)
    mistakes: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    several: bool = False
    together: bool = False
    is_g_constant: bool = False

    @property
    def kinds(self) -> list[str]:
        """The kinds of the mistakes, as `tinytensor.learn.mistakes.KINDS` has them."""
        return [finding.kind for finding in self.mistakes]

    def __str__(self) -> str:
        return "\n".join(paragraphs(self))

    __repr__ = __str__


# ---------------------------------------------------------------- places and operands


def listed(items: Iterable[str]) -> str:
    """a, b and c."""
    items = list(items)
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def place_of(mistake: Mistake, tape: Tape) -> str:
    """The line and the operand, as a learner finds them."""
    group = mistake.group
    if group is None or not group.place.statement:
        return ""
    operand = f"`{group.operand}`" if group.operand else f"inside `{group.place.expression}`"
    return f"{_line(group, tape)} ({operand})"


def _line(group: Group, tape: Tape) -> str:
    place = group.place
    if place.function == "<lambda>":
        return f"`{place.expression or place.statement}`"
    of = f" of {place.function}" if place.code is not tape.code else ""
    return f"line {place.line}{of}"


def _place(group: Group, tape: Tape) -> str:
    """Where to look: the line with its text."""
    if group.op == "result":
        return "the result"
    if not group.place.statement:
        return f"the {operation(group)}"
    text = f", `{group.place.statement}`" if group.place.function != "<lambda>" else ""
    return _line(group, tape) + text


def operation(group: Group) -> str:
    """The operation in words: "the multiplication", "the tanh"."""
    op = "**" if group.op.startswith("**") else group.op
    if op == "*" and group.place.is_product:
        return "matrix product"
    return "sum" if op == "+" and group.is_sum else OPERATIONS.get(op, op)


def _step(group: Group) -> str:
    """The operation and its expression."""
    expression = group.place.expression
    return f"the {operation(group)} in `{expression}`" if expression else f"the {operation(group)}"


# ---------------------------------------------------------------- one mistake


def describe(mistake: Mistake, tape: Tape) -> str:
    """One mistake in a sentence or two."""
    group, detail = mistake.group, mistake.detail
    if group is None:
        return _without_place(mistake)
    text: Any = SENTENCES[mistake.kind]
    if isinstance(text, dict):
        text = text.get("choice" if group.op in CHOICES else detail) or text[""]
    through, unary = _through(group), _is_unary(group, tape)
    counts = sorted(set(group.counts(tape.edges).values()))
    within = f" in `{group.place.expression}`" if group.operand and group.place.statement.count(
        group.operand) > 1 and group.place.expression != group.operand else ""
    uses = f"Each number of {through} is used {counts[-1]} times" if len(counts) == 1 \
        else f"A number of {through} is used up to {counts[-1]} times"
    values = {"place": _place(group, tape), "step": _step(group), "through": through,
              "by": "" if unary or group.is_inner else f" by {through}", "within": within,
              "detail": detail, "uses": uses}
    if mistake.kind == "other value" and detail != "choice":
        values |= {"wrong": detail[0], "right": detail[1]}
    sentence = text.format(**values)
    if mistake.kind == "path" and group.operand and _uses(group, tape) > 1:
        sentence += (f" `{group.operand}` is used in several places: was this part never computed, "
                     "or was it overwritten by another one?")
    if mistake.branch is not None:
        way = mistake.branch.operand or f"operand {mistake.branch.slot + 1}"
        sentence += (f" It happens on the way to `{way}` in `{mistake.branch.place.expression}` "
                     "only.")
    return f"Look at {values['place']}. {sentence}"


def _through(group: Group) -> str:
    """The operand in words."""
    if group.op == "result":
        return "the result"
    if group.operand:
        is_twice = not group.place.is_call and \
            group.place.operand(0) == group.place.operand(1)
        return f"one of the two `{group.operand}`" if is_twice else f"`{group.operand}`"
    return f"operand {group.slot + 1} of the {operation(group)}"


def _is_unary(group: Group, tape: Tape) -> bool:
    return len(tape.values[tape.edges[group.edges[0]].child]._prev) == 1


def _uses(group: Group, tape: Tape) -> int:
    """In how many places of the program the operand is used."""
    own = {tape.edges[e].parent for e in group.edges}
    return sum(any(tape.edges[e].parent in own for e in other.edges) for other in tape.groups)


SENTENCES: dict[str, Any] = {
    "upstream": "The gradient that comes into {step} from above is not used.",
    "path": "Nothing comes back through {through}{within}.",
    "factor": {
        "product": "What comes back to {through} lacks the other factor of {step}: the gradient is "
                   "handed on as it came.",
        "choice": "The gradient goes back through {step} to {through} everywhere, also where "
                  "another operand was chosen.",
        "": "The local derivative of {step}{by} is missing: the gradient is handed on as it came.",
    },
    "power": {
        "factor": "The derivative of {step}{by} lacks a factor.",
        "exponent": "In the derivative of {step}{by}, the power is not the right one.",
    },
    "quotient": {
        "inverse": "The derivative of {step}{by} multiplies where it should divide, or divides "
                   "where it should multiply.",
        "square": "The derivative of {step}{by} has the wrong power of the divisor.",
    },
    "not added up": {
        "loop": "{through} is used in every round of the loop, and the gradient of one round "
                "alone arrives: it is overwritten where it should be added up.",
        "part": "{uses}, and a part of its contributions alone arrives: add them all up.",
        "": "{uses}, and one of its contributions alone arrives: add them all up, do not "
            "overwrite.",
    },
    "mean": "Through {through}, the contributions are averaged over {detail}, where they should be "
            "added up.",
    "sign": "The sign of what comes back through {through}{within} is wrong.",
    "x for y": {
        "x": "The rule of {step} is written in terms of its result, and was given its operand.",
        "y": "The rule of {step} is written in terms of its operand, and was given its result.",
    },
    "transposed": {
        "product": "In what comes back to {through} from {step}, the other factor is transposed "
                   "and should not be, or is not and should be.",
        "gradient": "In what comes back to {through} from {step}, the gradient from above is "
                    "transposed and should not be, or is not and should be.",
    },
    "other value": {
        "choice": "In {step}, the gradient goes back to {through} just where another operand was "
                  "chosen.",
        "": "What comes back through {through} is computed with `{wrong}`, which is not the "
            "variable that belongs there.",
    },
    "twice": "What comes back through {through}{within} is counted twice.",
}


def _without_place(mistake: Mistake) -> str:
    detail = mistake.detail
    if mistake.kind == "upstream":
        return ("g, the gradient from above, is not used: these are the derivatives of the plain "
                "sum of all results.")
    if mistake.kind == "path":
        return f"Nothing comes back through `{detail}`: it is treated as a constant."
    if mistake.kind == "transposed":
        name = f"the gradient of `{detail}`" if detail else "g, the gradient from above,"
        return f"At some point {name} is transposed."
    source, result = (f"`{name}`" if name else "the result" for name in detail)
    if mistake.kind == "diagonal":
        return (f"Only the diagonal is there: each element of {result} depends on other elements "
                f"of {source} too, not only on the one at its own place.")
    if mistake.kind == "factor":
        return (f"Between {source} and {result} the derivative is missing: the gradient is handed "
                "on as it came.")
    return (f"The rule between {source} and {result} is written in terms of {result}, and was "
            f"given {source}.")


# ---------------------------------------------------------------- an explanation


def paragraphs(explanation: Explanation) -> list[str]:
    """The lines of an explanation."""
    if explanation.right:
        return ["All gradients are right."]
    lines = [f"{text[0].upper()}{text[1:]}." for text in explanation.wrong.values()]
    if explanation.together:
        lines.append("No single mistake that is known here gives these numbers. These two together "
                     "do:")
    elif explanation.several:
        lines.append("This is more than one mistake.")
    lines += [line for sentence in sentences(explanation) for line in ("", sentence)]
    if explanation.unknown:
        names = f" for {listed(explanation.unknown)}" if len(explanation.wrong) > 1 else ""
        lines += ["", "No single mistake that is known here, and no two, give these numbers"
                  f"{names}. It is more than one mistake, or one of another kind. Make the "
                  "function shorter: check the gradients of its last line alone, then of the last "
                  "two, and so on."]
    if explanation.is_g_constant:
        lines += ["", "g is the same everywhere. Random numbers for g tell more mistakes apart."]
    return lines


def sentences(explanation: Explanation) -> list[str]:
    """What is said of each mistake."""
    texts = []
    for finding in explanation.mistakes:
        prefix = f"For {listed(finding.names)}: " if len(explanation.wrong) > 1 else ""
        lines = [prefix + finding.text]
        if explanation.unknown:
            lines.append(f"This explains {listed(finding.names)}, and not "
                         f"{listed(explanation.unknown)}.")
        elif finding.only_here and finding.kind not in ("shape", "not finite"):
            lines.append(f"It happens on the way to {listed(finding.names)} only: the other "
                         "gradients do not have it.")
        if finding.places:
            shown = finding.places[:SHOWN]
            more = len(finding.places) - len(shown)
            lines.append("The same numbers come out if it happens in " + " or ".join(
                [", ".join(shown), *([f"{more} more place{'s' * (more > 1)}"] if more else [])])
                + ".")
        texts.append("\n".join(lines))
    return texts
