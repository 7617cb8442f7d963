"""The words of `explain`: what a mistake is, and where, without the right formula."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .mistakes import Mistake
from .tape import Group, Tape

if TYPE_CHECKING:
    from .explaining import Explanation

SHOWN = 3  # further places
CHOICES = {"max", "min", "where", "ReLU"}
OPERATIONS = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division",
              "**": "power", "neg": "minus sign", "max": "maximum", "min": "minimum",
              "ReLU": "ReLU", "dot": "product", "where": "choice"}


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
    return "sum" if group.is_sum else OPERATIONS.get(op, op)


def _step(group: Group) -> str:
    """The operation and its expression."""
    expression = group.place.expression
    return f"the {operation(group)} in `{expression}`" if expression else f"the {operation(group)}"


def describe(mistake: Mistake, tape: Tape) -> str:
    """One mistake in a sentence or two."""
    group, detail = mistake.group, mistake.detail
    if group is None:
        return _without_place(mistake)
    text: Any = SENTENCES[mistake.kind]
    if isinstance(text, dict):
        text = text.get("choice" if group.op in CHOICES else detail) or text[""]
    through = _through(group, tape)
    counts = sorted(set(group.counts(tape.edges).values()))
    values = {"place": _place(group, tape), "step": _step(group), "through": through,
              "detail": detail, "uses": f"Each number of {through} is used {counts[-1]} times"
              if len(counts) == 1 else f"A number of {through} is used up to {counts[-1]} times"}
    if mistake.kind == "other value":
        values |= {"wrong": detail[0], "right": detail[1]}
    sentence = text.format(**values)
    if mistake.kind == "path" and _uses(group, tape) > 1:
        sentence += (f" {through} is used in several places: was this part never computed, or was "
                     "it overwritten by another one?")
    return f"Look at {values['place']}. {sentence}"


def _through(group: Group, tape: Tape) -> str:
    """The operand in words."""
    if group.op == "result":
        return "the result"
    if group.operand:
        return f"`{group.operand}`"
    parents = tape.values[tape.edges[group.edges[0]].child]._prev
    which = f"operand {group.slot + 1}" if len(parents) > 1 else "operand"
    return f"the {which} of the {operation(group)}" if group.place.expression else f"its {which}"


def _uses(group: Group, tape: Tape) -> int:
    """In how many places of the program the operand is used."""
    own = {tape.edges[e].parent for e in group.edges}
    return sum(any(tape.edges[e].parent in own for e in other.edges) for other in tape.groups)


SENTENCES: dict[str, Any] = {
    "upstream": "The gradient that comes into {step} from above is not used.",
    "path": "Nothing comes back through {through}.",
    "factor": {
        "one": "What comes back to {through} lacks the other factor of {step}: the gradient is "
               "handed on as it came.",
        "choice": "The gradient goes back through {step} to {through} everywhere, also where "
                  "another operand was chosen.",
        "": "The local derivative of {step} by {through} is missing: the gradient is handed on "
            "as it came.",
    },
    "power": {
        "factor": "The derivative of {step} by {through} lacks a factor.",
        "exponent": "In the derivative of {step} by {through}, the power is not the right one.",
    },
    "quotient": {
        "inverse": "The derivative of {step} by {through} multiplies where it should divide, or "
                   "divides where it should multiply.",
        "square": "The derivative of {step} by {through} has the wrong power of the divisor.",
    },
    "not added up": {
        "loop": "{through} is used in every round of the loop, and the gradient of one round "
                "alone arrives: it is overwritten where it should be added up.",
        "": "{uses}, and one of its contributions alone arrives: add them all up, do not "
            "overwrite.",
    },
    "mean": "Through {through}, the contributions are averaged over {detail}, where they should be "
            "added up.",
    "sign": "The sign of what comes back through {through} is wrong.",
    "x for y": {
        "x": "The rule of {step} is written in terms of its result, and was given its operand.",
        "y": "The rule of {step} is written in terms of its operand, and was given its result.",
    },
    "transposed": {
        "factor": "In what comes back to {through} from {step}, the other factor is transposed "
                  "and should not be, or is not and should be.",
        "gradient": "In what comes back to {through} from {step}, the gradient from above is "
                    "transposed and should not be, or is not and should be.",
    },
    "other value": "What comes back through {through} is computed with `{wrong}`, which is not the "
                   "variable that belongs there.",
    "twice": "What comes back through {through} is counted twice.",
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


def headline(explanation: Explanation) -> list[str]:
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
    return lines


def sentences(explanation: Explanation) -> list[str]:
    """What is said of each mistake."""
    paragraphs = []
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
        paragraphs.append("\n".join(lines))
    return paragraphs
