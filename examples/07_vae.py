"""A variational autoencoder on handwritten digits (Kingma and Welling 2014).

    python examples/07_vae.py               # 8 latent numbers an image
    python examples/07_vae.py --latent 2    # 2 of them: the whole latent space fits on one page
    python examples/07_vae.py --device cuda

The encoder gives a normal distribution q(z|x) of latent numbers for an image, the decoder p(x|z)
draws one from them. Training raises the evidence lower bound on log p(x), in nats:

    ELBO = E_q[log p(x|z)] - KL(q(z|x) || N(0, 1))

A pixel counts the inked ones of the 16 finer pixels under it, so p(x|z) is binomial, and the bound
is one on the probability of the images as they are, no surrogate.

What to look at: reconstructions.png, held-out digits above and what 8 numbers keep of them below;
samples.png, digits that nobody wrote; latent.png, where digits turn into each other (with
--latent 2 the whole plane, and where the held-out digits lie in it). In curves.png loss_held_out,
the -ELBO of held-out images, must fall with that of the training images; where it turns, the model
overfits.
"""

from __future__ import annotations

import argparse
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
WAYS = tt.tensor([math.log(math.comb(digits.LEVELS, k)) for k in range(digits.LEVELS + 1)],
                 dtype=tt.float64)


class VAE(nn.Module):
    """Encoder and decoder for images of `pixels` counts, with `latent` numbers between them."""

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
        """Mean and logarithm of the variance of q(z|x), each (N, latent)."""
        return self.encoder(2 * counts / digits.LEVELS - 1).chunk(2, -1)

    def decode(self, z: Any) -> Any:
        """Logits of the ink, (N, pixels)."""
        return self.decoder(z)

    def forward(self, counts: Any, noise: Any) -> tuple[Any, Any, Any]:
        """Logits of one draw z = mean + deviation * noise, then mean and log-variance.

        The draw is a differentiable function of mean and deviation: the reparameterisation that
        lets gradients through.
        """
        mean, log_variance = self.encode(counts)
        z = mean + (0.5 * log_variance).exp() * noise
        return self.decode(z), mean, log_variance


def log_likelihood(logits: Any, counts: Any) -> Any:
    """log p(x|z) of binomial counts, summed over the pixels: (N, pixels) -> (N)."""
    inked = counts * F.logsigmoid(logits) + (digits.LEVELS - counts) * F.logsigmoid(-logits)
    return (inked + WAYS.to(inked)[counts.long()]).sum(-1)


def divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, variance) || N(0, 1)), summed over the latents: (N, L) -> (N); appendix B."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def bound(model: VAE, counts: Any, noise: Any) -> tuple[Any, Any]:
    """The two parts of the ELBO, averaged over the batch: log-likelihood and divergence."""
    logits, mean, log_variance = model(counts, noise)
    return (log_likelihood(logits, counts).mean(), divergence(mean, log_variance).mean())


def histogram_nats(x: Any, held_out: Any) -> float:
    """-log p of a held-out image when each pixel is predicted by its own histogram over `x`."""
    seen = numpy.stack([(x == level).sum(0) for level in range(digits.LEVELS + 1)]) + 1
    share = seen / seen.sum(0)
    picked = share[held_out.astype(int), numpy.arange(x.shape[1])]
    return float(-numpy.log(picked).sum(1).mean())


def ink(logits: Any) -> Any:
    return logits.sigmoid().cpu().numpy()


