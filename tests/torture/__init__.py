"""Attacks on the package that take long; the test suite runs short versions of them.

    python -m tests.torture files --minutes 30

A part is a module with a function `run(minutes)`, which prints figures and returns how often
something went wrong.
"""
