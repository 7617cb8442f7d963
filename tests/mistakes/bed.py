"""Functions with a right forward and backward, and the mistakes that are planted in the backward.

A backward pass is a program of a few lines, as a learner writes it: it computes d<name> for each
input <name> from g. A mistake replaces a part of the text of that program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SEVERAL = "several mistakes"
UNKNOWN = "no known mistake"


@dataclass
class Planted:
    """One wrong backward pass: its kind, and what replaces what in the right program."""

    kind: str
    replaced: dict[str, str]


@dataclass
class Work:
    """A function, its inputs, right backward passes and wrong ones."""

    forward: Callable[..., Any]
    inputs: dict[str, Any]
    backward: str
    other: str  # another right program
    planted: list[Planted] = field(default_factory=list)

    def gradients(self, program: str, g: Any) -> dict[str, Any]:
        """What a backward program computes."""
        names = {"np": np, "g": g, **{k: np.copy(v) for k, v in self.inputs.items()}}
        with np.errstate(all="ignore"):
            exec(program, names)
        return {name: names[f"d{name}"] for name, x in self.inputs.items() if x.dtype.kind == "f"}

    def wrong(self, planted: Planted, g: Any) -> dict[str, Any]:
        program = self.backward
        for old, new in planted.replaced.items():
            assert program.count(old) == 1, f"{old!r} is not once in the program"
            program = program.replace(old, new)
        return self.gradients(program, g)


WORKS: dict[str, Work] = {}
RNG = np.random.default_rng(7)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def work(inputs: dict[str, Any], backward: str, other: str,
         mistakes: list[tuple[str, dict[str, str]]]) -> Callable[..., Any]:
    def enter(forward: Callable[..., Any]) -> Callable[..., Any]:
        WORKS[forward.__name__] = Work(forward, inputs, backward, other,
                                       [Planted(kind, replaced) for kind, replaced in mistakes])
        return forward

    return enter


@work({"x": normal(3, 4), "w": normal(4, 2), "b": normal(2)}, """
dx = g @ w.T
dw = x.T @ g
db = g.sum(axis=0)
""", """
dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
for n in range(len(x)):
    for j in range(2):
        db[j] += g[n, j]
        dw[:, j] += g[n, j] * x[n]
        dx[n] += g[n, j] * w[:, j]
