"""Labs: one idea each, written by the learner, with checks that say what is wrong.

A lab is one file of `sources/`, in percent cells. The learner's file or notebook, the solution,
hints and the check are made from it. `check` and `hint` are for notebooks.
"""

from .kernel import check, hint
