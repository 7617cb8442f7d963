"""A variational autoencoder on handwritten digits (Kingma and Welling 2014).

    python examples/07_vae.py               # 8 latent variables per image
    python examples/07_vae.py --latent 2    # 2 latent variables: one picture shows the latent space
    python examples/07_vae.py --device cuda

The encoder maps an image x to a normal distribution q(z|x) over latent variables z. The decoder
maps z to a distribution p(x|z) over images. Training maximizes the evidence lower bound on
log p(x), in nats:

    ELBO = E_q[log p(x|z)] - KL(q(z|x) || N(0, 1))

A pixel is the number of inked pixels in a block of 16, so p(x|z) is binomial. The ELBO is therefore
a bound on the probability of the data themselves, not of a rescaled version.

What to look at:

- reconstructions.png: held-out digits, and below them their reconstructions from 8 numbers.
- samples.png: new digits.
- latent.png: how digits turn into each other. With --latent 2: the whole latent plane, and the
  positions of the held-out digits in it.
- curves.png: `loss_held_out`, the -ELBO of held-out images. It should fall with the training loss.
  When it rises, the model overfits.
"""

from __future__ import annotations

import math
from typing import Any

import digits
import support
import trainer

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F  # noqa: N812
from tinytensor.utils.data import DataLoader, TensorDataset

numpy = support.need("numpy")
LOG_BINOMIALS = tt.tensor(
    [math.log(math.comb(digits.LEVELS, k)) for k in range(digits.LEVELS + 1)], dtype=tt.float64)


class VAE(nn.Module):
    """An encoder and a decoder for images of `pixels` counts, with `latent` latent variables."""

    def __init__(self, latent: int = 8, width: int = 256, pixels: int = 64):
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Linear(pixels, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 2 * latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, pixels))

    def encode(self, counts: Any) -> tuple[Any, Any]:
        """The mean and the log-variance of q(z|x). Shapes: (N, pixels) -> (N, latent) twice."""
        return self.encoder(2 * counts / digits.LEVELS - 1).chunk(2, -1)

    def decode(self, z: Any) -> Any:
        """The logits of p(x|z). Shapes: (N, latent) -> (N, pixels)."""
        return self.decoder(z)

    def forward(self, counts: Any, noise: Any) -> tuple[Any, Any, Any]:
        """The logits for one sample z, and the mean and log-variance of q(z|x).

        z = mean + std * noise is a differentiable function of mean and std, so gradients reach the
        encoder (the reparameterization trick).
        """
        mean, log_variance = self.encode(counts)
        z = mean + (0.5 * log_variance).exp() * noise
        return self.decode(z), mean, log_variance


def log_likelihood(logits: Any, counts: Any) -> Any:
    """log p(x|z) of binomial counts, summed over the pixels. Shapes: (N, pixels) twice -> (N)."""
    inked = counts * F.logsigmoid(logits) + (digits.LEVELS - counts) * F.logsigmoid(-logits)
    return (inked + LOG_BINOMIALS.to(inked)[counts.long()]).sum(-1)


def divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, variance) || N(0, 1)), summed over z (Kingma and Welling 2014, appendix B).

    Shapes: (N, latent) twice -> (N).
    """
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def bound(model: VAE, counts: Any, noise: Any) -> tuple[Any, Any]:
    """The two terms of the ELBO, averaged over the batch: log-likelihood and KL divergence."""
    logits, mean, log_variance = model(counts, noise)
    return log_likelihood(logits, counts).mean(), divergence(mean, log_variance).mean()


def histogram_nats(x: Any, held_out: Any) -> float:
    """A baseline: -log p of a held-out image if each pixel has its own histogram over `x`."""
    counts = numpy.stack([(x == level).sum(0) for level in range(digits.LEVELS + 1)]) + 1
    frequencies = counts / counts.sum(0)
    probabilities = frequencies[held_out.astype(int), numpy.arange(x.shape[1])]
    return float(-numpy.log(probabilities).sum(1).mean())


def ink(logits: Any) -> Any:
    """The mean of p(x|z) as a NumPy array in [0, 1]."""
    return logits.sigmoid().cpu().numpy()


def draw_latent_space(model: VAE, x: Any, y: Any, device: str, path: Any) -> None:
    """Draws interpolations between held-out digits, or for two latent variables the plane."""
    with tt.no_grad():
        mean = model.encode(tt.tensor(x, device=device))[0].cpu()
        if model.latent != 2:
            ends = mean[[int(numpy.flatnonzero(y == digit)[0]) for digit in range(10)]]
            weight = tt.linspace(0, 1, 12)[:, None]
            walks = tt.cat([start.lerp(end, weight)
                            for start, end in zip(ends, ends.roll(-1, 0), strict=True)])
            digits.sheet(ink(model.decode(walks.to(device))), path, columns=12,
                         title="linear interpolation between held-out digits in latent space",
                         rows=[f"{digit} to {(digit + 1) % 10}" for digit in range(10)])
            return
        side, limit = 16, math.ceil(mean.abs().max().item())
        grid = limit * ((2 * tt.arange(side) + 1) / side - 1)
        z1, z0 = tt.meshgrid(grid.flip(0), grid, indexing="ij")
        plane = ink(model.decode(tt.stack([z0.ravel(), z1.ravel()], 1).to(device)))
    plt = support.pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4), dpi=120, sharex=True,
                                         sharey=True)
    digits.show(left, plane, side, extent=(-limit, limit, -limit, limit))
    left.set(title="decoded images by z", xlabel="z0", ylabel="z1")
    colors = plt.get_cmap("tab10")
    for digit in range(10):
        right.scatter(*mean.numpy()[y == digit].T, s=26, color=colors(digit), label=str(digit))
    right.set(title="encoded held-out digits", xlabel="z0", aspect="equal")
    right.legend(title="digit", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--latent", type=int, default=8,
                        help="latent variables per image (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=100,
                        help="passes over the training images (default: %(default)s)")
    trainer.arguments(parser)
    args = parser.parse_args()
    if args.latent < 1 or args.epochs < 1:
        parser.error("--latent and --epochs must be at least 1")

    x, y, x_held_out, y_held_out = digits.load(args.seed)
    if args.smoke:
        x, y, args.epochs = x[:256], y[:256], 2
    tt.manual_seed(args.seed)
    model = VAE(args.latent).to(args.device)
    optimizer = tt.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    loader = DataLoader(TensorDataset(tt.tensor(x, device=args.device)), batch_size=64,
                        shuffle=True)
    counts_held_out = tt.tensor(x_held_out, device=args.device)
    run = trainer.Run("07_vae", args, model=model, optimizer=optimizer, scheduler=scheduler,
                      loader=loader)
    for _ in run.epochs(args.epochs):
        for (counts,) in run.batches(loader):
            noise = tt.randn(len(counts), model.latent, device=args.device)
            likelihood, kl = bound(model, counts, noise)
            loss = kl - likelihood
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log(loss=loss, kl=kl)
        scheduler.step()
        with tt.no_grad():
            noise = tt.randn(len(counts_held_out), model.latent, device=args.device)
            likelihood, kl = bound(model, counts_held_out, noise)
        run.log(loss_held_out=kl - likelihood)
    run.finish()
    report(model, run, x, y, x_held_out, y_held_out)


def report(model: VAE, run: Any, x: Any, y: Any, x_held_out: Any, y_held_out: Any) -> None:
    """Prints the metrics and draws the pictures."""
    device = run.args.device
    with tt.no_grad():
        counts = tt.tensor(x_held_out, device=device)
        parts = [bound(model, counts, tt.randn(len(counts), model.latent, device=device))
                 for _ in range(20)]
        reconstructed = ink(model.decode(model.encode(counts)[0]))
        samples = ink(model.decode(tt.randn(1000, model.latent, device=device)))
    nats = -sum((likelihood - kl).item() for likelihood, kl in parts) / len(parts)
    bits = 1 / (math.log(2) * x.shape[1])
    plain = histogram_nats(x, x_held_out)
    print(f"\nheld-out digits: -ELBO {nats:.1f} nats per image, {nats * bits:.2f} bits per pixel "
          f"(baseline, a histogram per pixel: {plain:.1f} and {plain * bits:.2f})")

    evaluator = digits.Evaluator(x, y)
    digits.print_metrics({"held-out digits": evaluator(x_held_out / digits.LEVELS),
                          "their reconstructions": evaluator(reconstructed),
                          "samples": evaluator(samples)})
    pairs = numpy.stack([(x_held_out / digits.LEVELS)[:40].reshape(4, 10, 64),
                         reconstructed[:40].reshape(4, 10, 64)], 1)
    pictures = {name: run.folder / f"{name}.png"
                for name in ("reconstructions", "samples", "latent")}
    digits.sheet(pairs.reshape(-1, 64), pictures["reconstructions"],
                 rows=["held out", "rebuilt"] * 4,
                 title=f"held-out digits and their reconstructions from {model.latent} numbers")
    digits.sheet(samples[:100], pictures["samples"], title="decoded samples of the prior")
    draw_latent_space(model, x_held_out, y_held_out, device, pictures["latent"])
    print("\nWhat to look at after a full training:")
    print(f"  {pictures['reconstructions']}: the lower image is a smooth copy of the upper one")
    print(f"  {pictures['samples']}: most are digits, some are between two digits")
    print(f"  {pictures['latent']}: digits turn into each other smoothly")
    print(f"  {run.folder / 'curves.png'}: loss_held_out, the -ELBO, still falls at the end")


if __name__ == "__main__":
    main()