""", [
    ("not added up", {"db = g.sum(axis=0)": "db = g"}),
    ("not added up", {"db = g.sum(axis=0)": "db = g[-1]"}),
    ("not added up", {"dw = x.T @ g": "dw = np.outer(x[0], g[0])"}),
    ("mean", {"db = g.sum(axis=0)": "db = g.mean(axis=0)"}),
    ("mean", {"x.T @ g": "x.T @ g / len(x)"}),
    ("sign", {"g.sum(axis=0)": "-g.sum(axis=0)"}),
    ("upstream", {"dx =": "g = np.ones_like(g)\ndx ="}),
    ("transposed", {"x.T @ g": "g.T @ x"}),
    ("shape", {"axis=0": "axis=0, keepdims=True"}),
    ("twice", {"g @ w.T": "g @ w.T + g @ w.T"}),
    (SEVERAL, {"g.sum(axis=0)": "g[-1]", "x.T @ g": "-x.T @ g"}),
])
def linear(x, w, b):
    return x @ w + b


@work({"x": normal(3, 4), "w": normal(4, 2), "b": normal(2)}, """
z = x @ w + b
y = np.tanh(z)
d = g * (1 - y * y)
dx = d @ w.T
dw = x.T @ d
db = d.sum(0)
""", """
d = g / np.cosh(x @ w + b) ** 2
dx, dw, db = (w @ d.T).T, np.einsum("ni,nj->ij", x, d), np.ones(len(x)) @ d
""", [
    ("factor", {"g * (1 - y * y)": "g"}),
    ("factor", {"dw = x.T @ d": "dw = x.T @ g"}),
    ("x for y", {"1 - y * y": "1 - z * z"}),
    ("x for y", {"1 - y * y": "1 - np.tanh(y) ** 2"}),
    ("upstream", {"g * (1 - y * y)": "1 - y * y"}),
    ("sign", {"g * (1 - y * y)": "g * (y * y - 1)"}),
    ("path", {"dx = d @ w.T": "dx = np.zeros_like(x)"}),
    (SEVERAL, {"g * (1 - y * y)": "g", "db = d.sum(0)": "db = d.mean(0)"}),
])
def neuron(x, w, b):
    z = x @ w + b
    return np.tanh(z)


@work({"x": normal(3, 4), "v": normal(3, 4)}, """
s = 1 / (1 + np.exp(-x))
dv = g * s
dx = g * v * s * (1 - s)
""", """
e = np.exp(-x)
dv, dx = g / (1 + e), g * v * e / (1 + e) ** 2
""", [
    ("factor", {"g * v * s * (1 - s)": "g * v"}),
    ("x for y", {"s * (1 - s)": "x * (1 - x)"}),
    ("sign", {"(1 - s)": "(s - 1)"}),
    ("other value", {"dv = g * s": "dv = g * v"}),
    ("upstream", {"dx = g * v": "dx = v"}),
    ("path", {"dv = g * s": "dv = np.zeros_like(v)"}),
    ("factor", {"dx = g * v": "dx = g"}),
])
def gate(x, v):
    s = 1 / (1 + np.exp(-x))
    return s * v


@work({"x": normal(4, 3), "w": normal(3, 3), "b": normal(3)}, """
z = x @ w + b
d = g * (z > 0)
dx = d @ w.T
dw = x.T @ d
db = d.sum(0)
""", """
y = np.maximum(x @ w + b, 0)
d = np.where(y == 0, 0, g)
dx, dw, db = np.einsum("nj,ij->ni", d, w), (d.T @ x).T, d.sum(0)
""", [
    ("factor", {"g * (z > 0)": "g"}),
    ("upstream", {"g * (z > 0)": "1.0 * (z > 0)"}),
    ("transposed", {"d @ w.T": "d @ w"}),
    ("transposed", {"x.T @ d": "d.T @ x"}),
    ("sign", {"g * (z > 0)": "-g * (z > 0)"}),
    ("factor", {"db = d.sum(0)": "db = g.sum(0)"}),
    ("other value", {"g * (z > 0)": "g * (z < 0)"}),
])
def relu_layer(x, w, b):
    z = x @ w + b
    return np.maximum(z, 0)


@work({"x": normal(3, 4)}, """
p = np.exp(x)
total = p.sum(-1, keepdims=True)
p = p / total
dx = p * (g - (g * p).sum(-1, keepdims=True))
""", """
p = np.exp(x - x.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
dx = np.stack([(np.diag(row) - np.outer(row, row)) @ gg for row, gg in zip(p, g)])
""", [
    ("path", {"p * (g - (g * p).sum(-1, keepdims=True))": "p * g"}),
    ("path", {"p * (g - ": "p * (0 - "}),
    ("factor", {"dx = p * ": "dx = 1 / total * "}),
    ("diagonal", {"p * (g - (g * p).sum(-1, keepdims=True))": "g * p * (1 - p)"}),
    ("sign", {"g - (g": "g + (g"}),
    ("mean", {"(g * p).sum(": "(g * p).mean("}),
    ("upstream", {"dx = ": "g = np.ones_like(g)\ndx = "}),
    (UNKNOWN, {"g - (g * p)": "g - (g * p * p)"}),
])
def softmax(x):
    powers = np.exp(x)
    total = powers.sum(-1, keepdims=True)
    return powers / total


@work({"z": normal(3, 4), "t": np.array([2, 0, 3])}, """
p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
one_hot = np.eye(4)[t]
dz = g * (p - one_hot) / len(z)
""", """
p = np.exp(z - z.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
p[np.arange(3), t] -= 1
dz = p * (g / 3)
""", [
    ("factor", {" / len(z)": ""}),
    ("path", {"p - one_hot": "p"}),
    ("path", {"p - one_hot": "-one_hot"}),
    ("sign", {"p - one_hot": "one_hot - p"}),
    ("sign", {"p - one_hot": "p + one_hot"}),
    ("upstream", {"g * (p": "(p"}),
    ("twice", {"g * (p": "2 * g * (p"}),
])
def cross_entropy(z, t):
    shifted = z - z.max(-1, keepdims=True)
    total = np.exp(shifted).sum(-1, keepdims=True)
    logs = shifted - np.log(total)
    return -logs[np.arange(len(t)), t].sum() / len(t)


@work({"x": normal(3, 4), "w": normal(4), "b": normal(4)}, """
n = x.shape[-1]
centred = x - x.mean(-1, keepdims=True)
variance = (centred ** 2).sum(-1, keepdims=True) / n
scale = (variance + 1e-5) ** -0.5
db = g.sum(0)
dw = (g * centred * scale).sum(0)
d = g * w
dcentred = d * scale
dscale = (d * centred).sum(-1, keepdims=True)
dvariance = dscale * -0.5 * (variance + 1e-5) ** -1.5
dcentred = dcentred + dvariance * 2 * centred / n
dx = dcentred - dcentred.mean(-1, keepdims=True)
""", """
m, s = x.mean(-1, keepdims=True), np.sqrt(x.var(-1, keepdims=True) + 1e-5)
y = (x - m) / s
db, dw, d = g.sum(0), (g * y).sum(0), g * w
dx = (d - d.mean(-1, keepdims=True) - y * (d * y).mean(-1, keepdims=True)) / s
""", [
    ("path", {" - dcentred.mean(-1, keepdims=True)": ""}),
    ("path", {"dcentred + dvariance * 2 * centred / n": "dcentred"}),
    ("path", {"dcentred = dcentred + dvariance": "dcentred = dvariance"}),
    ("power", {"dvariance * 2 * centred / n": "dvariance * centred / n"}),
    ("factor", {"2 * centred / n": "2 * centred"}),
    ("power", {"(variance + 1e-5) ** -1.5": "(variance + 1e-5) ** -0.5"}),
    ("sign", {"dscale * -0.5": "dscale * 0.5"}),
    ("not added up", {"dw = (g * centred * scale).sum(0)": "dw = (g * centred * scale)[0]"}),
    ("mean", {"db = g.sum(0)": "db = g.mean(0)"}),
    ("factor", {"d = g * w": "d = g"}),
    ("factor", {"dw = (g * centred * scale).sum(0)": "dw = g.sum(0)"}),
    (SEVERAL, {" - dcentred.mean(-1, keepdims=True)": "",
               "dcentred + dvariance * 2 * centred / n": "dcentred"}),
])
def layer_norm(x, w, b):
    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    variance = (centred ** 2).sum(-1, keepdims=True) / x.shape[-1]
    scale = (variance + 1e-5) ** -0.5
    return centred * scale * w + b


@work({"x": normal(4, 3), "w": normal(3), "b": normal(3)}, """
n = len(x)
centred = x - x.mean(0)
variance = (centred * centred).sum(0) / n
std = np.sqrt(variance + 1e-5)
y = centred / std
db = g.sum(0)
dw = (g * y).sum(0)
dy = g * w
dstd = -(dy * centred).sum(0) / std ** 2
dvariance = dstd / (2 * std)
dcentred = dy / std + 2 * centred * dvariance / n
dx = dcentred - dcentred.sum(0) / n
""", """
s = 1 / np.sqrt(x.var(0) + 1e-5)
y = (x - x.mean(0)) * s
dy = g * w
dx = s / len(x) * (len(x) * dy - dy.sum(0) - y * (dy * y).sum(0))
dw, db = np.einsum("ni,ni->i", g, y), np.ones(len(x)) @ g
""", [
    ("path", {"dcentred - dcentred.sum(0) / n": "dcentred"}),
    ("path", {" + 2 * centred * dvariance / n": ""}),
    ("factor", {"dvariance / n": "dvariance"}),
    ("quotient", {"/ std ** 2": "/ std"}),
    ("sign", {"dstd = -(": "dstd = ("}),
    ("x for y", {"dstd / (2 * std)": "dstd / (2 * (variance + 1e-5))"}),
    ("path", {"2 * centred * dvariance": "centred * dvariance"}),
    ("factor", {"dcentred.sum(0) / n": "dcentred.sum(0)"}),
    ("not added up", {"db = g.sum(0)": "db = g[0]"}),
    (SEVERAL, {"dcentred - dcentred.sum(0) / n": "dcentred",
               " + 2 * centred * dvariance / n": ""}),
])
def batch_norm(x, w, b):
    mean = x.sum(0) / len(x)
    centred = x - mean
    variance = (centred * centred).sum(0) / len(x)
    std = np.sqrt(variance + 1e-5)
    return centred / std * w + b


@work({"x": normal(5, 2)}, """
centred = x - x.mean(0)
dx = g * 2 * centred / (len(x) - 1)
""", """
n = len(x)
dx = np.einsum("ij,jk->ik", np.eye(n) - 1 / n, 2 * g * (x - x.mean(0)) / (n - 1))
""", [
    ("factor", {" / (len(x) - 1)": ""}),
    ("power", {"g * 2 * centred": "g * centred"}),
    ("upstream", {"g * 2": "2"}),
    ("sign", {"g * 2": "-g * 2"}),
    ("factor too many", {"len(x) - 1": "len(x)"}),
    ("path", {"g * 2 * centred / (len(x) - 1)": "0 * x"}),
])
def variance(x):
    centred = x - x.mean(0)
    return (centred ** 2).sum(0) / (len(x) - 1)


@work({"q": normal(4, 3), "k": normal(4, 3), "v": normal(4, 3)}, """
s = q @ k.T / 3 ** 0.5
p = np.exp(s)
p = p / p.sum(-1, keepdims=True)
dv = p.T @ g
dp = g @ v.T
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / 3 ** 0.5
dq = ds @ k
dk = ds.T @ q
""", """
p = np.exp(q @ k.T / np.sqrt(3))
p /= p.sum(1, keepdims=True)
dv = np.einsum("ij,id->jd", p, g)
dq, dk = np.zeros_like(q), np.zeros_like(k)
for i in range(4):
    d = (np.diag(p[i]) - np.outer(p[i], p[i])) @ (v @ g[i]) / np.sqrt(3)
    dq[i] = d @ k
    dk += np.outer(d, q[i])
""", [
    ("factor", {"keepdims=True)) / 3 ** 0.5": "keepdims=True))"}),
    ("transposed", {"dk = ds.T @ q": "dk = ds @ q"}),
    ("transposed", {"dv = p.T @ g": "dv = p @ g"}),
    ("diagonal", {"p * (dp - (dp * p).sum(-1, keepdims=True))": "p * (1 - p) * dp"}),
    ("path", {"p * (dp - (dp * p).sum(-1, keepdims=True))": "p * dp"}),
    ("other value", {"dq = ds @ k": "dq = ds @ q"}),
    ("factor", {"ds = p * (dp - (dp * p).sum(-1, keepdims=True))": "ds = dp"}),
    ("upstream", {"dv = p.T @ g": "g = np.ones_like(g)\ndv = p.T @ g"}),
    (SEVERAL, {"dv = p.T @ g": "dv = p @ g", "dk = ds.T @ q": "dk = ds @ q"}),
])
def attention(q, k, v):
    scores = q @ k.T / 3 ** 0.5
    powers = np.exp(scores)
    weights = powers / powers.sum(-1, keepdims=True)
    return weights @ v


@work({"x": normal(2, 5), "w": normal(3), "b": normal(1)}, """
dx, dw = np.zeros_like(x), np.zeros_like(w)
for t in range(3):
    dx[:, t:t + 3] += g[:, t:t + 1] * w
    dw += (g[:, t:t + 1] * x[:, t:t + 3]).sum(0)
db = g.sum(keepdims=True)[0]
""", """
dw = np.array([(g * x[:, k:k + 3]).sum() for k in range(3)])
dx = np.stack([np.convolve(row, w) for row in g])
db = np.array([g.sum()])
""", [
    ("not added up", {"+= g[:, t:t + 1] * w": "= g[:, t:t + 1] * w"}),
    ("not added up", {"dw += (": "dw = ("}),
    ("mean", {".sum(0)": ".mean(0)"}),
    ("not added up", {"db = g.sum(keepdims=True)[0]": "db = g[0, :1]"}),
    ("upstream", {"dw += (g[:, t:t + 1] * x": "dw += (x"}),
    ("sign", {"dw += (": "dw -= ("}),
    (UNKNOWN, {"1] * w": "1] * w[::-1]"}),
])
def convolution(x, w, b):
    columns = []
    for t in range(x.shape[1] - 2):
        window = x[:, t:t + 3]
        columns.append((window * w).sum(1))
    return np.stack(columns, axis=1) + b


@work({"x": normal(3, 2, 2), "w": normal(2, 3), "u": normal(3, 3), "b": normal(3)}, """
states = [np.zeros((2, 3))]
for row in x:
    states.append(np.tanh(row @ w + states[-1] @ u + b))
dx, dw, du, db = (np.zeros_like(a) for a in (x, w, u, b))
dh = g
for t in reversed(range(3)):
    d = dh * (1 - states[t + 1] ** 2)
    dx[t] = d @ w.T
    dw += x[t].T @ d
    du += states[t].T @ d
    db += d.sum(0)
    dh = d @ u.T
""", """
h1 = np.tanh(x[0] @ w + b)
h2 = np.tanh(x[1] @ w + h1 @ u + b)
h3 = np.tanh(x[2] @ w + h2 @ u + b)
d3 = g * (1 - h3 * h3)
d2 = (d3 @ u.T) * (1 - h2 * h2)
d1 = (d2 @ u.T) * (1 - h1 * h1)
dx = np.stack([d1, d2, d3]) @ w.T
dw = x[0].T @ d1 + x[1].T @ d2 + x[2].T @ d3
du = h1.T @ d2 + h2.T @ d3
db = (d1 + d2 + d3).sum(0)
""", [
    ("not added up", {"dw += x[t].T @ d": "dw = x[t].T @ d"}),
    ("not added up", {"db += d.sum(0)": "db = d.sum(0)"}),
    ("path", {"dh = d @ u.T": "dh = 0 * dh"}),
    ("factor", {"dh * (1 - states[t + 1] ** 2)": "dh"}),
    ("transposed", {"dh = d @ u.T": "dh = d @ u"}),
    ("mean", {"db += d.sum(0)": "db += d.mean(0)"}),
    ("sign", {"dh * (1 - states[t + 1] ** 2)": "dh * (states[t + 1] ** 2 - 1)"}),
    ("factor", {"dh = d @ u.T": "dh = d"}),
])
def rnn(x, w, u, b):
    h = np.zeros((2, 3))
    for t in range(3):
        z = x[t] @ w + h @ u + b
        h = np.tanh(z)
    return h


@work({"a": normal(2, 12), "c": normal(2, 3)}, """
i, f, o = (1 / (1 + np.exp(-a[:, k:k + 3])) for k in (0, 3, 6))
n = np.tanh(a[:, 9:])
new = f * c + i * n
y = np.tanh(new)
do = g * y
dnew = g * o * (1 - y * y)
dc = dnew * f
df = dnew * c
di = dnew * n
dn = dnew * i
da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dn * (1 - n * n)])
""", """
s = lambda z: 0.5 * (1 + np.tanh(z / 2))
slope = lambda z: s(z) * s(-z)
I, F, O, N = np.split(a, 4, axis=1)
new = s(F) * c + s(I) * np.tanh(N)
d = g * s(O) / np.cosh(new) ** 2
dc = d * s(F)
da = np.hstack([d * np.tanh(N) * slope(I), d * c * slope(F), g * np.tanh(new) * slope(O),
                d * s(I) / np.cosh(N) ** 2])
