"""Digits for the generative examples: the real ones, sheets of made ones, and a judge of those.

The data are scikit-learn's 1,797 handwritten digits, 8 by 8. A pixel is a count from 0 to 16: how
many of the 4 by 4 finer pixels under it were inked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import support

numpy = support.need("numpy")
LEVELS = 16  # the largest pixel


def load(seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Counts (N, 64) as float32 and labels (N,): nine tenths to train on, a tenth held out."""
    found = support.need("sklearn.datasets").load_digits()
    order = numpy.random.default_rng(seed).permutation(len(found.target))
    x, y = found.data[order].astype("float32"), found.target[order]
    cut = 9 * len(y) // 10
    return x[:cut], y[:cut], x[cut:], y[cut:]


def page(images: Any, columns: int) -> Any:
    """Images (N, 64) with ink from 0 to 1, row by row in one array, with NaN between them."""
    images = numpy.asarray(images).reshape(-1, 8, 8)
    lines = -(-len(images) // columns)
    found = numpy.full((9 * lines + 1, 9 * columns + 1), numpy.nan)
    for i, image in enumerate(images):
        down, across = 9 * (i // columns) + 1, 9 * (i % columns) + 1
        found[down:down + 8, across:across + 8] = image
    return found


def show(axes: Any, images: Any, columns: int, **options: Any) -> None:
    """Draws a page of images into the axes, black ink on white."""
    shades = support.pyplot().get_cmap("gray_r").copy()
    shades.set_bad("#9db4c8")
    axes.imshow(page(images, columns), cmap=shades, vmin=0, vmax=1, **options)


def sheet(images: Any, path: Any, columns: int = 10, title: str = "",
          rows: list[str] | None = None) -> None:
    """A PNG with a page of images; `rows` are labels at its left."""
    lines = -(-len(images) // columns)
    pixel = 0.045  # inches: small, as the eye then sees strokes in place of squares
    plt = support.pyplot()
    figure = plt.figure(dpi=120, figsize=(pixel * (9 * columns + 1), pixel * (9 * lines + 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    show(axes, images, columns)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([9 * i + 4.5 for i in range(lines)] if rows else [], rows or [], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.savefig(path, bbox_inches="tight", pad_inches=0.06)  # with what stands around it
    plt.close(figure)


@dataclass
class Verdict:
    """What the judge finds in a set of images."""

    recognised: float  # share that the classifier is sure about: probability at least 0.9
    shares: Any        # (10,): which share it takes for which digit
    distance: float    # Fréchet distance of its features to those of the training images
    nearest: float     # median distance to the nearest training image, in pixels of full ink


def print_verdicts(verdicts: dict[str, Verdict]) -> None:
    """A table with a line for each set of images."""
    wide = max(map(len, verdicts))
    print(f"\n{'':{wide}s}{'sure':>9s}{'Fréchet':>9s}{'nearest':>9s}   digits 0 to 9, in %")
    for name, found in verdicts.items():
        print(f"{name:{wide}s}{found.recognised:9.1%}{found.distance:9.2f}{found.nearest:9.2f}   "
              + " ".join(f"{100 * share:2.0f}" for share in found.shares))


class Judge:
    """A classifier trained on the real digits, and the real digits themselves.

    A generator can fail in three ways, and each of the figures shows one: images that look like no
    digit (`recognised` is low), some digits missing (`shares`; with it the Fréchet distance of
    Heusel et al. 2017 grows, here on the features of this classifier), and training images given
    back as new ones (`nearest` far below that of held-out images).
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
        """(N, 10) for images (N, 64) with ink from 0 to 1."""
        with self.tt.no_grad():
            return self.scores(self.tt.tensor(self._features(images))).softmax(-1).numpy()

    def __call__(self, images: Any) -> Verdict:
        images = numpy.asarray(images, "float32").reshape(-1, 64)
        probabilities = self.probabilities(images)
        return Verdict(
            recognised=float((probabilities.max(1) >= 0.9).mean()),
            shares=numpy.bincount(probabilities.argmax(1), minlength=10) / len(images),
            distance=frechet(self._features(images), self.real),
            nearest=float(numpy.median(nearest(images, self.x)[0])))


def nearest(images: Any, others: Any) -> tuple[Any, Any]:
    """For each image (N, 64) the Euclidean distance to the nearest of `others`, and its number."""
    squares = ((images**2).sum(1)[:, None] - 2 * images @ others.T + (others**2).sum(1))
    found = squares.argmin(1)
    return numpy.sqrt(numpy.maximum(squares[numpy.arange(len(images)), found], 0)), found


def draw_nearest(images: Any, others: Any, path: Any) -> None:
    """A sheet with the nearest of `others` under each image, for a multiple of ten images."""
    found = others[nearest(images, others)[1]]
    pairs = numpy.stack([images.reshape(-1, 10, 64), found.reshape(-1, 10, 64)], 1)
    sheet(pairs.reshape(-1, 64), path, title="samples, and the training images nearest to them",
          rows=["sample", "nearest"] * (len(images) // 10))


def frechet(a: Any, b: Any) -> float:
    """|mean a - mean b|² + tr(A + B - 2 (A B)^½) for rows a, b with the covariances A, B."""
    cov_a, cov_b = numpy.cov(a.T), numpy.cov(b.T)
    # A B has the eigenvalues of a symmetric positive matrix: rounding alone makes them negative.
    roots = numpy.sqrt(numpy.maximum(numpy.linalg.eigvals(cov_a @ cov_b).real, 0))
    return float(((a.mean(0) - b.mean(0))**2).sum()
                 + numpy.trace(cov_a) + numpy.trace(cov_b) - 2 * roots.sum())
