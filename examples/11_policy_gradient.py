"""An actor and a critic that learn to balance a pole with policy gradients.

    python examples/11_policy_gradient.py
    python examples/11_policy_gradient.py --seed 3

The actor computes pi(a|s), the probabilities of pushing the cart to the left or to the right in a
state s. The critic computes V(s), an estimate of the return: the sum of the later, discounted
rewards. Each step simulates 16 carts for 64 ticks. Actions with a return R above the estimate
become more likely (REINFORCE with a baseline, Williams 1992). V also estimates the rewards after
the 64 ticks (Sutton and Barto 2018, chapter 13):

    loss = -mean(log pi(a|s) (R - V(s))) + mean((R - V(s))²)

The cart-pole is that of Barto, Sutton and Anderson (1983), with at most 500 ticks per episode. The
task counts as solved when the mean length of 100 consecutive episodes is at least 475.

What to look at:

- curves.png. The length of the episodes rises to 500 and stays there.
- policy.png. The actor pushes towards the side to which the pole falls, so a falling line separates
  left from right. Far from the center the line is shifted: to come back, the cart first moves
  further out, until the pole leans inwards.
- The last line: how many of 100 new episodes the agent balances to the end.
"""

from __future__ import annotations

import math
from typing import Any

import support
import trainer

import tinytensor as tt
from tinytensor import nn
from tinytensor.distributions import Categorical

numpy = support.need("numpy")
SOLVED = 475  # the mean length of 100 episodes, in ticks


class CartPole:
    """`count` carts, each with a pole on a hinge, simulated at once.

    A state is a row (x, speed, angle, angular speed) in m, m/s, rad and rad/s; the angle is 0 when
    the pole is upright. An action is a push of 10 N to the left (0) or to the right (1) for one
    tick of 0.02 s. An episode fails when the pole leans by more than 12 degrees or the cart is more
    than 2.4 m from the center. It is stopped, without failure, after `limit` ticks.

    The equations are those of Barto, Sutton and Anderson (1983) without friction, integrated by
    Euler's method.
    """

    GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s², kg, kg, m
    FORCE, TICK = 10.0, 0.02  # N, s
    MAX_X, MAX_ANGLE = 2.4, math.radians(12)  # m, rad

    def __init__(self, count: int, rng: Any, limit: int = 500):
        self.rng, self.limit = rng, limit
        self.states = self._starts(count)
        self.ages = numpy.zeros(count, int)

    def _starts(self, count: int) -> Any:
        return self.rng.uniform(-0.05, 0.05, (count, 4))

    def step(self, pushes: Any) -> tuple[Any, Any]:
        """Simulates one tick. Returns which carts failed, and which others are at the limit."""
        _, speed, angle, turning = self.states.T
        force = numpy.where(pushes == 1, self.FORCE, -self.FORCE)
        mass = self.CART + self.POLE
        sin, cos = numpy.sin(angle), numpy.cos(angle)
        pushed = (force + self.POLE * self.HALF_LENGTH * turning**2 * sin) / mass
        angular = (self.GRAVITY * sin - cos * pushed) / (
            self.HALF_LENGTH * (4 / 3 - self.POLE * cos**2 / mass))
        linear = pushed - self.POLE * self.HALF_LENGTH * angular * cos / mass
        self.states = self.states + self.TICK * numpy.stack([speed, linear, turning, angular], 1)
        self.ages = self.ages + 1
        failed = (abs(self.states[:, 0]) > self.MAX_X) | (abs(self.states[:, 2]) > self.MAX_ANGLE)
        return failed, (self.ages >= self.limit) & ~failed

    def restart(self, which: Any) -> Any:
        """Starts new episodes where `which` is true. Returns the lengths of the ended ones."""
        lengths = self.ages[which]
        self.states = numpy.where(which[:, None], self._starts(len(which)), self.states)
        self.ages = numpy.where(which, 0, self.ages)
        return lengths

    def state_dict(self) -> dict[str, Any]:
        return {"states": self.states.tolist(), "ages": self.ages.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.states, self.ages = numpy.array(state["states"]), numpy.array(state["ages"])


class Agent(nn.Module):
    """The actor and the critic: two small networks with a state as input."""

    SCALES = (2.4, 2.0, 0.2, 2.0)  # states divided by these are in about [-1, 1]

    def __init__(self, width: int = 64):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))
        self.critic = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
        self.register_buffer("scales", tt.tensor(self.SCALES))

    def policy(self, states: Any) -> Categorical:
        """pi(a|s) for states (*, 4)."""
        return Categorical(logits=self.actor(states / self.scales))

    def value(self, states: Any) -> Any:
        """V(s), divided by the largest possible return. Shapes: (*, 4) -> (*)."""
        return self.critic(states / self.scales).squeeze(-1)


def discounted(rewards: Any, ends: Any, values: Any, discount: float) -> Any:
    """R[t] = rewards[t] + discount * (values[t] if an episode or the data end at t, else R[t+1]).

    values[t] is the value of the state after tick t, 0 after a failure. All shapes are (T, carts).
    """
    returns = numpy.empty_like(values)
    following = values[-1]
    for t in reversed(range(len(rewards))):
        following = rewards[t] + discount * numpy.where(ends[t], values[t], following)
        returns[t] = following
    return returns


def losses(agent: Agent, states: Any, actions: Any, returns: Any) -> tuple[Any, Any]:
    """The losses of the actor and of the critic. Shapes: (N, 4), (N), (N) -> (), ()."""
    values = agent.value(states)
    advantage = (returns - values).detach()
    actor = -(agent.policy(states).log_prob(actions) * advantage).mean()
    return actor, ((returns - values)**2).mean()


