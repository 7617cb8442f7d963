"""Backward passes with planted mistakes, and what `tinytensor.learn.explain` calls each.

    python -m tests.mistakes            prints what it says of each mistake, and the table
    python -m tests.mistakes --write    writes the tables into tinytensor/learn/MISTAKES.md

bed.py     the functions: the right forward, two right backward passes, and the mistakes
judge.py   runs `explain` on each, and counts
"""
