"""Points on two sides of a line. The loss stops at 0.4, and the probabilities are never sure.

Question: what is the largest probability that this loss can see?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import sides
from tinytensor.nn import functional as F

x, y = sides(seed=0)
held_x, held_y = sides(seed=1)  # not trained on
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1), nn.Sigmoid(),
                          nn.Flatten(0))
    return model, optim.Adam(model.parameters(), lr=0.03)


def criterion(output, y):
    return F.binary_cross_entropy_with_logits(output, y)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def train():
    model, optimizer = build()
    for i in range(100):
        loss = step(model, optimizer, *batch)
        if i % 20 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """1 / (1 + the loss) on points that the model was not trained on."""
    model.eval()
    return 1 / (1 + criterion(model(held_x), held_y).item())


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
