"""Names and call forms of older PyTorch programs, as adaptations over clean definitions.

names.py         names beside the table of operations, and older names
absent.py        what is not implemented, with the reason
older_forms.py   older call forms of operations and losses
variable.py      autograd.Variable
"""
