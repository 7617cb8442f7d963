"""Long-running attacks on the package. The test suite runs short versions of them.

    python -m tests.torture files --minutes 30

A part is a module with a function `run(minutes)`, which prints counts and returns the number of
failures.
"""
