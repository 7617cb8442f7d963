"""The gradient of each image: which images pull hardest, and finding wrong labels by it.

    python examples/13_per_sample_gradients.py
    python examples/13_per_sample_gradients.py --wrong 0.1
    python examples/13_per_sample_gradients.py --device cuda

`backward()` gives the gradient of the mean loss, in which the images can no longer be told apart.
Here `vmap(grad(loss))` gives the gradient of every image at once: `loss` is written for one image,
`grad` makes its gradient of it, and `vmap` runs that on the whole batch.

What to look at:

- Their mean is the gradient that backward() computes, and the loop over the images takes several
  times as long.
- Some labels are changed before the training. The images with the longest gradients are those that
  the network cannot agree with: most of the changed labels are among the first.
- suspects.png. The images with the longest gradients, and what they are labelled as.
"""

from __future__ import annotations

import time
from typing import Any

import digits
import support

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.func import functional_call, grad, vmap
from tinytensor.nn import functional as F  # noqa: N812


def loss_of_one(parameters: Any, model: nn.Module, image: tt.Tensor, label: tt.Tensor) -> Any:
    """The loss of a single image (64) with a label ()."""
    scores = functional_call(model, parameters, (image.unsqueeze(0),))
    return F.cross_entropy(scores, label.unsqueeze(0))


def gradients(model: nn.Module, x: tt.Tensor, y: tt.Tensor) -> dict[str, tt.Tensor]:
    """The gradient of each image by each parameter, (N, *parameter)."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    each = vmap(grad(loss_of_one), in_dims=(None, None, 0, 0), chunk_size=256)
    return each(parameters, model, x, y)  # type: ignore[no-any-return]


def lengths(each: dict[str, tt.Tensor]) -> tt.Tensor:
    """The length of each image's gradient, over all parameters. Shape (N)."""
    squares: Any = sum((g ** 2).flatten(1).sum(1) for g in each.values())
    return squares.sqrt()  # type: ignore[no-any-return]


def seconds(device: tt.device) -> float:
    """The time when all work that the device was given is done."""
    if device.type == "cuda":
        tt.cuda.synchronize(device)
    return time.perf_counter()


def compare(model: nn.Module, x: tt.Tensor, y: tt.Tensor) -> None:
    """Prints how the gradients differ from those of backward(), and what a loop takes."""
    gradients(model, x, y)  # the first call compiles
    start = seconds(x.device)
    each = gradients(model, x, y)
    batched = seconds(x.device) - start
    model.zero_grad()
    F.cross_entropy(model(x), y).backward()
    largest = max(float((each[name].mean(0) - p.grad).abs().max() / p.grad.abs().max())
                  for name, p in model.named_parameters() if p.grad is not None)
    start = seconds(x.device)
    for i in range(len(x)):
        model.zero_grad()
        F.cross_entropy(model(x[i:i + 1]), y[i:i + 1]).backward()
    looped = seconds(x.device) - start
    print(f"{len(x)} images: mean of their gradients against backward(): {largest:.1e} of the "
          f"largest; vmap {batched * 1e3:.0f} ms, loop {looped * 1e3:.0f} ms")


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--wrong", type=float, default=0.05,
                        help="the fraction of labels that are changed (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=15,
                        help="passes over the images (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to check that it works")
    args = parser.parse_args()

    tt.manual_seed(args.seed)
    counts, true, _, _ = digits.load(args.seed)
    count = 128 if args.smoke else len(true)
    x, y = tt.tensor(counts[:count]) / digits.LEVELS, tt.tensor(true[:count])
    wrong = tt.rand(count) < args.wrong
    labels = tt.where(wrong, (y + tt.randint(1, 10, (count,))) % 10, y)
    x, labels = x.to(args.device), labels.to(args.device)

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(args.device)
    compare(model, x[:64], labels[:64])
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in support.progress(range(2 if args.smoke else args.epochs), desc="epochs"):
        for chosen in tt.randperm(count).split(32):
            loss = F.cross_entropy(model(x[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    length = lengths(gradients(model, x, labels)).cpu()
    order = length.argsort(descending=True)
    changed = int(wrong.sum())
    found = int(wrong[order[:changed]].sum())
    print(f"{changed} of {count} labels are wrong; {found} of them are among the {changed} images "
          "with the longest gradients")
    path = support.output("suspects.png")
    shown = order[:40]
    digits.sheet(x[shown].cpu().numpy(), path, columns=10, title="labelled as "
                 + " ".join(str(int(k)) for k in labels[shown[:10]]) + " (first row), ...")
    print(f"{path} shows the first 40")


if __name__ == "__main__":
    main()