""", [
    ("other value", {"di = dnew * n": "di = dnew * i"}),
    ("other value", {"df = dnew * c": "df = dnew * n"}),
    ("factor", {"dn * (1 - n * n)": "dn"}),
    ("factor", {"g * o * (1 - y * y)": "g * o"}),
    ("x for y", {"1 - y * y": "1 - new * new"}),
    ("path", {"dc = dnew * f": "dc = 0 * c"}),
    ("sign", {"df = dnew * c": "df = -dnew * c"}),
    ("factor", {"di * i * (1 - i)": "di"}),
    ("upstream", {"do = g * y": "do = y"}),
    (SEVERAL, {"di = dnew * n": "di = dnew * i", "dn * (1 - n * n)": "dn"}),
])
def lstm_cell(a, c):
    i = 1 / (1 + np.exp(-a[:, 0:3]))
    f = 1 / (1 + np.exp(-a[:, 3:6]))
    o = 1 / (1 + np.exp(-a[:, 6:9]))
    n = np.tanh(a[:, 9:12])
    new = f * c + i * n
    y = np.tanh(new)
    return o * y


@work({"table": normal(4, 3), "ids": np.array([1, 0, 1, 3, 1])}, """
dtable = np.zeros_like(table)
np.add.at(dtable, ids, g)
""", """
dtable = np.eye(4)[ids].T @ g
""", [
    ("not added up", {"np.add.at(dtable, ids, g)": "dtable[ids] = g"}),
    ("not added up", {"np.add.at(dtable, ids, g)": "dtable[ids] += g"}),
    ("upstream", {"ids, g)": "ids, 1.0)"}),
    ("mean", {"ids, g)": "ids, g)\ndtable /= np.maximum(np.bincount(ids), 1)[:, None]"}),
    ("sign", {"ids, g)": "ids, -g)"}),
])
def embedding(table, ids):
    return table[ids]


@work({"prediction": normal(3, 4), "target": normal(3, 4)}, """
d = g * 2 * (prediction - target) / prediction.size
dprediction = d
dtarget = -d
""", """
dtarget = (target - prediction) * g / 6
dprediction = g * (prediction - target) / 6
""", [
    ("power", {"g * 2": "g"}),
    ("factor", {" / prediction.size": ""}),
    ("sign", {"dtarget = -d": "dtarget = d"}),
    ("path", {"dtarget = -d": "dtarget = np.zeros_like(d)"}),
    ("factor too many", {"prediction.size": "len(prediction)"}),
    ("upstream", {"g * 2": "2"}),
    ("sign", {"prediction - target": "target - prediction"}),
])
def mse(prediction, target):
    error = prediction - target
    return (error ** 2).mean()


@work({"x": normal(3, 4), "scale": normal(4), "shift": normal(3, 1)}, """
dx = g * scale
dscale = (g * x).sum(0)
dshift = g.sum(1, keepdims=True)
""", """
dx, dscale = np.einsum("ij,j->ij", g, scale), np.einsum("ij,ij->j", g, x)
dshift = (g @ np.ones(4))[:, None]
""", [
    ("not added up", {"dshift = g.sum(1, keepdims=True)": "dshift = g"}),
    ("not added up", {"dscale = (g * x).sum(0)": "dscale = g * x"}),
    ("mean", {"g.sum(1": "g.mean(1"}),
    ("factor", {"dscale = (g * x).sum(0)": "dscale = g.sum(0)"}),
    ("shape", {"dshift = g.sum(1, keepdims=True)": "dshift = g.sum(1)"}),
    ("shape", {"g.sum(1, keepdims=True)": "g.sum(keepdims=True)"}),
    ("not added up", {"dshift = g.sum(1, keepdims=True)": "dshift = g[:, -1:]"}),
])
def scale_and_shift(x, scale, shift):
    return x * scale + shift


@work({"a": normal(3, 3), "b": normal(3, 3)}, """
da = g @ b.T
db = a.T @ g
""", """
da, db = (b @ g.T).T, np.einsum("ik,ij->kj", a, g)
""", [
    ("transposed", {"g @ b.T": "g @ b"}),
    ("transposed", {"a.T @ g": "a @ g"}),
    ("transposed", {"g @ b.T": "b @ g.T"}),
    ("transposed", {"g @ b.T": "g.T @ b.T"}),
    ("other value", {"g @ b.T": "g @ a.T"}),
    ("not finite", {"g @ b.T": "g @ b.T / 0"}),
])
def matmul(a, b):
    return a @ b


@work({"x": normal(3, 4)}, """
norm = np.sqrt((x * x).sum(1, keepdims=True))
dnorm = -(g * x).sum(1, keepdims=True) / norm ** 2
dx = g / norm + dnorm * x / norm
""", """
n = np.linalg.norm(x, axis=1, keepdims=True)
y = x / n
dx = (g - y * (g * y).sum(1, keepdims=True)) / n
""", [
    ("path", {" + dnorm * x / norm": ""}),
    ("path", {"g / norm + dnorm": "dnorm"}),
    ("quotient", {"/ norm ** 2": "/ norm"}),
    ("sign", {"dnorm = -(": "dnorm = ("}),
    ("factor", {"dnorm * x / norm": "dnorm * 2 * x"}),
    ("path", {"dnorm * x / norm": "dnorm * x / (2 * norm)"}),
    ("quotient", {"g / norm + ": "g * norm + "}),
    ("diagonal", {"g / norm + dnorm * x / norm": "g * (1 / norm - x * x / norm ** 3)"}),
])
def normalise(x):
    norm = np.sqrt((x * x).sum(1, keepdims=True))
    return x / norm


@work({"q": normal(2, 3, 2), "k": normal(2, 3, 2)}, """
dq = g @ k
dk = g.swapaxes(1, 2) @ q
""", """
dq, dk = np.einsum("hij,hjd->hid", g, k), np.einsum("hij,hid->hjd", g, q)
""", [
    ("transposed", {"g.swapaxes(1, 2) @ q": "g @ q"}),
    ("other value", {"g @ k": "g @ q"}),
    ("upstream", {"dq = g": "dq = np.ones_like(g)"}),
    ("sign", {"dk = g": "dk = -g"}),
])
def heads(q, k):
    return q @ k.swapaxes(1, 2)


@work({"x": normal(3, 4), "w": normal(4)}, """
r = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
d = g * w
dw = (g * x / r).sum(0)
dr = -(d * x).sum(-1, keepdims=True) / r ** 2
dx = d / r + dr * x / (r * 4)
""", """
r = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
y = x / r
dw = (g * y).sum(0)
dx = (g * w - y * (g * w * y).mean(-1, keepdims=True)) / r
""", [
    ("path", {" + dr * x / (r * 4)": ""}),
    ("factor", {"(r * 4)": "r"}),
    ("sign", {"dr = -": "dr = "}),
    ("quotient", {"/ r ** 2": "/ r"}),
    ("not added up", {"(g * x / r).sum(0)": "g * x / r"}),
    ("other value", {"(g * x / r)": "(g * x)"}),
    ("twice", {"dr * x / (r * 4)": "dr * 2 * x / (r * 4)"}),
    ("factor", {"d = g * w": "d = g"}),
    (SEVERAL, {"(r * 4)": "r", "dr = -": "dr = "}),
])
def rms_norm(x, w):
    r = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return x / r * w


@work({"x": normal(2, 3), "h": normal(2, 3), "w": normal(3, 9), "u": normal(3, 9)}, """
a, b = x @ w, h @ u
r, z = (1 / (1 + np.exp(-a[:, k:k + 3] - b[:, k:k + 3])) for k in (0, 3))
c = b[:, 6:]
n = np.tanh(a[:, 6:] + r * c)
dz = g * (h - n)
dt = g * (1 - z) * (1 - n * n)
dr = dt * c
dc = dt * r
da = np.hstack([dr * r * (1 - r), dz * z * (1 - z), dt])
db = np.hstack([dr * r * (1 - r), dz * z * (1 - z), dc])
dx, dw, du = da @ w.T, x.T @ da, h.T @ db
dh = g * z + db @ u.T
""", """
s = lambda v: 0.5 * (1 + np.tanh(v / 2))
A, R, N = (np.split(v, 3, axis=1) for v in (x @ w, h @ u, x @ w))
r, z = s(A[0] + R[0]), s(A[1] + R[1])
n = np.tanh(A[2] + r * R[2])
t = g * (1 - z) / np.cosh(A[2] + r * R[2]) ** 2
first = np.hstack([t * R[2] * r * (1 - r), g * (h - n) * z * (1 - z)])
da, db = np.hstack([first, t]), np.hstack([first, t * r])
dx, dw, du, dh = (w @ da.T).T, (da.T @ x).T, (db.T @ h).T, z * g + (u @ db.T).T
""", [
    ("path", {"g * z + db @ u.T": "db @ u.T"}),
    ("path", {"g * (h - n)": "g * h"}),
    ("sign", {"g * (h - n)": "g * (h + n)"}),
    ("sign", {"g * (h - n)": "g * (n - h)"}),
    ("factor", {"(1 - z) * (1 - n * n)": "(1 - z)"}),
    ("factor", {"dc = dt * r": "dc = dt"}),
    ("other value", {"dr = dt * c": "dr = dt * n"}),
    ("path", {"g * z + db @ u.T": "g * z"}),
    (SEVERAL, {"dc = dt * r": "dc = dt", "g * (h - n)": "g * (h + n)"}),
    ("other value", {"g * (1 - z)": "g * z"}),
])
def gru_cell(x, h, w, u):
    a = x @ w
    b = h @ u
    r = 1 / (1 + np.exp(-a[:, :3] - b[:, :3]))
    z = 1 / (1 + np.exp(-a[:, 3:6] - b[:, 3:6]))
    c = b[:, 6:]
    n = np.tanh(a[:, 6:] + r * c)
    return (1 - z) * n + z * h


@work({"x": normal(3, 4)}, """
k = np.sqrt(2 / np.pi)
t = np.tanh(k * (x + 0.044715 * x ** 3))
dx = g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x ** 2))
""", """
k = np.sqrt(2 / np.pi)
inner = k * (x + 0.044715 * x * x * x)
dx = 0.5 * g * (1 + np.tanh(inner) + x * (k + 0.134145 * k * x * x) / np.cosh(inner) ** 2)
""", [
    ("path", {"0.5 * (1 + t) + ": ""}),
    ("path", {" + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x ** 2)": ""}),
    ("factor", {"k * (1 + 3": "(1 + 3"}),
    ("factor", {"(1 - t * t) * k": "k"}),
    ("power", {"3 * 0.044715": "0.044715"}),
    ("power", {"x ** 2": "x ** 3"}),
    ("path", {"(1 + 3 * 0.044715 * x ** 2)": "3 * 0.044715 * x ** 2"}),
    ("path", {" * (1 + 3 * 0.044715 * x ** 2)": ""}),
    ("upstream", {"dx = g * ": "dx = "}),
])
def gelu(x):
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)
    t = np.tanh(inner)
    return 0.5 * x * (1 + t)


@work({"a": normal(5), "b": normal(5)}, """
na, nb = np.sqrt((a * a).sum()), np.sqrt((b * b).sum())
d = (a * b).sum()
da = g * (b / (na * nb) - d * a / (na ** 3 * nb))
db = g * (a / (na * nb) - d * b / (nb ** 3 * na))
""", """
na, nb = np.linalg.norm(a), np.linalg.norm(b)
c = a @ b / na / nb
da, db = g * (b / nb - c * a / na) / na, g * (a / na - c * b / nb) / nb
""", [
    ("path", {" - d * a / (na ** 3 * nb)": ""}),
    ("path", {"b / (na * nb) - d * a": "-d * a"}),
    ("sign", {"- d * a": "+ d * a"}),
    ("other value", {"db = g * (a /": "db = g * (b /"}),
    ("upstream", {"da = g *": "da = "}),
    ("twice", {"- d * a": "- 2 * d * a"}),
])
def cosine(a, b):
    na = np.sqrt((a * a).sum())
    nb = np.sqrt((b * b).sum())
    return (a * b).sum() / (na * nb)


@work({"x": normal(3, 4), "w": normal(4, 4)}, """
z = x @ w
d = g * (z > 0)
dx = g + d @ w.T
dw = x.T @ d
""", """
d = np.where(x @ w > 0, g, 0)
dx = d @ w.T
dx += g
dw = np.einsum("ni,nj->ij", x, d)
""", [
    ("path", {"dx = g + d": "dx = d"}),
    ("path", {"dx = g + d @ w.T": "dx = g"}),
    ("transposed", {"d @ w.T": "d @ w"}),
    ("factor", {"g * (z > 0)": "g"}),
    ("transposed", {"x.T @ d": "d.T @ x"}),
    ("twice", {"dx = g + d": "dx = 2 * g + d"}),
    ("sign", {"dx = g + d": "dx = g - d"}),
    (UNKNOWN, {"g * (z > 0)": "g * z"}),
])
def residual(x, w):
    z = x @ w
    h = np.maximum(z, 0)
    return x + h


@work({"a": normal(3, 2), "b": normal(4, 2)}, """
difference = a[:, None, :] - b[None, :, :]
d = 2 * g[:, :, None] * difference
da = d.sum(1)
db = -d.sum(0)
""", """
da = 2 * (g.sum(1)[:, None] * a - g @ b)
db = 2 * (g.sum(0)[:, None] * b - g.T @ a)
""", [
    ("sign", {"db = -": "db = "}),
    ("power", {"2 * g": "g"}),
    ("not added up", {"da = d.sum(1)": "da = d[:, 0]"}),
    ("not added up", {"da = d.sum(1)": "da = d"}),
    ("mean", {"d.sum(0)": "d.mean(0)"}),
    ("upstream", {"2 * g[:, :, None] * difference": "2 * difference"}),
    (SEVERAL, {"db = -": "db = ", "da = d.sum(1)": "da = d.mean(1)"}),
])
def distances(a, b):
    difference = a[:, None, :] - b[None, :, :]
    return (difference ** 2).sum(-1)


@work({"x": normal(2, 3, 4), "wq": normal(4, 4), "wk": normal(4, 4)}, """
q, k = ((x @ w).reshape(2, 3, 2, 2).swapaxes(1, 2) for w in (wq, wk))
dq = g @ k / 2 ** 0.5
dk = g.swapaxes(-1, -2) @ q / 2 ** 0.5
dq, dk = (d.swapaxes(1, 2).reshape(2, 3, 4) for d in (dq, dk))
dwq = np.einsum("nti,ntj->ij", x, dq)
dwk = np.einsum("nti,ntj->ij", x, dk)
dx = dq @ wq.T + dk @ wk.T
""", """
q, k = ((x @ w).reshape(2, 3, 2, 2) for w in (wq, wk))
dq = np.einsum("nhij,njhd->nihd", g, k).reshape(6, 4) / np.sqrt(2)
dk = np.einsum("nhij,nihd->njhd", g, q).reshape(6, 4) / np.sqrt(2)
dwq, dwk = x.reshape(6, 4).T @ dq, x.reshape(6, 4).T @ dk
dx = (wq @ dq.T + wk @ dk.T).T.reshape(2, 3, 4)
""", [
    ("factor", {"g @ k / 2 ** 0.5": "g @ k"}),
    ("transposed", {"g.swapaxes(-1, -2) @ q": "g @ q"}),
    ("path", {" + dk @ wk.T": ""}),
    ("path", {"dq @ wq.T + ": ""}),
    ("transposed", {"dq @ wq.T": "dq @ wq"}),
    ("other value", {"dq = g @ k": "dq = g @ q"}),
    ("sign", {"+ dk @ wk.T": "- dk @ wk.T"}),
    ("not added up", {'np.einsum("nti,ntj->ij", x, dq)': "x[-1].T @ dq[-1]"}),
    ("mean", {'np.einsum("nti,ntj->ij", x, dq)': 'np.einsum("nti,ntj->ij", x, dq) / 2'}),
    ("transposed", {'np.einsum("nti,ntj->ij", x, dk)': 'np.einsum("nti,ntj->ji", x, dk)'}),
    (UNKNOWN, {"for d in (dq, dk))": "for d in (dq.swapaxes(1, 3), dk))"}),
])
def scores_of_heads(x, wq, wk):
    q = (x @ wq).reshape(2, 3, 2, 2).swapaxes(1, 2)
    k = (x @ wk).reshape(2, 3, 2, 2).swapaxes(1, 2)
    return q @ k.swapaxes(-1, -2) / 2 ** 0.5


@work({"h0": normal(2, 3), "u": normal(3, 3)}, """
states = [h0]
for t in range(3):
    z = states[-1] @ u
    states.append(np.maximum(z, 0.1 * z))
