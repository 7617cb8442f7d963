"""A differential fuzzer: random programs, run under tinytensor and under PyTorch, must agree.

    python -m tests.fuzz --minutes 10 --seed 1

A program is a tuple of lines of Python, in which `torch` is one library or the other. All that
its variables hold is compared: values, dtypes, shapes, requires_grad, gradients, and which lines
raise. A program that differs is shrunk to a few lines and printed.

    programs    runs a program and records what its variables hold
    generate    writes random programs
    compare     decides whether two runs agree, up to rounding
    known       the differences that are meant
    shrink      makes a program that differs as short as it can
"""
