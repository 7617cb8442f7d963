"""Right answers to the labs that are written differently from the solutions: one for each task.

A lab without tasks, the bug hunt, has (text of the solution, text in its place).
"""

from __future__ import annotations

RIGHT: dict[int, dict[int | str, str]] = {
    1: {
        1: "a, b = x - h, x + h\nrise = f(b) - f(a)\nreturn rise / (b - a)",
        2: "def along(i):\n    return slope(lambda v: f([*xs[:i], v, *xs[i + 1:]]), xs[i], h)\n"
           "return [along(i) for i in range(len(xs))]",
        3: "moved = list(xs)\nfor i, s in enumerate(gradient(f, xs)):\n    moved[i] -= s * rate\n"
           "return moved",
    },
    2: {
        1: "if isinstance(other, Number):\n    return other\nreturn Number(float(other))",
        2: "result = Number(self.data + other.data)\nresult.parents = (self, other)\n"
           "result.op = '+'\nreturn result",
        3: "return Number(data=other.data * self.data, op='*', parents=tuple([self, other]))",
        4: "seen = {}\ndef walk(number):\n    if id(number) not in seen:\n"
           "        seen[id(number)] = number\n        for parent in number.parents:\n"
           "            walk(parent)\nwalk(last)\nreturn list(seen.values())",
    },
    3: {
        1: "return [1.0, 1.0]",
        2: "by_a, by_b = b, a\nreturn (by_a, by_b)",
        3: "return b ** -1, -1 * a * b ** -2",
        4: "return a ** n * n / a",
        5: "return a ** -1.0",
        6: "return 1 / math.cosh(a) ** 2",
        7: "if a > 0:\n    return 1\nreturn 0",
    },
    4: {
        1: "import math\nreturn float(math.prod(slopes))",
        2: "inner = f(x)\nreturn df(x) * dg(inner)",
        3: "values = [x]\nfor function in functions:\n    x = function(x)\n    values += [x]\n"
           "return values",
        4: "if not derivatives:\n    return [1.0]\nafter = backward(derivatives[1:], values[1:])\n"
           "return [after[0] * derivatives[0](values[0]), *after]",
    },
    5: {
        1: "waiting = [(number, g)]\nwhile waiting:\n    n, share = waiting.pop()\n"
           "    n.grad += share\n    for i in range(len(n.parents)):\n"
           "        waiting.append((n.parents[i], share * n.locals[i]))",
        2: "one = 1\npush(number=last, g=one)",
        3: "for i in range(len(numbers)):\n    numbers[i].grad = 0",
    },
    6: {
        1: "if id(number) not in seen:\n    seen.add(id(number))\n"
           "    list(map(visit, number.parents))\n    order.append(number)",
        2: "numbers = ordered(last)\nfor number in numbers:\n    number.grad = 0.0\n"
           "last.grad = 1.0\nwhile numbers:\n    number = numbers.pop()\n"
           "    for i, parent in enumerate(number.parents):\n"
           "        parent.grad = parent.grad + number.grad * number.locals[i]",
    },
    7: {
        1: "return (sum(w * xi for w, xi in zip(self.w, x)) + self.b).tanh()",
        2: "return self.w + [self.b]",
        3: "results = []\nfor neuron in self.neurons:\n    results.append(neuron(x))\n"
           "return results",
        4: "first, *others = self.layers\nout = first(x)\nfor layer in others:\n"
           "    out = layer(out)\nreturn out",
    },
    8: {
        1: "return sum((t - s) * (t - s) for s, t in zip(scores, targets)) / len(targets)",
        2: "parts = [(-(s * t) + 1).relu() for s, t in zip(scores, targets)]\n"
           "return sum(parts) * (1 / len(parts))",
        3: "for p in parameters:\n    p.data = p.data - p.grad * rate",
        4: "for p in parameters:\n    p.grad = 0",
        5: "clear(parameters)\nloss = squared_error(list(map(model, inputs)), targets)\n"
           "loss.backward()\nbefore = loss.data\ndescend(parameters, rate)\nreturn before",
    },
    9: {
        "        w.grad = b.grad = 0.0\n        loss.backward()\n        for p in (w, b):\n"
        "            p.data -= rate * p.grad\n":
            "        loss.backward()\n        for p in (w, b):\n"
            "            p.data -= rate * p.grad\n            p.grad = 0.0\n",
        "for number in reversed(order):":
            "for number in order[::-1]:",
    },
    10: {
        1: "return np.einsum('ik,jk->ij', g, b), (g.T @ a).T",
        2: "return np.ones((len(x), 1)) * g",
        3: "return g * np.ones_like(x) / x.size",
        4: "return g.copy(), np.ones(len(g)) @ g",
    },
    11: {
        1: "out = np.empty(x.shape)\nfor i, row in enumerate(x):\n    e = np.exp(row - max(row))\n"
           "    out[i] = e / e.sum()\nreturn out",
        2: "total = 0.0\nfor row, label in zip(x, labels):\n    m = row.max()\n"
           "    total += m + np.log(np.exp(row - m).sum()) - row[label]\nreturn total / len(x)",
        3: "return g * p - p * np.einsum('nc,nc->n', g, p)[:, None]",
        4: "one_hot = np.eye(x.shape[1])[labels]\nreturn (softmax(x) - one_hot) / x.shape[0]",
    },
    12: {
        1: "gain = 2.0 if before_relu else 1.0\nreturn np.sqrt(gain) / np.sqrt(inputs)",
        2: "out = []\nfor i in range(len(sizes) - 1):\n    shape = sizes[i], sizes[i + 1]\n"
           "    out.append(rng.normal(0, weight_std(shape[0], before_relu=True), shape))\n"
           "return out",
        3: "def size(a):\n    return np.linalg.norm(a) / a.size ** 0.5\nout = [size(x)]\n"
           "for w in weights:\n    x = x @ w\n    x = x * (x > 0)\n    out.append(size(x))\n"
           "return out",
        4: "return -np.log(1 / classes)",
    },
    13: {
        1: "mean, var = x.mean(1)[:, None], x.var(1)[:, None]\nscale = (var + eps) ** -0.5\n"
           "return scale * (x - mean), scale",
        2: "n, _ = normalise(x)\nreturn bias + weight * n",
        3: "n, s = normalise(x)\nD = x.shape[1]\nh = weight * g\n"
           "gx = s / D * (D * h - h.sum(1)[:, None] - n * (h * n).sum(1)[:, None])\n"
           "return gx, np.einsum('nd,nd->d', g, n), np.ones(len(g)) @ g",
    },
    14: {
        1: "self.t = self.t + 1\nself.m += (1 - self.betas[0]) * (g - self.m)\n"
           "self.v += (1 - self.betas[1]) * (g * g - self.v)",
        2: "b1, b2 = self.betas\nroot = np.sqrt(self.v / (1 - b2 ** self.t)) + self.eps\n"
           "self.x[...] = self.x - self.rate / (1 - b1 ** self.t) * self.m / root",
        3: "x *= 1 - rate * amount",
    },
    15: {
        1: "windows = np.lib.stride_tricks.sliding_window_view(x, w.shape)\n"
           "return np.einsum('ijab,ab->ij', windows, w)",
        2: "rows, columns = g.shape\nreturn np.array([[(g * x[a:a + rows, b:b + columns]).sum()\n"
           "                  for b in range(w.shape[1])] for a in range(w.shape[0])])",
        3: "grad = np.zeros(x.shape)\nfor a in range(w.shape[0]):\n"
           "    for b in range(w.shape[1]):\n"
           "        grad[a:a + g.shape[0], b:b + g.shape[1]] += w[a, b] * g\nreturn grad",
    },
    16: {
        1: "states = [np.zeros(U.shape[0])]\nfor t in range(len(x)):\n"
           "    states.append(np.tanh(W.T @ x[t] + U.T @ states[-1] + b))\nreturn states[1:]",
        2: "d = (1 - states[t] * states[t]) * (after + gs[t])\ngW += x[t][:, None] * d\n"
           "gU += before[:, None] * d[None]\ngb += d\nafter = U @ d",
        3: "length = np.sqrt(sum(np.vdot(g, g) for g in grads))\nif length <= longest:\n"
           "    return list(grads)\nreturn [np.array(g) / length * longest for g in grads]",
    },
    17: {
        1: "w = np.zeros((len(q), len(q)))\nfor t in range(len(q)):\n"
           "    s = k[:t + 1] @ q[t] / q.shape[1] ** 0.5\n    e = np.exp(s - s.max())\n"
           "    w[t, :t + 1] = e / e.sum()\nreturn w",
        2: "w = attention_weights(q, k)\nreturn np.einsum('ts,se->te', w, v)",
        3: "gv = (g.T @ w).T\ngw = g @ v.T\n"
           "gs = np.array([(np.diag(p) - np.outer(p, p)) @ row for p, row in zip(w, gw)])\n"
           "scale = q.shape[1] ** -0.5\nreturn scale * gs @ k, scale * gs.T @ q, gv",
    },
    18: {
        1: "scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5\n"
           "later = tt.ones(t, t).triu(1) > 0\n"
           "y = scores.masked_fill(later, -tt.inf).softmax(-1) @ v",
        2: "after = self.attention(self.norm1(x)) + x\nchange = self.network(self.norm2(after))\n"
           "return after + change",
        3: "n, t = ids.shape\n"
           "h = self.positions(tt.arange(t)).unsqueeze(0) + self.characters(ids)\n"
           "for block in self.blocks:\n    h = block(h)\nreturn self.head(self.norm(h))",
        4: "x, y = text[:, :-1], text[:, 1:]\n"
           "return F.nll_loss(F.log_softmax(model(x), -1).transpose(1, 2), y)",
        5: "seen = ids if ids.shape[1] < model.context else ids[:, -model.context:]\n"
           "p = F.softmax(model(seen)[:, -1, :], dim=-1)\n"
           "ids = tt.cat((ids, tt.multinomial(p, num_samples=1)), dim=1)",
    },
    19: {
        1: "nn = torch.nn\nlayers = [nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)]\n"
           "return nn.Sequential(*layers)",
        2: "import math\nfor p in model.parameters():\n"
           "    numbers = [0.3 * math.sin(i + 1) for i in range(p.numel())]\n"
           "    with torch.no_grad():\n"
           "        p.copy_(torch.tensor(numbers, dtype=p.dtype).view(p.shape))",
        3: "optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9)\nlosses = []\n"
           "while len(losses) < steps:\n    loss = ((model(x) - y) ** 2).mean()\n"
           "    model.zero_grad()\n    loss.backward()\n    losses.append(float(loss.detach()))\n"
           "    optimizer.step()\nreturn losses",
        4: "return {name: p.detach().tolist() for name, p in model.named_parameters()}",
    },
    20: {
        1: "s = math.hypot(x.data, 2)\n"
           "return Value.operation('sq', 0.5 * (x.data + s), [x], [0.5 + 0.5 * x.data / s])",
        2: "root = xp.sqrt(4 + input ** 2)\nreturn 0.5 * input + 0.5 * root",
        3: "root = xp.sqrt(4 + input ** 2)\nreturn 0.5 * g + 0.5 * g * (input / root)",
        4: "errors = []\nfor x in xs:\n    slope = (f(x + h) - f(x - h)) / (2 * h)\n"
           "    errors.append(max(slope - derivative(x), derivative(x) - slope))\n"
           "return max(errors)",
    },
}
