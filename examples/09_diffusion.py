"""Denoising diffusion on handwritten digits (Ho, Jain and Abbeel 2020).

    python examples/09_diffusion.py
    python examples/09_diffusion.py --resume     # continues after Ctrl-C, with the same result
    python examples/09_diffusion.py --device cuda

The forward process adds Gaussian noise e to an image x, more at every time t, until only noise is
left. A small U-Net learns to predict the noise. The reverse process starts from pure noise and
removes the predicted noise step by step:

    x_t = √ā_t x + √(1 - ā_t) e            loss = |e - U-Net(x_t, t, digit)|²

The digit is an input of the network. In a tenth of the training images it is hidden, so the network
can draw a requested digit or any digit. Any digits look worse, because they are trained less.

What to look at:

- samples.png: ten samples of each digit.
- denoising.png: the reverse process. The shape appears first, the edges last.
- The table. `sure` is the share of samples that a classifier is sure about. If `nearest` were far
  below that of held-out digits, the network would copy training images.
- copies.png: samples, and below them the nearest training images.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import digits
import support
import trainer

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F  # noqa: N812

numpy = support.need("numpy")
ANY = 10  # the label of an image whose digit is hidden


class Block(nn.Module):
    """A residual block: two convolutions, with the condition (time and digit) added in between."""

    def __init__(self, channels: int, out_channels: int, condition: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.condition = nn.Linear(condition, out_channels)
        self.norm2 = nn.GroupNorm(8, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip: nn.Module = nn.Identity()
        if channels != out_channels:
            self.skip = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Any, condition: Any) -> Any:
        """Shapes: (N, C, H, W), (N, condition) -> (N, out_channels, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.condition(condition)[:, :, None, None]
        return self.conv2(F.silu(self.norm2(hidden))) + self.skip(x)


class UNet(nn.Module):
    """Predicts the noise in an image of 8 by 8, with one level of 4 by 4."""

    def __init__(self, channels: int = 24, condition: int = 64):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(condition, condition), nn.SiLU(),
                                  nn.Linear(condition, condition))
        self.digit = nn.Embedding(11, condition)
        self.enter = nn.Conv2d(1, channels, 3, padding=1)
        self.fine = Block(channels, channels, condition)
        self.down = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.coarse1 = Block(channels, 2 * channels, condition)
        self.coarse2 = Block(2 * channels, 2 * channels, condition)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.joined = Block(2 * channels, channels, condition)
        self.norm = nn.GroupNorm(8, channels)
        self.leave = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x: Any, time: Any, digit: Any) -> Any:
        """Shapes: images (N, 1, 8, 8), times (N), labels (N) from 0 to 10 -> (N, 1, 8, 8)."""
        embedding = sinusoids(time, self.digit.embedding_dim).to(x)
        condition = F.silu(self.time(embedding) + self.digit(digit))
        fine = self.fine(self.enter(x), condition)
        coarse = self.coarse2(self.coarse1(self.down(fine), condition), condition)
        joined = self.joined(tt.cat([self.up(coarse), fine], 1), condition)
        return self.leave(F.silu(self.norm(joined)))


def sinusoids(time: Any, size: int) -> Any:
    """Sines and cosines of the times at size / 2 frequencies (Vaswani et al. 2017).

    Shapes: (N) -> (N, size).
    """
    half = size // 2
    indices = tt.arange(half, dtype=tt.float64, device=time.device)
    frequencies = (indices * (-math.log(1000) / (half - 1))).exp()  # from 1 down to 1 / 1000
    angles = time[:, None] * frequencies
    return tt.cat([angles.sin(), angles.cos()], 1)


class Diffusion:
    """The forward and the reverse process, with `times` time steps.

    The betas rise linearly, as in the paper, which has 1,000 time steps. With fewer time steps they
    are proportionally larger, so that the last x_t is noise here too.
    """

    def __init__(self, times: int = 250, device: str = "cpu", dtype: Any = tt.float32):
        if times <= 20:
            raise ValueError(f"Diffusion: times must be more than 20, because the last beta, "
                             f"20 / times, must be less than 1; got {times}")
        self.times = times
        betas = tt.linspace(0.1 / times, 20 / times, times, dtype=tt.float64)
        self.betas = betas.to(device, dtype)
        self.alpha_bars = (1 - betas).cumprod(0).to(device, dtype)  # ā

    def add_noise(self, x: Any, time: Any, noise: Any) -> Any:
        """x_t for images (N, 1, 8, 8) at times (N): equation 4 of the paper."""
        alpha_bar = self.alpha_bars[time][:, None, None, None]
        return alpha_bar.sqrt() * x + (1 - alpha_bar).sqrt() * noise

    def loss(self, model: Any, x: Any, digit: Any, time: Any, noise: Any) -> Any:
        """The mean squared error of the predicted noise: equation 14."""
        return F.mse_loss(model(self.add_noise(x, time, noise), time, digit), noise)

    def reverse_step(self, model: Any, x: Any, time: int, digit: Any,
                     noise: Any) -> tuple[Any, Any]:
        """x_(t-1) from x_t, and the predicted image x_0: equations 6 and 7."""
        alpha_bar, beta = self.alpha_bars[time], self.betas[time]
        previous = self.alpha_bars[time - 1] if time else tt.ones_like(alpha_bar)
        predicted = model(x, tt.full((len(x),), time, device=x.device), digit)
        image = ((x - (1 - alpha_bar).sqrt() * predicted) / alpha_bar.sqrt()).clamp(-1, 1)
        mean = (previous.sqrt() * beta * image
                + (1 - beta).sqrt() * (1 - previous) * x) / (1 - alpha_bar)
        return mean + (beta * (1 - previous) / (1 - alpha_bar)).sqrt() * noise, image

    def sample(self, model: Any, digit: Any) -> Any:
        """Samples images of the digits (N): algorithm 2. Yields (t, x_(t-1), predicted x_0)."""
        x = tt.randn(len(digit), 1, 8, 8, device=digit.device)
        for time in reversed(range(self.times)):
            with tt.no_grad():
                x, image = self.reverse_step(model, x, time, digit, tt.randn_like(x))
            yield time, x, image


