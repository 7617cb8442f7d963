"""Denoising diffusion on handwritten digits (Ho, Jain and Abbeel 2020): digits out of noise.

    python examples/09_diffusion.py
    python examples/09_diffusion.py --resume     # goes on after Ctrl-C, to the same bits
    python examples/09_diffusion.py --device cuda

Going forward, an image x is mixed with Gaussian noise e, more at every time t, until nothing is
left of it; a small U-Net learns to guess the noise from the mixture. Going back from pure noise,
its guess takes the noise out little by little:

    x_t = √ā_t x + √(1 - ā_t) e            loss = |e - U-Net(x_t, t, digit)|²

The network is told which digit it looks at, and one time in ten it is not, so it can draw a digit
that is asked for or any one. Those come out worse, as it practises them less.

What to look at: samples.png, ten of each digit, asked for by row, and denoising.png, how they
come out of the noise: the shape first, the edges last. The table says how many of the digits asked
for a classifier recognises; `nearest` must not be far below that of the held-out digits, or the
network would give training images back. In copies.png samples stand above the training images
nearest to them.
"""

from __future__ import annotations

import argparse
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
ANY = 10  # the label of an image whose digit is not told


class Block(nn.Module):
    """Two convolutions with a skip connection, told about time and digit between them."""

    def __init__(self, channels: int, out_channels: int, told: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.told = nn.Linear(told, out_channels)
        self.norm2 = nn.GroupNorm(8, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip: nn.Module = nn.Identity()
        if channels != out_channels:
            self.skip = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Any, told: Any) -> Any:
        """(N, C, H, W), (N, T) -> (N, out_channels, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x))) + self.told(told)[:, :, None, None]
        return self.conv2(F.silu(self.norm2(hidden))) + self.skip(x)


class UNet(nn.Module):
    """Guesses the noise in an image: 8 by 8, down to 4 by 4, and up again."""

    def __init__(self, channels: int = 24, told: int = 64):
        super().__init__()
        self.told = nn.Sequential(nn.Linear(told, told), nn.SiLU(), nn.Linear(told, told))
        self.digit = nn.Embedding(11, told)
        self.enter = nn.Conv2d(1, channels, 3, padding=1)
        self.fine = Block(channels, channels, told)
        self.down = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.coarse1 = Block(channels, 2 * channels, told)
        self.coarse2 = Block(2 * channels, 2 * channels, told)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.joined = Block(2 * channels, channels, told)
        self.norm = nn.GroupNorm(8, channels)
        self.leave = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x: Any, time: Any, digit: Any) -> Any:
        """(N, 1, 8, 8), times (N) from 0 up, labels (N) from 0 to 10 -> (N, 1, 8, 8)."""
        told = self.told(waves(time, self.digit.embedding_dim).to(x)) + self.digit(digit)
        told = F.silu(told)
        fine = self.fine(self.enter(x), told)
        coarse = self.coarse2(self.coarse1(self.down(fine), told), told)
        joined = self.joined(tt.cat([self.up(coarse), fine], 1), told)
        return self.leave(F.silu(self.norm(joined)))


def waves(time: Any, size: int) -> Any:
    """Sines and cosines of times (N) at `size` / 2 frequencies, (N, size); Vaswani et al. 2017."""
    half = size // 2
    falling = tt.arange(half, dtype=tt.float64, device=time.device) * (-math.log(1000) / (half - 1))
    angle = time[:, None] * falling.exp()
    return tt.cat([angle.sin(), angle.cos()], 1)


class Diffusion:
    """How much of an image is left at each time, and the step back.

    The betas rise evenly, as in the paper, where there are 1,000 times; with fewer they are larger
    in proportion, so that as little of the image is left in the end.
    """

    def __init__(self, times: int = 250, device: str = "cpu", dtype: Any = tt.float32):
        if times <= 20:
            raise ValueError(f"Diffusion: times must be more than 20, as the last beta is 20 / "
                             f"times and has to be less than 1; got {times}")
        self.times = times
        betas = tt.linspace(0.1 / times, 20 / times, times, dtype=tt.float64)
        self.betas = betas.to(device, dtype)
        self.left = (1 - betas).cumprod(0).to(device, dtype)  # ā

    def mix(self, x: Any, time: Any, noise: Any) -> Any:
        """x_t for images (N, 1, 8, 8) at times (N): equation 4."""
        left = self.left[time][:, None, None, None]
        return left.sqrt() * x + (1 - left).sqrt() * noise

    def loss(self, model: Any, x: Any, digit: Any, time: Any, noise: Any) -> Any:
        """The mean square of what the guess of the noise is off by: equation 14."""
        return F.mse_loss(model(self.mix(x, time, noise), time, digit), noise)

    def back(self, model: Any, x: Any, time: int, digit: Any, noise: Any) -> tuple[Any, Any]:
        """From x_t to x_(t-1), and the image that the network has in mind: equations 6 and 7."""
        left, beta = self.left[time], self.betas[time]
        before = self.left[time - 1] if time else tt.ones_like(left)
        guess = model(x, tt.full((len(x),), time, device=x.device), digit)
        image = ((x - (1 - left).sqrt() * guess) / left.sqrt()).clamp(-1, 1)
        mean = (before.sqrt() * beta * image + (1 - beta).sqrt() * (1 - before) * x) / (1 - left)
        return mean + (beta * (1 - before) / (1 - left)).sqrt() * noise, image

    def sample(self, model: Any, digit: Any) -> Any:
        """Images of the digits (N) out of noise: algorithm 2. Yields (t, x_t, image in mind)."""
        x = tt.randn(len(digit), 1, 8, 8, device=digit.device)
        for time in reversed(range(self.times)):
            with tt.no_grad():
                x, image = self.back(model, x, time, digit, tt.randn_like(x))
            yield time, x, image


def average(mean: Any, model: Any, step: int) -> None:
    """Moves the weights of `mean` towards the model's: an average over the last 200 steps or so.

    Samples of averaged weights are better, as the last steps' noise is not in them.
    """
    kept = min(0.995, step / (step + 10))
    with tt.no_grad():
        for slow, fast in zip(mean.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast, 1 - kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="default: 2000")
    trainer.arguments(parser)
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps must be at least 1")

    x, y, x_held_out, _ = digits.load(given.seed)
    times = 250
    if given.smoke:
        given.steps, times = 3, 25
    tt.manual_seed(given.seed)
    images = tt.tensor(2 * x / digits.LEVELS - 1, device=given.device).view(-1, 1, 8, 8)
    labels = tt.tensor(y, device=given.device)
    diffusion = Diffusion(times, given.device)
    model = UNet().to(given.device)
    mean = copy.deepcopy(model)
    optimizer = tt.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.steps)
    run = trainer.Run("09_diffusion", given, model=model, mean=mean, optimizer=optimizer,
                      scheduler=scheduler)
    for step in run.steps(given.steps):
        rows = tt.randint(0, len(images), (64,), device=given.device)
        told = tt.rand(64, device=given.device) >= 0.1
        loss = diffusion.loss(
            model, images[rows], labels[rows].where(told, ANY),
            tt.randint(0, times, (64,), device=given.device),
            tt.randn(64, 1, 8, 8, device=given.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        average(mean, model, step)
        run.log(loss=loss)
    run.finish()
    report(diffusion, mean, run, x, y, x_held_out)


def report(diffusion: Diffusion, model: UNet, run: Any, x: Any, y: Any, x_held_out: Any) -> None:
    """Samples, judges them, and draws them and the way to them."""
    device = run.given.device
    asked = numpy.repeat(numpy.arange(10), 20)
    label = tt.tensor(numpy.concatenate([asked, numpy.full(100, ANY)]), device=device)
    frames = []
    shown = {int(t) for t in numpy.linspace(diffusion.times - 1, 0, 8)}
    for time, mixture, image in support.progress(diffusion.sample(model, label), desc="sampling",
                                                 total=diffusion.times):
        if time in shown:
            frames.append((time, ink(mixture), ink(image)))
    made = frames[-1][2]
    drawn, any_digit = made[:200], made[200:]

    judge = digits.Judge(x, y)
    digits.print_verdicts({"held-out digits": judge(x_held_out / digits.LEVELS),
                           "20 of each digit": judge(drawn), "any digits": judge(any_digit)})
    read = judge.probabilities(drawn).argmax(1)
    print(f"a classifier takes {(read == asked).mean():.1%} for the digit that was asked for")

    pictures = {name: run.folder / f"{name}.png" for name in ("samples", "denoising", "copies")}
    digits.sheet(drawn.reshape(10, 20, 64)[:, :10].reshape(-1, 64), pictures["samples"],
                 title="samples, the digit asked for by row", rows=[str(i) for i in range(10)])
    one_of_each = slice(0, 200, 20)
    strips = [strip[one_of_each] for _, *both in frames for strip in both]
    digits.sheet(numpy.concatenate(strips[0::2] + strips[1::2]), pictures["denoising"],
                 title="from noise to digits: what there is, and what the network has in mind",
                 rows=[f"x, t = {time}" for time, *_ in frames]
                 + [f"image, t = {time}" for time, *_ in frames])
    digits.draw_nearest(drawn[::5], judge.x, pictures["copies"])
    print("\nWhat to look at:")
    print(f"  {pictures['samples']}: every row shows its digit, in ten hands")
    print(f"  {pictures['denoising']}: the shape comes first, the edges last")
    print(f"  {pictures['copies']}: alike, not the same")
    print(f"  {run.folder / 'curves.png'}: falls steeply, then slowly, and never to 0: part of the "
          "noise cannot be guessed")


def ink(images: Any) -> Any:
    """(N, 1, 8, 8) from -1 to 1 as (N, 64) from 0 to 1."""
    return ((images.cpu().numpy().reshape(len(images), 64) + 1) / 2).clip(0, 1)


if __name__ == "__main__":
    main()
