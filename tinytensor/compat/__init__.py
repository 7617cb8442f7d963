"""Names and forms that programs written for PyTorch ask for, beside the clean definitions.

names.py         names beside the table of operations, and the older words
absent.py        what is left out, with its reason
older_forms.py   older call forms of operations and losses
"""