def collect(agent: Agent, carts: CartPole, ticks: int, discount: float,
            device: str) -> tuple[tuple[Any, Any, Any], list[int]]:
    """Runs the agent. Returns (states, actions, returns) and the lengths of the ended episodes."""
    states, actions, next_states, failures, ends, lengths = [], [], [], [], [], []
    with tt.no_grad():
        for _ in range(ticks):
            states.append(carts.states)
            action = agent.policy(_tensor(carts.states, device)).sample().cpu().numpy()
            failed, at_limit = carts.step(action)
            actions.append(action)
            next_states.append(carts.states)
            failures.append(failed)
            ends.append(failed | at_limit)
            lengths += carts.restart(ends[-1]).tolist()
        values = agent.value(_tensor(numpy.stack(next_states), device)).cpu().numpy()
    values = numpy.where(numpy.stack(failures), 0, values)
    # A reward of 1 - discount per tick makes the largest possible return 1.
    rewards = numpy.full(values.shape, 1 - discount, values.dtype)
    returns = discounted(rewards, numpy.stack(ends), values, discount)
    return (_tensor(numpy.concatenate(states), device),
            tt.tensor(numpy.concatenate(actions), device=device),
            _tensor(returns.ravel(), device)), lengths


def _tensor(array: Any, device: str) -> Any:
    return tt.tensor(array, dtype=tt.float32, device=device)


def balanced(agent: Agent, episodes: int, limit: int, rng: Any, device: str) -> Any:
    """The lengths of `episodes` new episodes in which the agent takes the likelier action."""
    carts = CartPole(episodes, rng, limit)
    lengths = numpy.full(episodes, limit)
    for tick in range(1, limit + 1):
        with tt.no_grad():
            actions = agent.policy(_tensor(carts.states, device)).probs.argmax(-1)
        failed, _ = carts.step(actions.cpu().numpy())
        lengths = numpy.where(failed & (lengths == limit), tick, lengths)
    return lengths


def draw_policy(agent: Agent, device: str, path: Any) -> None:
    """Draws the probability of a push to the right by the pole's angle and angular speed."""
    plt = support.pyplot()
    degrees, turning = numpy.meshgrid(numpy.linspace(-12, 12, 61), numpy.linspace(-2, 2, 61))
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.8), dpi=120, sharey=True,
                                  layout="constrained")
    for axes, x in zip(panels, (-2.0, 0.0, 2.0), strict=True):
        states = numpy.stack([numpy.full_like(degrees, x), numpy.zeros_like(degrees),
                              numpy.radians(degrees), turning], -1)
        with tt.no_grad():
            right = agent.policy(_tensor(states, device)).probs[..., 1].cpu().numpy()
        shades = axes.contourf(degrees, turning, right, levels=numpy.linspace(0, 1, 21),
                               cmap="RdBu")
        axes.contour(degrees, turning, right, levels=[0.5], colors="black")
        axes.set(title=f"cart at {x:.0f} m, at rest", xlabel="angle of the pole, degrees")
    panels[0].set_ylabel("angular speed, rad/s")
    figure.colorbar(shades, ax=panels, label="probability of a push to the right",
                    ticks=[0, 0.25, 0.5, 0.75, 1])
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--steps", type=int, default=500,
                        help="training steps (default: %(default)s)")
    trainer.arguments(parser)
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    if args.smoke:
        args.steps = 5
    tt.manual_seed(args.seed)
    rng = numpy.random.default_rng(args.seed)
    carts = CartPole(16, rng)
    agent = Agent().to(args.device)
    optimizer = tt.optim.Adam(agent.parameters(), lr=3e-3)
    scheduler = tt.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, args.steps)
    run = trainer.Run("11_policy_gradient", args, agent=agent, optimizer=optimizer,
                      scheduler=scheduler, carts=carts, rng=rng)
    for _ in run.steps(args.steps):
        (states, actions, returns), lengths = collect(agent, carts, 64, 0.99, args.device)
        actor_loss, critic_loss = losses(agent, states, actions, returns)
        optimizer.zero_grad()
        (actor_loss + critic_loss).backward()
        optimizer.step()
        scheduler.step()
        if lengths:
            run.log(episode=sum(lengths) / len(lengths), episodes=len(lengths))
        run.log(critic_loss=critic_loss, entropy=agent.policy(states).entropy().mean())
    run.finish()
    report(agent, run)


def report(agent: Agent, run: Any) -> None:
    """Prints when the task was solved, tests the agent on new episodes, and draws the policy."""
    lengths = [(row["step"], row["episode"]) for row in run.rows()
               for _ in range(int(row.get("episodes", 0)))]
    solved = [lengths[end - 1][0] for end in range(100, len(lengths) + 1)
              if sum(length for _, length in lengths[end - 100:end]) >= 100 * SOLVED]
    print(f"\n{len(lengths)} episodes; " + (
        f"solved after {solved[0]} steps (100 consecutive episodes with a mean of at least "
        f"{SOLVED} ticks)" if solved else
        f"not solved (no 100 consecutive episodes with a mean of at least {SOLVED} ticks)"))
    episodes, limit = (10, 50) if run.args.smoke else (100, 500)
    ticks = balanced(agent, episodes, limit, numpy.random.default_rng(10**6), run.args.device)
    picture = run.folder / "policy.png"
    draw_policy(agent, run.args.device, picture)
    print("\nWhat to look at after a full training:")
    print(f"  {run.folder / 'curves.png'}: `episode`, the mean length, rises to 500")
    print(f"  {picture}: a falling line separates left from right; far from the center it is "
          "shifted")
    print(f"  {(ticks >= limit).sum()} of {episodes} new episodes balanced to the end "
          f"({limit} ticks), {ticks.mean():.0f} ticks on average")


if __name__ == "__main__":
    main()
