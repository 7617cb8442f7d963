"""The dtypes, and the tensor types of older programs: where they are defined.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..arrays.dtypes import bool_ as bool
from ..arrays.dtypes import uint8 as uint8
from ..arrays.dtypes import int8 as int8
from ..arrays.dtypes import int16 as int16
from ..arrays.dtypes import int32 as int32
from ..arrays.dtypes import int64 as int64
from ..arrays.dtypes import bfloat16 as bfloat16
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
from ..arrays.dtypes import complex64 as cfloat
from ..arrays.dtypes import complex128 as cdouble
from ..arrays.dtypes import complex32 as chalf
from ..arrays.dtypes import complex32 as complex32
from ..arrays.dtypes import complex64 as complex64
from ..arrays.dtypes import complex128 as complex128
from ..arrays.dtypes import uint16 as uint16
from ..arrays.dtypes import uint32 as uint32
from ..arrays.dtypes import uint64 as uint64
from ..arrays.dtypes import float8_e4m3fn as float8_e4m3fn
from ..arrays.dtypes import float8_e4m3fnuz as float8_e4m3fnuz
from ..arrays.dtypes import float8_e5m2 as float8_e5m2
from ..arrays.dtypes import float8_e5m2fnuz as float8_e5m2fnuz
from ..arrays.dtypes import float8_e8m0fnu as float8_e8m0fnu
from ..arrays.dtypes import float4_e2m1fn_x2 as float4_e2m1fn_x2
from ..arrays.dtypes import qint8 as qint8
from ..arrays.dtypes import qint32 as qint32
from ..arrays.dtypes import quint8 as quint8
from ..arrays.dtypes import quint4x2 as quint4x2
