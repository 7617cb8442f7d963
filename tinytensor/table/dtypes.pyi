"""The dtypes, and the tensor types of older programs.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..compat.names import TensorType

from ..arrays.dtypes import dtype

bool: dtype
uint8: dtype
int8: dtype
int16: dtype
int32: dtype
int64: dtype
float16: dtype
float32: dtype
float64: dtype
scalar_value: dtype
float: dtype
double: dtype
half: dtype
int: dtype
long: dtype
short: dtype
bfloat16: dtype
FloatTensor: TensorType
DoubleTensor: TensorType
HalfTensor: TensorType
LongTensor: TensorType
IntTensor: TensorType
ShortTensor: TensorType
CharTensor: TensorType
ByteTensor: TensorType
BoolTensor: TensorType
