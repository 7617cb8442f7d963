"""An agent that learns to balance a pole by policy gradients: an actor and a critic.

    python examples/11_policy_gradient.py
    python examples/11_policy_gradient.py --seed 3

The actor gives probabilities of pushing the cart left or right, the critic guesses what is still
to come. After every 64 ticks of 16 carts, actions that went better than the critic had guessed
become more likely (REINFORCE with a baseline, Williams 1992; the guesses stand in for what comes
after the 64 ticks, Sutton and Barto 2018, chapter 13):

    loss = - mean(log pi(a|s) (R - V(s))) + mean((R - V(s))²)

The cart-pole is that of Barto, Sutton and Anderson (1983) with an episode of 500 ticks at most; the
task counts as solved when the mean length of 100 episodes in a row is at least 475.

What to look at: curves.png, where the length of the episodes climbs to 500 and stays there; and
policy.png, what the actor has learnt: it pushes towards the side to which the pole falls, so a
falling line parts left from right. Far out on the track the line is shifted: to come back, the cart
first drives further out, until the pole leans inwards. The last line counts how many of 100 new
episodes the agent balances to the end.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import support
import trainer

import tinytensor as tt
from tinytensor import nn
from tinytensor.distributions import Categorical

numpy = support.need("numpy")
SOLVED = 475  # the mean length of 100 episodes


class CartPole:
    """`count` carts on a track, each with a pole on a hinge; all move at once.

    A state is a row of x (m), its speed (m/s), the pole's angle from upright (rad), its speed
    (rad/s). A push is 10 N to the left (0) or right (1) over one tick of 0.02 s. An episode ends
    when the pole leans over 12 degrees or the cart leaves ±2.4 m, which is a failure, or after
    `limit` ticks, which is none.

    Barto, Sutton and Anderson 1983, without friction, moved on by Euler's method.
    """

    GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s², kg, kg, m
    FORCE, TICK = 10.0, 0.02  # N, s
    FAR, LEAN = 2.4, math.radians(12)

    def __init__(self, count: int, rng: Any, limit: int = 500):
        self.rng, self.limit = rng, limit
        self.states = self._starts(count)
        self.ages = numpy.zeros(count, int)

    def _starts(self, count: int) -> Any:
        return self.rng.uniform(-0.05, 0.05, (count, 4))

    def step(self, pushes: Any) -> tuple[Any, Any]:
        """Moves all carts by a tick and returns which failed and which of the others ran out."""
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
        failed = (abs(self.states[:, 0]) > self.FAR) | (abs(self.states[:, 2]) > self.LEAN)
        return failed, (self.ages >= self.limit) & ~failed

    def restart(self, which: Any) -> Any:
        """Begins new episodes where `which` is true; returns how long those were that ended."""
        lengths = self.ages[which]
        self.states = numpy.where(which[:, None], self._starts(len(which)), self.states)
        self.ages = numpy.where(which, 0, self.ages)
        return lengths

    def state_dict(self) -> dict[str, Any]:
        return {"states": self.states.tolist(), "ages": self.ages.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.states, self.ages = numpy.array(state["states"]), numpy.array(state["ages"])


class Agent(nn.Module):
    """Two small networks on the same four numbers."""

    SCALES = (2.4, 2.0, 0.2, 2.0)  # which bring a state to about [-1, 1]

    def __init__(self, width: int = 64):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))
        self.critic = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
        self.register_buffer("scales", tt.tensor(self.SCALES))

    def policy(self, states: Any) -> Categorical:
        """pi(a|s) for states (..., 4)."""
        return Categorical(logits=self.actor(states / self.scales))

    def value(self, states: Any) -> Any:
        """V(s), (...): the discounted return, in units of the largest there is."""
        return self.critic(states / self.scales).squeeze(-1)


def discounted(rewards: Any, ends: Any, values: Any, discount: float) -> Any:
    """R[t] = reward[t] + discount * (values[t] where an episode or the data end, else R[t+1]).

    All are (T, carts); `values` are what is worth to be in the state after tick t: 0 for failures.
    """
    returns = numpy.empty_like(values)
    following = values[-1]
    for t in reversed(range(len(rewards))):
        following = rewards[t] + discount * numpy.where(ends[t], values[t], following)
        returns[t] = following
    return returns


def losses(agent: Agent, states: Any, actions: Any, returns: Any) -> tuple[Any, Any]:
    """Of the actor and of the critic, for states (N, 4), actions (N) and returns (N)."""
    values = agent.value(states)
    advantage = (returns - values).detach()
    actor = -(agent.policy(states).log_prob(actions) * advantage).mean()
    return actor, ((returns - values)**2).mean()


def collect(agent: Agent, carts: CartPole, ticks: int, discount: float,
            device: str) -> tuple[tuple[Any, Any, Any], list[int]]:
    """Lets the agent drive; returns states, actions, returns, and how long episodes were."""
    seen, actions, after, failures, ends, lengths = [], [], [], [], [], []
    with tt.no_grad():
        for _ in range(ticks):
            seen.append(carts.states)
            action = agent.policy(_tensor(carts.states, device)).sample().cpu().numpy()
            failed, ran_out = carts.step(action)
            actions.append(action)
            after.append(carts.states)
            failures.append(failed)
            ends.append(failed | ran_out)
            lengths += carts.restart(ends[-1]).tolist()
        values = agent.value(_tensor(numpy.stack(after), device)).cpu().numpy()
    values = numpy.where(numpy.stack(failures), 0, values)
    # A tick upright is worth 1 - discount, so that values lie between 0 and 1.
    rewards = numpy.full(values.shape, 1 - discount, values.dtype)
    returns = discounted(rewards, numpy.stack(ends), values, discount)
    return (_tensor(numpy.concatenate(seen), device),
            tt.tensor(numpy.concatenate(actions), device=device),
            _tensor(returns.ravel(), device)), lengths


def _tensor(array: Any, device: str) -> Any:
    return tt.tensor(array, dtype=tt.float32, device=device)


def balanced(agent: Agent, episodes: int, limit: int, rng: Any, device: str) -> Any:
    """How long each of `episodes` new ones lasts when the likelier action is always taken."""
    carts = CartPole(episodes, rng, limit)
    lengths = numpy.full(episodes, limit)
    for tick in range(1, limit + 1):
        with tt.no_grad():
            actions = agent.policy(_tensor(carts.states, device)).probs.argmax(-1)
        failed, _ = carts.step(actions.cpu().numpy())
        lengths = numpy.where(failed & (lengths == limit), tick, lengths)
    return lengths


def draw_policy(agent: Agent, device: str, path: Any) -> None:
    """The probability of a push to the right over the pole's angle and its speed."""
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
    panels[0].set_ylabel("its speed, rad/s")
    figure.colorbar(shades, ax=panels, label="probability of a push to the right",
                    ticks=[0, 0.25, 0.5, 0.75, 1])
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500, help="updates, default: 500")
    trainer.arguments(parser)
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps must be at least 1")
    if given.smoke:
        given.steps = 5
    tt.manual_seed(given.seed)
    rng = numpy.random.default_rng(given.seed)
    carts = CartPole(16, rng)
    agent = Agent().to(given.device)
    optimizer = tt.optim.Adam(agent.parameters(), lr=3e-3)
    scheduler = tt.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, given.steps)
    run = trainer.Run("11_policy_gradient", given, agent=agent, optimizer=optimizer,
                      scheduler=scheduler, carts=carts, rng=rng)
    for _ in run.steps(given.steps):
        (states, actions, returns), lengths = collect(agent, carts, 64, 0.99, given.device)
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
    """Prints when the task was solved and how well new poles are balanced; draws the policy."""
    lengths = [(row["step"], row["episode"]) for row in run.rows()
               for _ in range(int(row.get("episodes", 0)))]
    solved = [lengths[end - 1][0] for end in range(100, len(lengths) + 1)
              if sum(length for _, length in lengths[end - 100:end]) >= 100 * SOLVED]
    print(f"\n{len(lengths)} episodes; " + (
        f"solved after {solved[0]} updates: 100 episodes in a row of {SOLVED} ticks on average"
        if solved else f"not solved: no 100 episodes in a row had {SOLVED} ticks on average"))
    episodes, limit = (10, 50) if run.given.smoke else (100, 500)
    found = balanced(agent, episodes, limit, numpy.random.default_rng(10**6), run.given.device)
    picture = run.folder / "policy.png"
    draw_policy(agent, run.given.device, picture)
    print("\nWhat to look at:")
    print(f"  {run.folder / 'curves.png'}: `episode`, the mean length, climbs to 500 and stays")
    print(f"  {picture}: a falling line parts left from right; it is shifted far out on the track")
    print(f"  {(found >= limit).sum()} of {episodes} new episodes balanced to the end "
          f"({limit} ticks), {found.mean():.0f} ticks on average")


if __name__ == "__main__":
    main()
