"""Points of three classes, with a Kullback-Leibler divergence written by hand. The loss is nan.

Question: what is 0 times the logarithm of 0?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0)
held_x, held_y = points(seed=1)  # not trained on
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))
    return model, optim.SGD(model.parameters(), lr=0.3)


def criterion(output, y):
    target = F.one_hot(y, 3).float()
    return (target * (target.log() - F.log_softmax(output, 1))).sum(1).mean()


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
