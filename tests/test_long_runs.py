"""Memory does not grow over a long run: all objects of a step are freed."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from argparse import Namespace
from pathlib import Path

import trainer

import tinytensor
from tinytensor import nn, optim
from tinytensor.autograd.graph import Node
from tinytensor.utils.data import DataLoader, TensorDataset


def nodes() -> int:
    """The number of graph nodes in memory, reachable or not."""
    return sum(issubclass(type(obj), Node) for obj in gc.get_objects())


def test_memory_is_flat(tmp_path: Path) -> None:
    tinytensor.manual_seed(0)
    tokens = tinytensor.randint(0, 9, (40, 6))
    loader = DataLoader(TensorDataset(tokens[:, :-1], tokens[:, -1]), batch_size=8, shuffle=True,
                        num_workers=2, persistent_workers=True)
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 16),
                          nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 9))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    given = Namespace(output=tmp_path, smoke=False, resume=False, checkpoint_every=50)
    run = trainer.Run("long", given, model=model, optimizer=optimizer, scheduler=scheduler,
                      loader=loader)
    sizes, found, cycles = [], [], []
    gc.collect()
    gc.disable()  # objects that reference counting does not free would accumulate
    tracemalloc.start()
    try:
        for epoch in run.epochs(30):
            for inputs, labels in run.batches(loader):
                loss = nn.functional.cross_entropy(model(inputs), labels)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                run.log(loss=loss)
            if epoch % 10 == 0:
                found.append(nodes())
                cycles.append(gc.collect())  # also empties Python's lists of free tuples
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    # The graph of the last loss still exists. It has the same number of nodes each time.
    assert len(set(found)) == 1 and found[0] > 0
    assert max(cycles[1:]) < 10, f"objects in cycles of each 50 steps: {cycles}"
    growth = [b - a for a, b in itertools.pairwise(sizes)]
    assert max(growth) < 7_500, f"bytes that each 50 steps added: {growth}"
    
    before = nodes()
    del loss
    assert nodes() < before  # no cycle keeps the graph
