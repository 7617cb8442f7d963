"""The command line: `python -m tinytensor COMMAND`."""

from __future__ import annotations

import argparse
import os
import sys

from .commands import check, convert, generate, hunt, learn, ops, playground, run, stubs

# Each module's docstring is its help; it has `add_arguments(parser)` and `run(options)`.
COMMANDS = {"check": check, "convert": convert, "generate": generate, "hunt": hunt, "learn": learn,
            "ops": ops, "playground": playground, "run": run, "stubs": stubs}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tinytensor", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        description = module.__doc__ or ""
        module.add_arguments(subparsers.add_parser(
            name, help=description.partition("\n")[0], description=description,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter))
    options = parser.parse_args()
    try:
        COMMANDS[options.command].run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as `head` does; see Python's docs on SIGPIPE
        # Python flushes stdout once more at exit: without a reader that would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
