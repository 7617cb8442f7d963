"""A GAN with gradient penalty (WGAN-GP: Gulrajani et al. 2017) on handwritten digits.

    python examples/08_gan.py
    python examples/08_gan.py --device cuda

The generator makes images from noise. The critic is trained so that the difference of its mean
scores of real and made images is as large as a function of slope 1 can have it: that is their
Wasserstein distance (Arjovsky et al. 2017). The generator is trained to shorten it. A penalty
holds the slope, at points between real and made images:

    critic:     mean D(made) - mean D(real) + weight mean (|dD/dx| - 1)²
    generator: - mean D(made)

The penalty is a function of a gradient, and training needs its gradient: the backward pass is
itself differentiated (`autograd.grad(..., create_graph=True)`).

What to look at: samples.png; and in curves.png `distance`. It falls to a tenth in the first 200
steps and then stays about level, as the critic's eye sharpens with the samples; unlike the losses
of other GANs it says how training goes: if it rises for long, the generator has lost touch.
`overfit` is how much better the critic likes the training images than held-out ones. It grows as
the critic learns them by heart, here to a third of the distance; longer training would pay less
and less.

The generator could cheat by giving training images back, or few kinds of digits: the table's
`nearest` would be far below that of held-out digits, or the ten shares uneven; copies.png shows
samples and what is nearest to them.
"""

from __future__ import annotations

import argparse
from typing import Any

import digits
import support
import trainer

import tinytensor as tt
from tinytensor import nn

numpy = support.need("numpy")
NOISE = 32  # numbers that an image is made from


def generator(width: int = 256) -> nn.Sequential:
    """Noise (N, 32) -> images (N, 64) with ink from 0 to 1."""
    return nn.Sequential(
        nn.Linear(NOISE, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, 64), nn.Sigmoid())


def critic(width: int = 256) -> nn.Sequential:
    """Images (N, 64) -> scores (N, 1). No norm over the batch: each image has its own slope."""
    return nn.Sequential(
        nn.Linear(64, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, 1))


def gradient_penalty(score: Any, real: Any, made: Any, share: Any) -> Any:
    """mean (|d score / d x| - 1)² at x = share real + (1 - share) made; `share` is (N, 1)."""
    between = (share * real + (1 - share) * made).detach().requires_grad_()
    slope, = tt.autograd.grad(score(between).sum(), between, create_graph=True)
    return ((slope.norm(2, dim=1) - 1) ** 2).mean()


def critic_loss(score: Any, real: Any, made: Any, share: Any, weight: float) -> tuple[Any, Any]:
    """The critic's loss, and the distance that it sees between the two batches."""
    distance = score(real).mean() - score(made).mean()
    return weight * gradient_penalty(score, real, made, share) - distance, distance


def generator_loss(score: Any, made: Any) -> Any:
    return -score(made).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="of the generator, default: 2000")
    parser.add_argument("--penalty", type=float, default=1.0, help="its weight, default: 1")
    trainer.arguments(parser)
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps must be at least 1")
    if given.smoke:
        given.steps = 3

    x, y, x_held_out, _ = digits.load(given.seed)
    tt.manual_seed(given.seed)
    device, size = given.device, 64
    images = tt.tensor(x / digits.LEVELS, device=device)
    held_out = tt.tensor(x_held_out / digits.LEVELS, device=device)
    make, score = generator().to(device), critic().to(device)
    optimizers = [tt.optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9))
                  for model in (make, score)]
    schedulers = [tt.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, given.steps)
                  for optimizer in optimizers]
    run = trainer.Run("08_gan", given, generator=make, critic=score,
                      generator_optimizer=optimizers[0], critic_optimizer=optimizers[1],
                      generator_scheduler=schedulers[0], critic_scheduler=schedulers[1])
    for step in run.steps(given.steps):
        for _ in range(5):  # the critic has to be near its best for the distance to be one
            real = images[tt.randint(0, len(images), (size,), device=device)]
            with tt.no_grad():
                made = make(tt.randn(size, NOISE, device=device))
            loss, distance = critic_loss(score, real, made, tt.rand(size, 1, device=device),
                                         given.penalty)
            optimizers[1].zero_grad()
            loss.backward()
            optimizers[1].step()
        loss = generator_loss(score, make(tt.randn(size, NOISE, device=device)))
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        for scheduler in schedulers:
            scheduler.step()
        run.log(distance=distance)
        if step % 50 == 0 or step == given.steps:
            with tt.no_grad():
                run.log(overfit=score(images).mean() - score(held_out).mean())
    run.finish()
    report(make, run, x, y, x_held_out)


def report(make: Any, run: Any, x: Any, y: Any, x_held_out: Any) -> None:
    """Samples, has them judged, draws them."""
    make.eval()
    with tt.no_grad():
        samples = make(tt.randn(1000, NOISE, device=run.given.device)).cpu().numpy()
    judge = digits.Judge(x, y)
    digits.print_verdicts({"held-out digits": judge(x_held_out / digits.LEVELS),
                           "samples": judge(samples)})
    pictures = {name: run.folder / f"{name}.png" for name in ("samples", "copies")}
    digits.sheet(samples[:100], pictures["samples"], title="samples")
    digits.draw_nearest(samples[100:140], judge.x, pictures["copies"])
    print("\nWhat to look at:")
    print(f"  {pictures['samples']}: most should be digits, in many hands")
    print(f"  {pictures['copies']}: alike, not the same")
    print(f"  {run.folder / 'curves.png'}: `distance` falls to a tenth at once, `overfit` stays "
          "below it")


if __name__ == "__main__":
    main()