du, dh = np.zeros_like(u), g
for t in reversed(range(3)):
    d = dh * np.where(states[t] @ u > 0, 1, 0.1)
    du += states[t].T @ d
    dh = d @ u.T
dh0 = dh
""", """
leaky = lambda z: np.where(z > 0, z, 0.1 * z)
slope = lambda h: np.where(h > 0, 1, 0.1)
h1 = leaky(h0 @ u)
h2 = leaky(h1 @ u)
d3 = g * slope(h2 @ u)
d2 = (d3 @ u.T) * slope(h2)
d1 = (d2 @ u.T) * slope(h1)
du, dh0 = h0.T @ d1 + h1.T @ d2 + h2.T @ d3, d1 @ u.T
""", [
    ("not added up", {"du += states": "du = states"}),
    ("factor", {"np.where(states[t] @ u > 0, 1, 0.1)": "1"}),
    ("transposed", {"dh = d @ u.T": "dh = d @ u"}),
    ("path", {"dh = d @ u.T": "dh = 0 * d"}),
    ("path", {"np.where(states[t] @ u > 0, 1, 0.1)": "(states[t] @ u > 0)"}),
    ("sign", {"du += ": "du -= "}),
])
def leaky_rnn(h0, u):
    h = h0
    for _ in range(3):
        z = h @ u
        h = np.maximum(z, 0.1 * z)
    return h