def average(mean: Any, model: Any, step: int) -> None:
    """Updates `mean`, a moving average of the model's weights over about the last 200 steps.

    Averaged weights give better samples, because they contain less noise from single steps.
    """
    decay = min(0.995, step / (step + 10))
    with tt.no_grad():
        for averaged, current in zip(mean.parameters(), model.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--steps", type=int, default=2000,
                        help="training steps (default: %(default)s)")
    trainer.arguments(parser)
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")

    x, y, x_held_out, _ = digits.load(args.seed)
    times = 250
    if args.smoke:
        args.steps, times = 3, 25
    tt.manual_seed(args.seed)
    images = tt.tensor(2 * x / digits.LEVELS - 1, device=args.device).view(-1, 1, 8, 8)
    labels = tt.tensor(y, device=args.device)
    diffusion = Diffusion(times, args.device)
    model = UNet().to(args.device)
    mean = copy.deepcopy(model)
    optimizer = tt.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    run = trainer.Run("09_diffusion", args, model=model, mean=mean, optimizer=optimizer,
                      scheduler=scheduler)
    for step in run.steps(args.steps):
        rows = tt.randint(0, len(images), (64,), device=args.device)
        shown = tt.rand(64, device=args.device) >= 0.1
        loss = diffusion.loss(
            model, images[rows], labels[rows].where(shown, ANY),
            tt.randint(0, times, (64,), device=args.device),
            tt.randn(64, 1, 8, 8, device=args.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        average(mean, model, step)
        run.log(loss=loss)
    run.finish()
    report(diffusion, mean, run, x, y, x_held_out)


def report(diffusion: Diffusion, model: UNet, run: Any, x: Any, y: Any, x_held_out: Any) -> None:
    """Generates samples, prints their metrics, and draws them and the reverse process."""
    device = run.args.device
    requested = numpy.repeat(numpy.arange(10), 20)
    label = tt.tensor(numpy.concatenate([requested, numpy.full(100, ANY)]), device=device)
    frames = []
    frame_times = {int(t) for t in numpy.linspace(diffusion.times - 1, 0, 8)}
    for time, noisy, image in support.progress(diffusion.sample(model, label), desc="sampling",
                                               total=diffusion.times):
        if time in frame_times:
            frames.append((time, ink(noisy), ink(image)))
    samples = frames[-1][2]
    by_digit, any_digit = samples[:200], samples[200:]

    evaluator = digits.Evaluator(x, y)
    digits.print_metrics({"held-out digits": evaluator(x_held_out / digits.LEVELS),
                          "20 of each digit": evaluator(by_digit),
                          "any digits": evaluator(any_digit)})
    predicted = evaluator.probabilities(by_digit).argmax(1)
    print(f"a classifier reads {(predicted == requested).mean():.1%} as the requested digit")

    pictures = {name: run.folder / f"{name}.png" for name in ("samples", "denoising", "copies")}
    digits.sheet(by_digit.reshape(10, 20, 64)[:, :10].reshape(-1, 64), pictures["samples"],
                 title="samples by requested digit", rows=[str(i) for i in range(10)])
    one_of_each = slice(0, 200, 20)
    strips = [strip[one_of_each] for _, *both in frames for strip in both]
    digits.sheet(numpy.concatenate(strips[0::2] + strips[1::2]), pictures["denoising"],
                 title="the reverse process: x, then the predicted image",
                 rows=[f"x, t = {time}" for time, *_ in frames]
                 + [f"image, t = {time}" for time, *_ in frames])
    digits.draw_nearest(by_digit[::5], evaluator.x, pictures["copies"])
    print("\nWhat to look at after a full training:")
    print(f"  {pictures['samples']}: each row shows one digit in ten handwritings")
    print(f"  {pictures['denoising']}: the shape appears first, the edges last")
    print(f"  {pictures['copies']}: samples and training images are similar, not equal")
    print(f"  {run.folder / 'curves.png'}: the loss falls steeply, then slowly; it does not reach "
          "0, because part of the noise cannot be predicted")


def ink(images: Any) -> Any:
    """Shapes: Tensors (N, 1, 8, 8) in [-1, 1] -> NumPy arrays (N, 64) in [0, 1]."""
    return ((images.cpu().numpy().reshape(len(images), 64) + 1) / 2).clip(0, 1)


if __name__ == "__main__":
    main()