def draw_latent_space(model: VAE, x: Any, y: Any, device: str, path: Any) -> None:
    """Walks from a held-out digit to the next; with two latents the plane they are spread on."""
    with tt.no_grad():
        mean = model.encode(tt.tensor(x, device=device))[0].cpu()
        if model.latent != 2:
            ends = mean[[int(numpy.flatnonzero(y == digit)[0]) for digit in range(10)]]
            weight = tt.linspace(0, 1, 12)[:, None]
            walks = tt.cat([start.lerp(end, weight)
                            for start, end in zip(ends, ends.roll(-1, 0), strict=True)])
            digits.sheet(ink(model.decode(walks.to(device))), path, columns=12,
                         title="straight lines in the latent space, from a held-out digit to the "
                               "next",
                         rows=[f"{digit} to {(digit + 1) % 10}" for digit in range(10)])
            return
        side, reach = 16, math.ceil(mean.abs().max().item())
        place = reach * ((2 * tt.arange(side) + 1) / side - 1)
        up, across = tt.meshgrid(place.flip(0), place, indexing="ij")
        plane = ink(model.decode(tt.stack([across.ravel(), up.ravel()], 1).to(device)))
    plt = support.pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4), dpi=120, sharex=True,
                                         sharey=True)
    digits.show(left, plane, side, extent=(-reach, reach, -reach, reach))
    left.set(title="what the decoder draws from z", xlabel="z0", ylabel="z1")
    colours = plt.get_cmap("tab10")
    for digit in range(10):
        right.scatter(*mean.numpy()[y == digit].T, s=26, color=colours(digit), label=str(digit))
    right.set(title="where the encoder puts held-out digits", xlabel="z0", aspect="equal")
    right.legend(title="digit", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latent", type=int, default=8, help="latent numbers, default: 8")
    parser.add_argument("--epochs", type=int, default=100)
    trainer.arguments(parser)
    given = parser.parse_args()
    if given.latent < 1 or given.epochs < 1:
        parser.error("--latent and --epochs must be at least 1")

    x, y, x_held_out, y_held_out = digits.load(given.seed)
    if given.smoke:
        x, y, given.epochs = x[:256], y[:256], 2
    tt.manual_seed(given.seed)
    model = VAE(given.latent).to(given.device)
    optimizer = tt.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.epochs)
    loader = DataLoader(TensorDataset(tt.tensor(x, device=given.device)), batch_size=64,
                        shuffle=True)
    counts_held_out = tt.tensor(x_held_out, device=given.device)
    run = trainer.Run("07_vae", given, model=model, optimizer=optimizer, scheduler=scheduler,
                      loader=loader)
    for _ in run.epochs(given.epochs):
        for (counts,) in run.batches(loader):
            noise = tt.randn(len(counts), model.latent, device=given.device)
            likelihood, kl = bound(model, counts, noise)
            loss = kl - likelihood
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log(loss=loss, kl=kl)
        scheduler.step()
        with tt.no_grad():
            noise = tt.randn(len(counts_held_out), model.latent, device=given.device)
            likelihood, kl = bound(model, counts_held_out, noise)
        run.log(loss_held_out=kl - likelihood)
    run.finish()
    report(model, run, x, y, x_held_out, y_held_out)


def report(model: VAE, run: Any, x: Any, y: Any, x_held_out: Any, y_held_out: Any) -> None:
    """Prints what the model reached and draws the pictures."""
    device = run.given.device
    with tt.no_grad():
        counts = tt.tensor(x_held_out, device=device)
        parts = [bound(model, counts, tt.randn(len(counts), model.latent, device=device))
                 for _ in range(20)]
        reconstructed = ink(model.decode(model.encode(counts)[0]))
        samples = ink(model.decode(tt.randn(1000, model.latent, device=device)))
    nats = -sum((likelihood - kl).item() for likelihood, kl in parts) / len(parts)
    bits = 1 / (math.log(2) * x.shape[1])
    plain = histogram_nats(x, x_held_out)
    print(f"\nheld-out digits: -ELBO {nats:.1f} nats an image, {nats * bits:.2f} bits a pixel "
          f"(each pixel by its own histogram: {plain:.1f} and {plain * bits:.2f})")

    judge = digits.Judge(x, y)
    digits.print_verdicts({"held-out digits": judge(x_held_out / digits.LEVELS),
                           "their reconstructions": judge(reconstructed),
                           "samples": judge(samples)})
    above_below = numpy.stack([(x_held_out / digits.LEVELS)[:40].reshape(4, 10, 64),
                               reconstructed[:40].reshape(4, 10, 64)], 1)
    pictures = {name: run.folder / f"{name}.png"
                for name in ("reconstructions", "samples", "latent")}
    digits.sheet(above_below.reshape(-1, 64), pictures["reconstructions"],
                 rows=["held out", "rebuilt"] * 4,
                 title=f"held-out digits, and what {model.latent} numbers keep of them")
    digits.sheet(samples[:100], pictures["samples"], title="samples of the prior, decoded")
    draw_latent_space(model, x_held_out, y_held_out, device, pictures["latent"])
    print("\nWhat to look at:")
    print(f"  {pictures['reconstructions']}: the same digit above and below, the lower one smooth")
    print(f"  {pictures['samples']}: most should be digits, some lie between two")
    print(f"  {pictures['latent']}: digits turn into each other without a break")
    print(f"  {run.folder / 'curves.png'}: loss_held_out, the -ELBO, still falls at the end")


if __name__ == "__main__":
    main()
