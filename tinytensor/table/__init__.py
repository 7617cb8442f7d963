"""The functions and methods of the table of operations, for type checkers and editors.

Nothing imports these modules when a program runs: `ops/` attaches the functions and methods from
the table. `commands/stubs.py`, which writes the files, says what each is for.
"""
