"""`torch.jit.annotations`: types of TorchScript that annotations name."""

from typing import Any

BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list[Any]
