"""`torch.utils.data._utils.collate`."""

import re

from ...utils.data.collate import *  # noqa: F403

np_str_obj_array_pattern = re.compile(r"[SaUO]")  # in the dtypes of arrays that are no numbers
