"""`torch.utils.data._utils.collate`: `default_collate`, and what it is made of."""

from __future__ import annotations

import re

from ...utils.data.collate import default_collate as default_collate
from ...utils.data.collate import default_convert as default_convert

# The dtypes of NumPy arrays that are not numbers: bytes, strings, objects.
np_str_obj_array_pattern = re.compile("[SaUO]")
