"""The dtypes, and the tensor types of older programs: where they are defined.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..arrays.dtypes import bool_ as bool
from ..arrays.dtypes import uint8 as uint8
from ..arrays.dtypes import int8 as int8
from ..arrays.dtypes import int16 as int16
from ..arrays.dtypes import int32 as int32
from ..arrays.dtypes import int64 as int64
from ..arrays.dtypes import float16 as float16
from ..arrays.dtypes import float32 as float32
from ..arrays.dtypes import float64 as float64
from ..arrays.dtypes import scalar_value as scalar_value
from ..arrays.dtypes import float32 as float
from ..arrays.dtypes import float64 as double
from ..arrays.dtypes import float16 as half
from ..arrays.dtypes import int32 as int
from ..arrays.dtypes import int64 as long
from ..arrays.dtypes import int16 as short
from ..arrays.dtypes import bfloat16 as bfloat16
