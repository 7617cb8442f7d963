"""The measured work: one file per family, each with its rows.

A `Row` (peers.py) maps the name of a peer to a function that prepares the work on a device and
returns one step. If the peer is not installed, the function raises ImportError and the row says so.
"""

from . import (
    convolution,
    gpt,
    growth,
    imports,
    lstm,
    memory,
    mlp,
    moons,
    operations,
    optimizers,
    overhead,
)

FAMILIES = {
    "scalar": moons.ROWS,
    "operation overhead": overhead.ROWS,
    "MLP": mlp.ROWS,
    "convolutional networks": convolution.ROWS,
    "LSTM": lstm.ROWS,
    "GPT": gpt.ROWS,
    "optimisers": optimizers.ROWS,
    "operations alone": operations.ROWS,
    "peak memory": memory.ROWS,
    "import": imports.ROWS,
    "growth": growth.ROWS,
}

ROWS = {row.name: row for rows in FAMILIES.values() for row in rows}
