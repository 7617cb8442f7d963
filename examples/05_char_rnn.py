"""An LSTM or a GRU that learns to write a text, one character at a time.

    python examples/05_char_rnn.py                     # an LSTM on the source of Python's library
    python examples/05_char_rnn.py --cell gru
    python examples/05_char_rnn.py --text novel.txt    # any other text
    python examples/05_char_rnn.py --resume --prompt "class Test" --top-k 5   # trained: write more

A recurrent network knows the text that it has read only through its state, so it is trained on
consecutive windows. The text is cut into a few long strips. Each step reads the next window of
every strip, and starts in the state in which the previous window ended. The state is detached, so
`backward()` stops at the start of the window (truncated backpropagation through time, Williams and
Peng 1990). Random windows would be simpler, but each would start in an empty state, and the network
would not learn to use earlier text.

What to look at:

- curves.png. The loss is in nats per character; a uniform guess costs ln 96 = 4.56. The norm of the
  gradient is clipped at 1, which matters in the first steps only.
- The held-out loss, with the state carried from window to window and with an empty state for each
  window. The difference is the value of the memory. After 1000 steps: 1.34 and 1.41 nats with the
  LSTM, 1.33 and 1.43 nats with the GRU.
"""

from __future__ import annotations

import time
from typing import Any

import support
import text
import trainer

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.nn import functional

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(nn.Module):
    """Logits for the next character at each position, and the state after the last position.

    Shapes: (N, T) integers -> (N, T, vocabulary). Each part of the state is (layers, N, width).
    """

    def __init__(self, cell: str, vocabulary: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.rnn = CELLS[cell](width, width, layers, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
        hidden, state = self.rnn(self.embedding(ids), state)
        return self.head(hidden), state


def map_state(function: Any, state: Any) -> Any:
    """Applies a function to a GRU's state, or to both parts of an LSTM's state."""
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)


def detached(state: Any) -> Any:
    """The state without its graph."""
    return map_state(lambda part: part.detach(), state)


class Strips:
    """A text cut into `count` strips, which are read in parallel, window by window.

    position  Where the next window starts.
    state     The network's state at that position. None means an empty state.

    Raises:
        ValueError: the strips are shorter than a window.
    """

    def __init__(self, ids: Any, count: int, window: int) -> None:
        length = (len(ids) - 1) // count
        if length < window:
            raise ValueError(f"Strips: {len(ids)} characters in {count} strips are less than a "
                             f"window of {window} each")
        self.x = ids[:count * length].view(count, length)
        self.y = ids[1:count * length + 1].view(count, length)
        self.window, self.position, self.state = window, 0, None

    def __len__(self) -> int:
        """The number of windows."""
        return self.x.shape[1] // self.window

    def next(self) -> tuple[Any, Any]:
        """The next window, and the character after each of its characters. Both (count, window).

        After the last window it starts again, with an empty state.
        """
        if self.position == len(self) * self.window:
            self.position, self.state = 0, None
        columns = slice(self.position, self.position + self.window)
        self.position += self.window
        return self.x[:, columns], self.y[:, columns]

    def state_dict(self) -> dict[str, Any]:
        """The position and the state, for a checkpoint."""
        return {"position": self.position, "state": self.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.position, self.state = saved["position"], saved["state"]
        if self.state is not None:
            self.state = map_state(lambda part: part.to(self.x.device), self.state)


def loss_of(logits: Any, y: Any) -> Any:
    """The cross-entropy in nats per character."""
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten())


@tt.no_grad()
def evaluate(model: CharRNN, strips: Strips, windows: int | None = None,
             carry: bool = True) -> float:
    """Nats per character over the first `windows` windows, by default over all.

    With `carry=False` every window starts in an empty state.
    """
    count = min(len(strips), windows or len(strips))
    strips.position, strips.state = 0, None
    total = 0.0
    for _ in range(count):
        x, y = strips.next()
        logits, state = model(x, strips.state)
        strips.state = state if carry else None
        total += loss_of(logits, y).item()
    return total / count


@tt.no_grad()
def generate(model: CharRNN, ids: Any, length: int, **restrictions: Any) -> Any:
    """Appends `length` sampled characters. Shapes: (N, T) -> (N, T + length)."""
    logits, state = model(ids)
    for _ in range(length):
        new = text.choose(logits[:, -1], **restrictions)
        ids = tt.cat([ids, new], dim=1)
        logits, state = model(new, state)
    return ids


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--cell", choices=list(CELLS), default="lstm",
                        help="the recurrent layer (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1000,
                        help="training steps (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32,
                        help="strips that are read in parallel (default: %(default)s)")
    parser.add_argument("--window", type=int, default=64,
                        help="characters per step and strip (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=1,
                        help="recurrent layers (default: %(default)s)")
    parser.add_argument("--width", type=int, default=256,
                        help="features per layer (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=4e-3,
                        help="the highest learning rate (default: %(default)s)")
    text.arguments(parser)
    trainer.arguments(parser, seed=1337)
    args = parser.parse_args()
    if args.smoke:
        args.steps, args.batch, args.window, args.width, args.length = 6, 4, 16, 16, 24
    if min(args.steps, args.batch, args.window, args.layers, args.width) < 1:
        parser.error("--steps, --batch, --window, --layers and --width must be at least 1")
    task = text.prepare(parser, args)
    try:
        strips = Strips(task.train, args.batch, args.window)
        held_out = Strips(task.held_out, args.batch, args.window)
    except ValueError as problem:
        parser.error(str(problem))

    tt.manual_seed(args.seed)
    model = CharRNN(args.cell, len(task.tokenizer), args.width, args.layers).to(args.device)
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps, args.lr / 20)
    print(f"{len(task.train):,} training characters, {len(task.held_out):,} held out, vocabulary "
          f"of {len(task.tokenizer)}; {sum(p.numel() for p in model.parameters()):,} parameters")

    support.pyplot()  # import everything before settle()
    support.settle()
    run = trainer.Run(f"05_char_rnn_{args.cell}", args, model=model, optimizer=optimizer,
                      scheduler=scheduler, strips=strips)
    for step in run.steps(args.steps):
        x, y = strips.next()
        logits, state = model(x, strips.state)
        strips.state = detached(state)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        run.log(loss=loss, gradient_norm=norm)
        if step % max(1, args.steps // 20) == 0:
            run.log(loss_held_out=evaluate(model, held_out, 8))
    run.finish()

    rate = args.steps * args.batch * args.window / run.seconds
    print(f"training: {rate:,.0f} characters per second")
    text.report({"training text, last steps": text.recent_loss(run),
                 "held-out text, state carried": evaluate(model, held_out),
                 f"held-out text, empty state every {args.window} characters":
                     evaluate(model, held_out, carry=False)})
    tt.manual_seed(args.seed)
    start = time.perf_counter()
    ids = generate(model, task.prompt, args.length, **task.restrictions)
    rate = args.length / (time.perf_counter() - start)
    print(f"generation: {rate:,.0f} characters per second")
    print(f"{'-' * 80}\n{task.tokenizer.decode(ids[0].tolist())}")


if __name__ == "__main__":
    main()
