"""A curve is to be learned. The loss stays near the variance of y, and the predictions near its
mean.

Question: what is the shape of output - y?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import curve

x, y = curve(seed=0)
held_x, held_y = curve(seed=1)  # not trained on
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
    return model, optim.Adam(model.parameters(), lr=0.03)


def criterion(output, y):
    return ((output - y) ** 2).mean()


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def train():
    model, optimizer = build()
    for i in range(200):
        loss = step(model, optimizer, *batch)
        if i % 40 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """How much better than the mean the model predicts what it was not trained on: R squared."""
    model.eval()
    error = (model(held_x).reshape(-1) - held_y.reshape(-1)) ** 2
    return 1 - (error.mean() / held_y.var(correction=0)).item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
