"""The name under which programs see the package in reprs and messages.

`compat/as_torch.py` changes it to "torch" for programs that import tinytensor by that name.
"""

package = "tinytensor"
