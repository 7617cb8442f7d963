"""A convolutional network on handwritten digits. It misreads about one held-out image in a hundred.

    python examples/04_cnn.py                    # scikit-learn's 1,797 real images of 8 by 8
    python examples/04_cnn.py --mnist FOLDER     # MNIST's IDX files in FOLDER, gzipped or not
    python examples/04_cnn.py --device cuda
    python examples/04_cnn.py --resume           # after Ctrl-C or a crash

What to look at:

- The table at the start. A convolution with twice the channels has four times the parameters, but
  after the pooling it is applied at a quarter of the positions.
- curves.png. The loss of single steps is noisy; its moving average falls by a factor of about
  twenty. The held-out accuracy settles as the learning rate falls to 0.
- mistakes.png. Most of the misread images would puzzle a human too.

Dropout, and a random shift of each image in every epoch, keep the network from memorizing the
images. Remove one of them, or batch normalization, and compare.
"""

from __future__ import annotations

import sys
from pathlib import Path

import support
import trainer

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.nn import functional as F  # noqa: N812
from tinytensor.utils import summary
from tinytensor.utils.data import DataLoader, TensorDataset, read_idx

Split = tuple[tt.Tensor, tt.Tensor]  # images (N, 1, size, size) in [0, 1], labels (N)


def digits() -> tuple[Split, Split]:
    """The training and the held-out images (a quarter). The split does not depend on --seed."""
    dataset = support.need("sklearn.datasets").load_digits()
    order = tt.randperm(len(dataset.target), generator=tt.Generator().manual_seed(0))
    x = tt.tensor(dataset.images, dtype=tt.float32).unsqueeze(1)[order] / 16
    y = tt.tensor(dataset.target)[order]
    cut = 3 * len(y) // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def mnist(folder: Path) -> tuple[Split, Split]:
    """The training and the test images of MNIST, or of a data set with the same file names.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or its content does not match its name.
    """
    return idx_pair(folder, "train"), idx_pair(folder, "t10k")


def idx_pair(folder: Path, part: str) -> Split:
    """The images and labels of one part, "train" or "t10k"."""
    images, labels = (idx_file(folder, f"{part}-{what}") for what in
                      ("images-idx3-ubyte", "labels-idx1-ubyte"))
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or x.dtype is not tt.uint8 or 0 in x.shape:
        raise ValueError(f"{images}: expected images, uint8 of shape (N, height, width), got "
                         f"{x.dtype} of shape {tuple(x.shape)}")
    if y.shape != x.shape[:1] or y.max() > 9:
        largest = f" with values up to {y.max().item()}" if y.numel() else ""
        raise ValueError(f"{labels}: expected a label from 0 to 9 for each of {len(x)} images, "
                         f"got shape {tuple(y.shape)}{largest}")
    return x.unsqueeze(1).float() / 255, y.long()


def idx_file(folder: Path, name: str) -> Path:
    """The path of an IDX file, with or without the ending .gz."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{folder / name}: expected this IDX file, or the same file with the ending .gz")


def network(size: int) -> nn.Module:
    """Two blocks, each of which halves the image, then a linear layer."""
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
                nn.MaxPool2d(2), nn.Dropout(0.25)]

    return nn.Sequential(*block(1, 16), *block(16, 32), nn.Flatten(),
                         nn.Linear(32 * (size // 4) ** 2, 10))


def shifted(x: tt.Tensor, reach: int = 1) -> tt.Tensor:
    """Shifts each image by up to `reach` random pixels along both axes, with zero padding."""
    n, _, height, width = x.shape
    rows = tt.randint(0, 2 * reach + 1, (n, 1, 1)) + tt.arange(height).view(1, -1, 1)
    columns = tt.randint(0, 2 * reach + 1, (n, 1, 1)) + tt.arange(width).view(1, 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach))
    return padded[tt.arange(n).view(-1, 1, 1), 0, rows, columns].unsqueeze(1)


def predictions(model: nn.Module, x: tt.Tensor, device: str) -> tt.Tensor:
    """The most likely digit of each image, computed 500 images at a time to save memory."""
    model.eval()
    with tt.no_grad():
        digits = [model(part.to(device)).argmax(1).cpu() for part in x.split(500)]
    model.train()
    return tt.cat(digits)


def plot_mistakes(x: tt.Tensor, y: tt.Tensor, guess: tt.Tensor, path: Path) -> None:
    """Draws the first eight misread images, with their label and the prediction."""
    wrong = (guess != y).nonzero().flatten().tolist()[:8]
    figure, panels = support.pyplot().subplots(1, 8, figsize=(8, 1.5), dpi=120)
    for axes in panels.flat:
        axes.axis("off")
    for i, axes in zip(wrong, panels.flat, strict=False):
        axes.imshow(x[i, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{int(y[i])}, not {int(guess[i])}", fontsize=8)
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    trainer.arguments(parser)
    parser.add_argument("--mnist", type=Path, metavar="FOLDER",
                        help="a folder with MNIST's IDX files (default: scikit-learn's digits)")
    parser.add_argument("--epochs", type=int,
                        help="passes over the training images (default: 30, with --mnist 5)")
    parser.add_argument("--batch-size", type=int, default=64,
                        help="images per step (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=5e-3,
                        help="the highest learning rate (default: %(default)s)")
    args = parser.parse_args()

    try:
        (x, y), (x_held_out, y_held_out) = mnist(args.mnist) if args.mnist else digits()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    epochs = args.epochs or (5 if args.mnist else 30)
    if args.smoke:
        x, y, x_held_out, y_held_out, epochs = x[:128], y[:128], x_held_out[:64], y_held_out[:64], 2

    tt.manual_seed(args.seed)
    model = network(x.shape[-1]).to(args.device)
    print(summary(model, (1, *x.shape[1:])))
    loader = DataLoader(TensorDataset(x, y), batch_size=args.batch_size, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, args.lr, epochs * len(loader))
    run = trainer.Run("04_cnn_mnist" if args.mnist else "04_cnn", args, model=model,
                      optimizer=optimizer, scheduler=scheduler, loader=loader)

    for _ in run.epochs(epochs):
        for images, labels in run.batches(loader):
            scores = model(shifted(images).to(args.device))
            loss = F.cross_entropy(scores, labels.to(args.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            run.log(loss=loss)
        guess = predictions(model, x_held_out, args.device)
        run.log(accuracy=(guess == y_held_out).float().mean())
    run.finish()

    guess = predictions(model, x_held_out, args.device)
    correct = int((guess == y_held_out).sum())
    plot_mistakes(x_held_out, y_held_out, guess, run.folder / "mistakes.png")
    print(f"{correct} of {len(y_held_out)} held-out images are read correctly "
          f"({correct / len(y_held_out):.2%}); {run.folder / 'mistakes.png'} shows misread ones")


if __name__ == "__main__":
    main()
