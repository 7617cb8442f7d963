"""Data parallel training: one program, alone or as several processes that share each batch.

    python examples/12_data_parallel.py                         # alone
    mpiexec -n 2 python examples/12_data_parallel.py            # the same training on two processes
    mpiexec -n 2 python examples/12_data_parallel.py --model cnn
    mpiexec -n 4 python examples/12_data_parallel.py --resume   # go on, with another number

Each process, called a rank, has the whole model and its own part of every batch. After the backward
pass the gradients are averaged over the ranks, so all make the same step. That is the step of one
process with the whole batch: the losses below agree to the last digits, whatever the number of
ranks.

What to look at:

- The losses, alone and with 2 ranks.
- Samples per second. Each rank uses its share of the cores (one thread each, if there are as many
  ranks as cores), so on one machine the gain is small: a matrix product uses all cores anyway. With
  several machines or GPUs each rank has cores of its own.
- What happens if a rank fails: put `if rank == 1: 1 / 0` into the loop.
"""

from __future__ import annotations

import importlib
import math
import sys
import time
from pathlib import Path
from typing import Any

import support
import text

import tinytensor as tt
from tinytensor import distributed as dist
from tinytensor import nn, optim
from tinytensor.nn.parallel import DistributedDataParallel
from tinytensor.utils import resume
from tinytensor.utils.data import DataLoader, DistributedSampler, TensorDataset

# Not identifiers, so `import` cannot name them.
cnn, gpt = importlib.import_module("04_cnn"), importlib.import_module("06_gpt")


class History:
    """The losses of all steps, for the checkpoint and the curve."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses = state["losses"]


def windows(ids: Any, context: int) -> TensorDataset:
    """Consecutive windows of a text, each with the characters that follow. Both (N, context)."""
    count = (len(ids) - 1) // context
    return TensorDataset(ids[:count * context].view(count, context),
                         ids[1:count * context + 1].view(count, context))


def task(args: Any) -> tuple[nn.Module, Any, TensorDataset, TensorDataset]:
    """The model, its loss function, the training and the held-out samples."""
    if args.model == "cnn":
        (x, y), (x_held_out, y_held_out) = cnn.digits()
        if args.smoke:
            x, y = x[:64], y[:64]
        model = cnn.network(x.shape[-1])
        return (model, nn.functional.cross_entropy, TensorDataset(x, y),
                TensorDataset(x_held_out, y_held_out))
    source = text.load(None, 20_000 if args.smoke else 1_000_000)
    tokenizer = text.CharTokenizer(source)
    ids = tt.tensor(tokenizer.encode(source))
    cut = 9 * len(ids) // 10
    config = gpt.Config(len(tokenizer), **({"layers": 2, "width": 16} if args.smoke else {}))

    def loss_of(logits: Any, target: Any) -> Any:
        return nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    return (gpt.GPT(config), loss_of, windows(ids[:cut], config.context),
            windows(ids[cut:], config.context))


def mean_over_ranks(values: list[float]) -> list[float]:
    """Element by element."""
    means = tt.tensor(values, dtype=tt.float64)
    if dist.is_initialized():
        dist.all_reduce(means, dist.ReduceOp.AVG)
    return means.tolist()


@tt.no_grad()
def evaluate(model: nn.Module, loss_of: Any, samples: TensorDataset, device: str) -> float:
    """The mean loss. Each rank computes a part."""
    model.eval()
    rank, ranks = dist.get_rank(), dist.get_world_size()
    total = 0.0
    for start in range(rank * 64, len(samples), ranks * 64):
        x, y = samples[start:start + 64]
        total += loss_of(model(x.to(device)), y.to(device)).item() * len(x)
    model.train()
    return mean_over_ranks([total])[0] * ranks / len(samples)


def plot(losses: list[float], path: Path) -> None:
    """Draws the loss curve, if Matplotlib is installed."""
    try:
        plt = support.pyplot()
    except SystemExit:
        print("for a picture of the curve: pip install matplotlib")
        return
    figure, axes = plt.subplots(figsize=(6, 3), dpi=120)
    axes.plot(range(1, len(losses) + 1), losses, linewidth=0.8)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--model", choices=("gpt", "cnn"), default="gpt",
                        help="the GPT on characters or the CNN on digits (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=24,
                        help="samples per step, on all ranks together (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=300,
                        help="training steps (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3,
                        help="the highest learning rate (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true",
                        help="run a few tiny steps, to check that the example works")
    parser.add_argument("--resume", action="store_true",
                        help="continue from the checkpoint in the output folder")
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        help="the output folder (default: a folder in examples/output/)")
    args = parser.parse_args()
    if args.smoke:
        args.steps = 6

    if dist.is_available():  # mpi4py is installed; alone, this is a group of one
        dist.init_process_group("nccl" if args.device == "cuda" else "gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    say = print if rank == 0 else lambda *text, **options: None
    if args.batch < 1 or args.batch % ranks:
        say(f"--batch must be a multiple of the number of ranks, {ranks}", file=sys.stderr)
        sys.exit(2)

    tt.manual_seed(1337)  # the same weights on all ranks
    inner, loss_of, train, held_out = task(args)
    inner.to(args.device)
    model = DistributedDataParallel(inner) if dist.is_initialized() else inner
    tt.manual_seed(rank)  # different dropout
    sampler = DistributedSampler(train, drop_last=True)  # rank r has every ranks-th sample from r
    loader = DataLoader(train, args.batch // ranks, sampler=sampler, drop_last=True)
    optimizer = optim.AdamW(model.parameters(), lr=args.lr)
    schedule = optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: gpt.schedule(step, args.steps, max(1, args.steps // 20)))
    history = History()
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader,
             "history": history, "random": resume.RandomState()}
    folder = args.output or support.output(f"12_data_parallel_{args.model}")
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.safetensors"
    if args.resume and checkpoint.exists():
        resume.load_checkpoint(checkpoint, **parts)
        say(f"resuming after step {len(history.losses)}")
    say(f"{sum(p.numel() for p in inner.parameters()):,} parameters, {len(train):,} samples, "
        f"{args.batch} a step, on {ranks} rank{'s' * (ranks > 1)} with {tt.get_num_threads()} "
        f"thread{'s' * (tt.get_num_threads() > 1)} each")

    every = max(1, args.steps // 10)
    recent: list[float] = []  # the losses of this rank since the last report
    begun = last = time.perf_counter()
    first = len(history.losses)
    step = first
    while step < args.steps:
        sampler.set_epoch(step // len(loader))
        for x, y in loader:
            loss = loss_of(model(x.to(args.device)), y.to(args.device))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            recent.append(loss.item())
            step += 1
            if step % every == 0 or step == args.steps:
                history.losses += mean_over_ranks(recent)
                now = time.perf_counter()
                say(f"step {step}: loss {sum(history.losses[-len(recent):]) / len(recent):.6f}, "
                    f"{len(recent) * args.batch / (now - last):,.0f} samples a second")
                resume.save_checkpoint(checkpoint, **parts)
                recent, last = [], time.perf_counter()
            if step == args.steps:
                break

    if step > first:
        rate = (step - first) * args.batch / (time.perf_counter() - begun)
        say(f"{rate:,.0f} samples a second, with the checkpoints")
    loss = evaluate(inner, loss_of, held_out, args.device)
    say(f"held-out loss {loss:.6f}" + (f", {loss / math.log(2):.3f} bits per character"
                                       if args.model == "gpt" else ""))
    if rank == 0:
        plot(history.losses, folder / "loss.png")
    say(f"checkpoint and curve are in {folder}")


if __name__ == "__main__":
    main()
