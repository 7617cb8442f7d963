"""`torch.jit.annotations`: types of TorchScript that annotations name."""


from typing import Dict, List, Optional, Tuple, Union  # noqa: UP035

BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list
