"""A differential fuzzer: random programs must agree under tinytensor and under PyTorch.

    python -m tests.fuzz --minutes 10 --seed 1

A program is a tuple of lines of Python, in which `torch` is either library. The fuzzer compares
all variables (values, dtypes, shapes, requires_grad, gradients) and which lines raise. A program
that differs is shrunk to a few lines and printed.

    programs    runs a program and records its variables
    generate    writes random programs
    compare     decides whether two runs agree, up to rounding
    known       lists the intended differences
    mended      programs that once differed; a test runs them
    shrink      shortens a program that differs
"""
