"""The functions of `linalg`: where they are defined.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..ops.decomposition import cholesky as cholesky
from ..ops.decomposition import cholesky_ex as cholesky_ex
from ..ops.norms import cond as cond
from ..ops.linalg import cross as cross
from ..ops.numerical import diagonal_ as diagonal
from ..ops.decomposition import eigh as eigh
from ..ops.decomposition import eigvalsh as eigvalsh
from ..ops.householder import householder_product as householder_product
from ..ops.solving import inv as inv
from ..ops.solving import inv_ex as inv_ex
from ..ops.decomposition import lstsq as lstsq
from ..ops.norms import matrix_norm as matrix_norm
from ..ops.decomposition import matrix_rank as matrix_rank
from ..ops.linalg import multi_dot as multi_dot
from ..ops.norms import norm as norm
from ..ops.decomposition import pinv as pinv
from ..ops.decomposition import qr as qr
from ..ops.solving import solve as solve
from ..ops.solving import solve_ex as solve_ex
from ..ops.solving import solve_triangular as solve_triangular
from ..ops.decomposition import svd as svd
from ..ops.decomposition import svdvals as svdvals
from ..ops.solving import tensorinv as tensorinv
from ..ops.solving import tensorsolve as tensorsolve
from ..ops.numerical import vander_ as vander
from ..ops.linalg import vecdot as vecdot
from ..ops.norms import vector_norm as vector_norm
