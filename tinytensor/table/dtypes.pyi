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
bfloat16: dtype
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
cfloat: dtype
cdouble: dtype
chalf: dtype
complex32: dtype
complex64: dtype
complex128: dtype
uint16: dtype
uint32: dtype
uint64: dtype
float8_e4m3fn: dtype
float8_e4m3fnuz: dtype
float8_e5m2: dtype
float8_e5m2fnuz: dtype
float8_e8m0fnu: dtype
float4_e2m1fn_x2: dtype
qint8: dtype
qint32: dtype
quint8: dtype
quint4x2: dtype
quint2x4: dtype
bit: dtype
bits1x8: dtype
bits2x4: dtype
bits4x2: dtype
bits8: dtype
bits16: dtype
int1: dtype
int2: dtype
int3: dtype
int4: dtype
int5: dtype
int6: dtype
int7: dtype
uint1: dtype
uint2: dtype
uint3: dtype
uint4: dtype
uint5: dtype
uint6: dtype
uint7: dtype
FloatTensor: TensorType
DoubleTensor: TensorType
HalfTensor: TensorType
BFloat16Tensor: TensorType
LongTensor: TensorType
IntTensor: TensorType
ShortTensor: TensorType
CharTensor: TensorType
ByteTensor: TensorType
BoolTensor: TensorType
