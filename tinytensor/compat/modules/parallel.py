"""`torch.nn.parallel.distributed` and `torch.nn.parallel.data_parallel`."""

from ...nn.parallel import (
    DataParallel as DataParallel,
)
from ...nn.parallel import (
    DistributedDataParallel as DistributedDataParallel,
)
