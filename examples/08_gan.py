"""A GAN with gradient penalty (WGAN-GP: Gulrajani et al. 2017) on handwritten digits.

    python examples/08_gan.py
    python examples/08_gan.py --device cuda

The generator G turns noise into images. The critic D scores images. It maximizes the difference
between its mean score of real images and its mean score of generated (fake) images. Among functions
whose slope is 1, the largest such difference is the Wasserstein distance between the two
distributions (Arjovsky et al. 2017). The generator minimizes it. A penalty keeps the critic's slope
near 1 at points between real and fake images:

    loss of D:  mean D(fake) - mean D(real) + weight * mean (|dD/dx| - 1)²
    loss of G: -mean D(fake)

The penalty contains a gradient, and training needs the gradient of the penalty. So the backward
pass is differentiated itself: `autograd.grad(..., create_graph=True)`.

What to look at:

- samples.png. Most samples should be digits.
- curves.png, `distance`. It falls to a tenth in the first 200 steps and then stays level, because
  the critic improves with the samples. Unlike the losses of other GANs, it measures progress: if it
  rises for long, training has failed.
- curves.png, `overfit`: the critic's mean score of the training images minus that of the held-out
  images. It grows, here to a third of the distance, as the critic memorizes the training images.
- The table. If the generator copied training images, `nearest` would be far below that of held-out
  digits. If it made few kinds of digits, the ten shares would be uneven.
- copies.png: samples, and below them the nearest training images.
"""

from __future__ import annotations

from typing import Any

import digits
import support
import trainer

import tinytensor as tt
from tinytensor import nn

numpy = support.need("numpy")
NOISE = 32  # the size of the generator's input


def build_generator(width: int = 256) -> nn.Sequential:
    """Shapes: noise (N, 32) -> images (N, 64) in [0, 1]."""
    return nn.Sequential(
        nn.Linear(NOISE, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, 64), nn.Sigmoid())


def build_critic(width: int = 256) -> nn.Sequential:
    """Shapes: images (N, 64) -> scores (N, 1).

    It has no batch norm: the penalty needs each image's own gradient.
    """
    return nn.Sequential(
        nn.Linear(64, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, 1))


def gradient_penalty(critic: Any, real: Any, fake: Any, share: Any) -> Any:
    """mean (|d critic / d x| - 1)² at x = share * real + (1 - share) * fake. `share` is (N, 1)."""
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    slope, = tt.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((slope.norm(2, dim=1) - 1) ** 2).mean()


def critic_loss(critic: Any, real: Any, fake: Any, share: Any, weight: float) -> tuple[Any, Any]:
    """The critic's loss, and its estimate of the Wasserstein distance."""
    distance = critic(real).mean() - critic(fake).mean()
    return weight * gradient_penalty(critic, real, fake, share) - distance, distance


def generator_loss(critic: Any, fake: Any) -> Any:
    """The generator's loss."""
    return -critic(fake).mean()


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--steps", type=int, default=2000,
                        help="training steps of the generator (default: %(default)s)")
    parser.add_argument("--penalty", type=float, default=1.0,
                        help="the weight of the gradient penalty (default: %(default)s)")
    trainer.arguments(parser)
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    if args.smoke:
        args.steps = 3

    x, y, x_held_out, _ = digits.load(args.seed)
    tt.manual_seed(args.seed)
    device, size = args.device, 64
    images = tt.tensor(x / digits.LEVELS, device=device)
    held_out = tt.tensor(x_held_out / digits.LEVELS, device=device)
    generator, critic = build_generator().to(device), build_critic().to(device)
    generator_optimizer, critic_optimizer = (
        tt.optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9))
        for model in (generator, critic))
    generator_scheduler, critic_scheduler = (
        tt.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, args.steps)
        for optimizer in (generator_optimizer, critic_optimizer))
    run = trainer.Run("08_gan", args, generator=generator, critic=critic,
                      generator_optimizer=generator_optimizer, critic_optimizer=critic_optimizer,
                      generator_scheduler=generator_scheduler, critic_scheduler=critic_scheduler)
    for step in run.steps(args.steps):
        for _ in range(5):  # the estimate of the distance is good only if the critic is
            real = images[tt.randint(0, len(images), (size,), device=device)]
            with tt.no_grad():
                fake = generator(tt.randn(size, NOISE, device=device))
            loss, distance = critic_loss(critic, real, fake, tt.rand(size, 1, device=device),
                                         args.penalty)
            critic_optimizer.zero_grad()
            loss.backward()
            critic_optimizer.step()
        loss = generator_loss(critic, generator(tt.randn(size, NOISE, device=device)))
        generator_optimizer.zero_grad()
        loss.backward()
        generator_optimizer.step()
        generator_scheduler.step()
        critic_scheduler.step()
        run.log(distance=distance)
        if step % 50 == 0 or step == args.steps:
            with tt.no_grad():
                run.log(overfit=critic(images).mean() - critic(held_out).mean())
    run.finish()
    report(generator, run, x, y, x_held_out)


def report(generator: Any, run: Any, x: Any, y: Any, x_held_out: Any) -> None:
    """Generates samples, prints their metrics and draws them."""
    generator.eval()
    with tt.no_grad():
        samples = generator(tt.randn(1000, NOISE, device=run.args.device)).cpu().numpy()
    evaluator = digits.Evaluator(x, y)
    digits.print_metrics({"held-out digits": evaluator(x_held_out / digits.LEVELS),
                          "samples": evaluator(samples)})
    pictures = {name: run.folder / f"{name}.png" for name in ("samples", "copies")}
    digits.sheet(samples[:100], pictures["samples"], title="samples")
    digits.draw_nearest(samples[100:140], evaluator.x, pictures["copies"])
    print("\nWhat to look at after a full training:")
    print(f"  {pictures['samples']}: most are digits, in many handwritings")
    print(f"  {pictures['copies']}: samples and training images are similar, not equal")
    print(f"  {run.folder / 'curves.png'}: `distance` falls to a tenth early, `overfit` stays "
          "below it")


if __name__ == "__main__":
    main()
