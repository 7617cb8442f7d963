"""A convolutional network on handwritten digits, of which it misreads about one in a hundred.

    python examples/04_cnn.py                    # scikit-learn's 1,797 real images of 8 by 8
    python examples/04_cnn.py --mnist FOLDER     # MNIST from its IDX files there, gzipped or not
    python examples/04_cnn.py --device cuda
    python examples/04_cnn.py --resume           # after Ctrl-C, or a crash

What to look at. The table that is printed first: a layer with twice the channels has four times the
parameters, but works on a quarter of the places. curves.png: the loss of single steps is noisy, its
moving average falls by a factor of about twenty, and the accuracy on images held out settles as the
learning rate falls to 0. The network could learn all images by heart; that it does not is owed to
dropout, and to shifting each image anew in every epoch. Take one of them away, or batch
normalisation, and compare. mistakes.png: most of what is misread would puzzle a human too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import support
import trainer

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.nn import functional as F  # noqa: N812
from tinytensor.utils import summary
from tinytensor.utils.data import DataLoader, TensorDataset, read_idx

Split = tuple[tt.Tensor, tt.Tensor]  # images (N, 1, size, size) from 0 to 1, labels (N)


def digits() -> tuple[Split, Split]:
    """Three quarters to train on, a quarter held out; the split is the same for every seed."""
    found = support.need("sklearn.datasets").load_digits()
    order = tt.randperm(len(found.target), generator=tt.Generator().manual_seed(0))
    x = tt.tensor(found.images, dtype=tt.float32).unsqueeze(1)[order] / 16
    y = tt.tensor(found.target)[order]
    cut = 3 * len(y) // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def mnist(folder: Path) -> tuple[Split, Split]:
    """The two pairs of IDX files that MNIST and its relatives come in.

    Raises:
        FileNotFoundError, ValueError: a file is missing, damaged, or not what its name says.
    """
    return idx_pair(folder, "train"), idx_pair(folder, "t10k")


def idx_pair(folder: Path, part: str) -> Split:
    images, labels = (idx_file(folder, f"{part}-{what}") for what in
                      ("images-idx3-ubyte", "labels-idx1-ubyte"))
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or x.dtype is not tt.uint8 or 0 in x.shape:
        raise ValueError(f"{images}: expected images, uint8 of shape (N, height, width), found "
                         f"{x.dtype} of shape {tuple(x.shape)}")
    if y.shape != x.shape[:1] or y.max() > 9:
        found = f", up to {y.max().item()}" if y.numel() else ""
        raise ValueError(f"{labels}: expected a label from 0 to 9 for each of {len(x)} images, "
                         f"found shape {tuple(y.shape)}{found}")
    return x.unsqueeze(1).float() / 255, y.long()


def idx_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(f"{folder / name}: expected this IDX file, or the same with .gz")


def network(size: int) -> nn.Module:
    """Two blocks that halve the size of the image, then a linear layer."""
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
                nn.MaxPool2d(2), nn.Dropout(0.25)]

    return nn.Sequential(*block(1, 16), *block(16, 32), nn.Flatten(),
                         nn.Linear(32 * (size // 4) ** 2, 10))


def shifted(x: tt.Tensor, reach: int = 1) -> tt.Tensor:
    """Each image moved by up to `reach` pixels in both directions, with black around it."""
    n, _, height, width = x.shape
    rows = tt.randint(0, 2 * reach + 1, (n, 1, 1)) + tt.arange(height).view(1, -1, 1)
    columns = tt.randint(0, 2 * reach + 1, (n, 1, 1)) + tt.arange(width).view(1, 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach))
    return padded[tt.arange(n).view(-1, 1, 1), 0, rows, columns].unsqueeze(1)


def predictions(model: nn.Module, x: tt.Tensor, device: str) -> tt.Tensor:
    """The most likely digit of each image, in batches that fit into memory."""
    model.eval()
    with tt.no_grad():
        found = [model(part.to(device)).argmax(1).cpu() for part in x.split(500)]
    model.train()
    return tt.cat(found)


def plot_mistakes(x: tt.Tensor, y: tt.Tensor, guess: tt.Tensor, path: Path) -> None:
    """The first of the images that the network got wrong."""
    wrong = (guess != y).nonzero().flatten().tolist()[:8]
    figure, panels = support.pyplot().subplots(1, 8, figsize=(8, 1.5), dpi=120)
    for axes in panels.flat:
        axes.axis("off")
    for i, axes in zip(wrong, panels.flat, strict=False):
        axes.imshow(x[i, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{int(y[i])}, not {int(guess[i])}", fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    trainer.arguments(parser)
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="with MNIST's IDX files")
    parser.add_argument("--epochs", type=int, help="default: 30, with --mnist 5")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-3, help="the highest rate; default: 0.005")
    given = parser.parse_args()

    try:
        (x, y), (x_held_out, y_held_out) = mnist(given.mnist) if given.mnist else digits()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    epochs = given.epochs or (5 if given.mnist else 30)
    if given.smoke:
        x, y, x_held_out, y_held_out, epochs = x[:128], y[:128], x_held_out[:64], y_held_out[:64], 2

    tt.manual_seed(given.seed)
    model = network(x.shape[-1]).to(given.device)
    print(summary(model, (1, *x.shape[1:])))
    loader = DataLoader(TensorDataset(x, y), batch_size=given.batch_size, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=given.lr, weight_decay=0.01)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, given.lr, epochs * len(loader))
    run = trainer.Run("04_cnn_mnist" if given.mnist else "04_cnn", given, model=model,
                      optimizer=optimizer, scheduler=scheduler, loader=loader)

    for _ in run.epochs(epochs):
        for images, labels in run.batches(loader):
            scores = model(shifted(images).to(given.device))
            loss = F.cross_entropy(scores, labels.to(given.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            run.log(loss=loss)
        guess = predictions(model, x_held_out, given.device)
        run.log(accuracy=(guess == y_held_out).float().mean())
    run.finish()

    guess = predictions(model, x_held_out, given.device)
    right = int((guess == y_held_out).sum())
    plot_mistakes(x_held_out, y_held_out, guess, run.folder / "mistakes.png")
    print(f"{right} of {len(y_held_out)} held-out images are read correctly: "
          f"{right / len(y_held_out):.2%}; some of the others are in {run.folder / 'mistakes.png'}")


if __name__ == "__main__":
    main()
