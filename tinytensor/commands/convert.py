"""Converts a file of weights: from PyTorch's .pt or .pth to safetensors, or back.

python -m tinytensor convert model.pt model.safetensors
python -m tinytensor convert model.safetensors model.pt

Nothing in the file is executed. Checkpoints keep their structure: nested dicts, lists, tuples,
numbers and strings, shared memory and Parameters.
"""

from __future__ import annotations

import argparse
import os
import sys

from ..tensors import pytorch_writer
from ..tensors.files import load, save
from ..tensors.replacing import destination


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two files."""
    parser.add_argument("source", help="the file to read")
    parser.add_argument("target", help="the file to write: .pt or .pth for PyTorch's form, any "
                                       "other name for safetensors")


def run(options: argparse.Namespace) -> None:
    """Reads the source and writes the target."""
    try:
        content = load(options.source)
        if os.path.splitext(options.target)[1] in (".pt", ".pth"):
            with destination(options.target) as file:
                pytorch_writer.write(file, content)
        else:
            save(content, options.target)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"convert: {error}")
