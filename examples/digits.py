"""What the generative examples share: the data, pictures of digits, and metrics for samples.

The data are scikit-learn's 1,797 handwritten digits of 8 by 8 pixels. A pixel is a count from 0 to
16: the number of inked pixels in a block of 4 by 4 of the scanned image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import support

numpy = support.need("numpy")
LEVELS = 16  # the largest value of a pixel


def load(seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Returns x, y, x_held_out, y_held_out: counts (N, 64), float32, and labels (N).

    A tenth of the images is held out.
    """
    dataset = support.need("sklearn.datasets").load_digits()
    order = numpy.random.default_rng(seed).permutation(len(dataset.target))
    x, y = dataset.data[order].astype("float32"), dataset.target[order]
    cut = 9 * len(y) // 10
    return x[:cut], y[:cut], x[cut:], y[cut:]


def page(images: Any, columns: int) -> Any:
    """Arranges images (N, 64) in a grid with `columns` columns; NaN separates them."""
    images = numpy.asarray(images).reshape(-1, 8, 8)
    rows = -(-len(images) // columns)
    grid = numpy.full((9 * rows + 1, 9 * columns + 1), numpy.nan)
    for i, image in enumerate(images):
        top, left = 9 * (i // columns) + 1, 9 * (i % columns) + 1
        grid[top:top + 8, left:left + 8] = image
    return grid


def show(axes: Any, images: Any, columns: int, **options: Any) -> None:
    """Draws a grid of images (N, 64) in [0, 1] into the axes, black on white."""
    shades = support.pyplot().get_cmap("gray_r").copy()
    shades.set_bad("#9db4c8")
    axes.imshow(page(images, columns), cmap=shades, vmin=0, vmax=1, **options)


def sheet(images: Any, path: Any, columns: int = 10, title: str = "",
          rows: list[str] | None = None) -> None:
    """Writes a PNG with a grid of images. `rows` are labels for the rows."""
    lines = -(-len(images) // columns)
    pixel = 0.045  # inches; small pixels look like strokes, large ones like squares
    plt = support.pyplot()
    figure = plt.figure(dpi=120, figsize=(pixel * (9 * columns + 1), pixel * (9 * lines + 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    show(axes, images, columns)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([9 * i + 4.5 for i in range(lines)] if rows else [], rows or [], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    support.save(figure, path, bbox_inches="tight", pad_inches=0.06)  # includes title and labels


@dataclass
class Metrics:
    """The metrics of a set of images."""

    recognized: float  # share of images with a class probability of at least 0.9
    shares: Any        # (10,): share of images that are classified as each digit
    distance: float    # Fréchet distance of their features to those of the training images
    nearest: float     # median Euclidean distance to the nearest training image


def print_metrics(metrics: dict[str, Metrics]) -> None:
    """Prints a table with a line for each set of images."""
    width = max(map(len, metrics))
    print(f"\n{'':{width}s}{'sure':>9s}{'Fréchet':>9s}{'nearest':>9s}   digits 0 to 9, in %")
    for name, values in metrics.items():
        print(f"{name:{width}s}{values.recognized:9.1%}{values.distance:9.2f}"
              f"{values.nearest:9.2f}   "
              + " ".join(f"{100 * share:2.0f}" for share in values.shares))


class Evaluator:
    """Computes the metrics with a classifier that is trained on the real digits.

    Three failures of a generator show in them:

    - Its images look like no digit: `recognized` is low.
    - Some digits are missing: `shares` are uneven, and the Fréchet distance (Heusel et al. 2017,
      here on the features of this classifier) is large.
    - It copies training images: `nearest` is far below that of held-out images.
    """

    def __init__(self, x: Any, y: Any, epochs: int = 30) -> None:
        import tinytensor as tt
        from tinytensor import nn

        self.x = x / LEVELS
        self.tt = tt
        state = tt.get_rng_state()
        tt.manual_seed(0)
        self.features = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU())
        self.scores = nn.Linear(32, 10)
        optimizer = tt.optim.AdamW(
            [*self.features.parameters(), *self.scores.parameters()], lr=3e-3, weight_decay=0.05)
        rng = numpy.random.default_rng(0)
        for _ in range(epochs):
            for rows in support.batches(rng.permutation(len(y)), 64):
                noisy = self.x[rows] + 0.1 * rng.normal(size=(len(rows), 64)).astype("float32")
                loss = nn.functional.cross_entropy(
                    self.scores(self.features(tt.tensor(noisy))), tt.tensor(y[rows]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        tt.set_rng_state(state)
        self.real = self._features(self.x)

    def _features(self, images: Any) -> Any:
        with self.tt.no_grad():
            return self.features(self.tt.tensor(images)).numpy()

    def probabilities(self, images: Any) -> Any:
        """Class probabilities. Shapes: (N, 64) in [0, 1] -> (N, 10)."""
        with self.tt.no_grad():
            return self.scores(self.tt.tensor(self._features(images))).softmax(-1).numpy()

    def __call__(self, images: Any) -> Metrics:
        images = numpy.asarray(images, "float32").reshape(-1, 64)
        probabilities = self.probabilities(images)
        return Metrics(
            recognized=float((probabilities.max(1) >= 0.9).mean()),
            shares=numpy.bincount(probabilities.argmax(1), minlength=10) / len(images),
            distance=frechet(self._features(images), self.real),
            nearest=float(numpy.median(nearest(images, self.x)[0])))


def nearest(images: Any, others: Any) -> tuple[Any, Any]:
    """For each image the Euclidean distance to the nearest of `others`, and its index.

    Shapes: (N, 64), (M, 64) -> (N), (N).
    """
    squares = (images**2).sum(1)[:, None] - 2 * images @ others.T + (others**2).sum(1)
    index = squares.argmin(1)
    return numpy.sqrt(numpy.maximum(squares[numpy.arange(len(images)), index], 0)), index


def draw_nearest(images: Any, others: Any, path: Any) -> None:
    """Draws each image with the nearest of `others` below it. Takes a multiple of ten images."""
    neighbors = others[nearest(images, others)[1]]
    pairs = numpy.stack([images.reshape(-1, 10, 64), neighbors.reshape(-1, 10, 64)], 1)
    sheet(pairs.reshape(-1, 64), path, title="samples and their nearest training images",
          rows=["sample", "nearest"] * (len(images) // 10))


def frechet(a: Any, b: Any) -> float:
    """|mean a - mean b|² + tr(A + B - 2 (A B)^½). A and B are the covariances of the rows."""
    cov_a, cov_b = numpy.cov(a.T), numpy.cov(b.T)
    # The eigenvalues of A B are real and not negative, except for rounding.
    roots = numpy.sqrt(numpy.maximum(numpy.linalg.eigvals(cov_a @ cov_b).real, 0))
    return float(((a.mean(0) - b.mean(0))**2).sum()
                 + numpy.trace(cov_a) + numpy.trace(cov_b) - 2 * roots.sum())
