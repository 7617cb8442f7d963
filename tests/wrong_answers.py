"""Wrong answers to the labs: at least eight for each, with words of their diagnosis.

An answer is (task, text, words): the text in place of the solution of a task, by its number; or
(text of the solution, text in its place, words).
"""

from __future__ import annotations

WRONG: dict[int, list[tuple[int | str, str, str]]] = {
    1: [
        (1, "return (f(x + h) - f(x)) / h", "to the right only"),
        (1, "return (f(x) - f(x - h)) / h", "to the left only"),
        (1, "return f(x + h) - f(x - h)", "not divided by the distance"),
        (1, "return (f(x + h) - f(x - h)) / h", "2 h apart"),
        (1, "return (f(x + h) - f(x - h)) / 2 * h", "multiplie"),
        (1, "return (f(x - h) - f(x + h)) / (2 * h)", "sign is wrong"),
        (1, "return f(x)", "the value of f"),
        (2, "return [(f([x + h for x in xs]) - f([x - h for x in xs])) / (2 * h) for _ in xs]",
         "one at a time"),
        (2, "return [(f([xs[0] + h, *xs[1:]]) - f([xs[0] - h, *xs[1:]])) / (2 * h)]",
         "only the first number"),
        (2, "out = []\nfor i in range(len(xs)):\n    xs[i] += h\n    up = f(xs)\n"
            "    xs[i] -= 2 * h\n    out.append((up - f(xs)) / (2 * h))\nreturn out",
         "work on a copy"),
        (2, "out = []\nfor i in range(len(xs)):\n    moved = list(xs)\n    moved[i] += h\n"
            "    out.append((f(moved) - f(xs)) / h)\nreturn out",
         "to the right only"),
        (3, "return [x + rate * s for x, s in zip(xs, gradient(f, xs))]", "uphill"),
        (3, "return [rate * s for s in gradient(f, xs)]", "changes alone"),
        (3, "return [x - s for x, s in zip(xs, gradient(f, xs))]", "rate is not used"),
        (1, "return (f(x + h) - f(x - h)) / 2", "divided by 2 and not by h"),
        (1, "return f(x + h) - f(x - h) / (2 * h)", "difference in brackets"),
        (2, "slopes = []\nfor i in range(len(xs)):\n    left = right = list(xs)\n"
            "    right[i] += h\n    left[i] -= h\n    slopes.append((f(right) - f(left)) / h)\n"
            "return slopes",
         "the same list"),
        (2, "slopes = [slope(lambda v: f([v, *xs[1:]]), xs[0], h)]", "needs a return"),
        (3, "return [x - rate * s * x for x, s in zip(xs, gradient(f, xs))]",
         "multiplied by its number"),
        (3, "for x, s in zip(xs, gradient(f, xs)):\n    x -= rate * s\nreturn xs",
         "did not move"),
    ],
    2: [
        (2, "return Number(self.data + other.data)", "parents are missing"),
        (2, "return self.data + other.data", "plain float"),
        (2, "return Number(self.data + other.data, {self, other}, '+')", "a set holds"),
        (2, "return Number(self.data + other.data, (other, self), '+')", "the order"),
        (2, "return Number(self.data + other.data, (self.data, other.data), '+')",
         "objects, not their data"),
        (2, "return Number(self.data + other.data, (self, other))", "operation is missing"),
        (2, "self.data += other.data\nreturn self", "parents are missing"),
        (3, "return Number(self.data + other.data, (self, other), '*')", "this is the sum"),
        (3, "return Number(self.data * other.data, (self, other), '+')", "other operation"),
        (1, "return Number(other)", "inside of a Number"),
        (1, "return other", "must become a Number"),
        (4, "return [last, *last.parents]", "not theirs"),
        (4, "out = [last]\nfor p in last.parents:\n    out += nodes(p)\nreturn out",
         "listed twice"),
        (4, "out = {}\ndef walk(n):\n    if n.data not in out:\n        out[n.data] = n\n"
            "        for p in n.parents:\n            walk(p)\nwalk(last)\n"
            "return list(out.values())",
         "compare by `is`"),
    ],
    3: [
        (1, "return a, b", "operands"),
        (1, "return b, a", "exchanged"),
        (2, "return a, b", "exchanged"),
        (2, "return 1.0, 1.0", "rule of the sum"),
        (3, "return 1 / b, a / b ** 2", "wrong sign"),
        (3, "return 1 / b, -a / b", "lacks a square"),
        (3, "return 1 / b, -1 / b ** 2", "factor a"),
        (3, "return b, a", "rule of the product"),
        (4, "return a ** (n - 1)", "factor n is missing"),
        (4, "return n * a ** n", "exponent must be one less"),
        (5, "return math.log(a)", "logarithm itself"),
        (5, "return a", "not 1 / a"),
        (6, "return 1 - a ** 2", "uses a where the result"),
        (6, "return 1 - math.tanh(a)", "square is missing"),
        (6, "t = math.tanh(a)\nreturn t * (1 - t)", "rule of the sigmoid"),
        (7, "return max(a, 0.0)", "relu itself"),
        (7, "return 1.0", "passes everywhere"),
        (7, "return 1.0 if a >= 0 else 0.0", "at 0 it should be 0"),
        (7, "return a > 0", "True or False"),
    ],
    4: [
        (1, "return sum(slopes)", "do not add up"),
        (1, "return slopes[-1] if slopes else 1.0", "last slope alone"),
        (1, "product = 0.0\nfor slope in slopes:\n    product *= slope\nreturn product",
         "starts at 1"),
        (1, "for slope in slopes:\n    return slope\nreturn 1.0", "first slope alone"),
        (2, "return dg(x) * df(x)", "taken at x"),
        (2, "return dg(f(x))", "inner derivative"),
        (2, "return dg(f(x)) + df(x)", "they multiply"),
        (2, "return dg(f(x)) * df(f(x))", "f's input is x"),
        (2, "return dg(df(x)) * df(x)", "taken at f'(x)"),
        (3, "return [x] + [f(x) for f in functions]", "not the result before"),
        (3, "values = [x]\nfor f in functions:\n    values.append(f(values[-1]))\n"
            "return values[1:]",
         "x itself is the first"),
        (4, "grads = [1.0]\nfor d, v in zip(reversed(derivatives), reversed(values[:-1])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads",
         "turn the list around"),
        (4, "return [d(v) for d, v in zip(derivatives, values)] + [1.0]", "local derivatives"),
        (4, "grads = [1.0]\nfor d, v in zip(reversed(derivatives), reversed(values[1:])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads[::-1]",
         "taken at the results"),
        (4, "grads = [values[-1]]\n"
            "for d, v in zip(reversed(derivatives), reversed(values[:-1])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads[::-1]",
         "it starts at 1"),
    ],
    5: [
        (1, "number.grad = g\nfor p, l in zip(number.parents, number.locals):\n"
            "    push(p, l * g)",
         "add with +="),
        (1, "number.grad += g", "nothing reached the parents"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    p.grad += l * g",
         "push, do not only add"),
        (1, "number.grad += g\nfor p in number.parents:\n    push(p, g)",
         "multiply it by the local"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n    push(p, l)",
         "local derivative alone"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    push(p, l * number.grad)",
         "number.grad, the sum"),
        (1, "number.grad += g\nif number.parents:\n"
            "    push(number.parents[0], number.locals[0] * g)",
         "only the first parent"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    push(p, -l * g)",
         "sign turns at each step"),
        (2, "push(last, 0.0)", "a number grows as fast as itself"),
        (2, "push(last, last.data)", "this is its data"),
        (3, "for n in numbers:\n    n.data = 0.0", "must not touch data"),
        (3, "for n in numbers:\n    n.grad = None", "None cannot be added"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    p.grad += l * g\n    push(p, l * g)",
         "its share twice"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    push(p, l + g)",
         "multiply them"),
        (1, "number.grad += g\nfor p in number.parents:\n    push(p, number.locals[0] * g)",
         "each has its own"),
        (2, "last.grad = 1.0\npush(last, 1.0)", "counted twice"),
    ],
    6: [
        (1, "for parent in number.parents:\n    visit(parent)\norder.append(number)", "times"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\norder.append(number)\n"
            "for parent in number.parents:\n    visit(parent)",
         "turned around"),
        (1, "order.append(number)", "parents were not visited"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\n"
            "for parent in number.parents:\n    visit(parent)",
         "nothing was appended"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\nif number.parents:\n"
            "    visit(number.parents[0])\norder.append(number)",
         "not the first alone"),
        (2, "for n in reversed(ordered(last)):\n    for p, l in zip(n.parents, n.locals):\n"
            "        p.grad += l * n.grad",
         "is 1, and is not set"),
        (2, "last.grad = 1.0\nfor n in ordered(last):\n"
            "    for p, l in zip(n.parents, n.locals):\n        p.grad += l * n.grad",
         "from the start"),
        (2, "last.grad = 1.0\nfor n in reversed(ordered(last)):\n"
            "    for p, l in zip(n.parents, n.locals):\n        p.grad = l * n.grad",
         "add with +="),
        (2, "last.grad = 1.0\nfor n in reversed(ordered(last)):\n"
            "    for p, l in zip(n.parents, n.locals):\n        p.grad += n.grad",
         "local derivative is missing"),
        (2, "last.grad = 1.0\nfor n in reversed(ordered(last)):\n"
            "    for p, l in zip(n.parents, n.locals):\n        p.grad += l",
         "local derivative alone"),
        (2, "last.grad = 1.0", "nothing was handed on"),
        (2, "last.grad = last.data\nfor n in reversed(ordered(last)):\n"
            "    for p, l in zip(n.parents, n.locals):\n        p.grad += l * n.grad",
         "starts as its data"),
    ],
    7: [
        (1, "return sum((w * xi for w, xi in zip(self.w, x)), self.b)", "tanh is missing"),
        (1, "return sum(w * xi for w, xi in zip(self.w, x)).tanh()", "bias is missing"),
        (1, "return sum(w * xi for w, xi in zip(self.w, x)).tanh() + self.b", "behind the tanh"),
        (1, "return sum((w + xi for w, xi in zip(self.w, x)), self.b).tanh()",
         "each multiplies its input"),
        (1, "return (self.w[0] * x[0] + self.b).tanh()", "only the first input"),
        (1, "return sum(w * xi + self.b for w, xi in zip(self.w, x)).tanh()", "for each input"),
        (1, "return sum((w * xi for w, xi in zip(self.w, x)), self.b).relu()", "this is a relu"),
        (1, "return Value(sum((w.data * xi for w, xi in zip(self.w, x)), self.b.data)).tanh()",
         "Nothing comes back"),
        (2, "return self.w", "bias is missing"),
        (2, "return [self.w, self.b]", "unpack"),
        (2, "return [p.data for p in (*self.w, self.b)]", "training changes the Values"),
        (3, "return self.neurons[0](x)", "one for each neuron"),
        (3, "return [self.neurons[0](x)]", "only the first neuron"),
        (4, "return self.layers[0](x)", "only the first layer"),
        (4, "for layer in self.layers[:-1]:\n    x = layer(x)\nreturn x",
         "last layer was left out"),
        (4, "for layer in self.layers:\n    x = layer(x)\nreturn x[0]", "as it is"),
    ],
    8: [
        (1, "return sum((s - t) ** 2 for s, t in zip(scores, targets))", "this is the sum"),
        (1, "return sum(s - t for s, t in zip(scores, targets)) / len(scores)",
         "not of their squares"),
        (1, "return sum((s + t) ** 2 for s, t in zip(scores, targets)) / len(scores)", "subtract"),
        (1, "return sum(s - t for s, t in zip(scores, targets)) ** 2 / len(scores)",
         "square each difference"),
        (1, "return sum((s.data - t) ** 2 for s, t in zip(scores, targets)) / len(scores)",
         "plain number"),
        (2, "return sum((1 - t * s).relu() for s, t in zip(scores, targets))", "this is the sum"),
        (2, "return sum(1 - t * s for s, t in zip(scores, targets)) / len(scores)",
         "relu is missing"),
        (2, "return sum((-t * s).relu() for s, t in zip(scores, targets)) / len(scores)",
         "margin is missing"),
        (2, "return sum((1 + t * s).relu() for s, t in zip(scores, targets)) / len(scores)",
         "sign is wrong"),
        (2, "return sum((1 - s).relu() for s, t in zip(scores, targets)) / len(scores)",
         "target is not used"),
        (3, "for p in parameters:\n    p.data += rate * p.grad", "uphill"),
        (3, "for p in parameters:\n    p.data -= p.grad", "rate is not used"),
        (3, "for p in parameters:\n    p.data = -rate * p.grad", "replaced"),
        (4, "for p in parameters:\n    p.data = 0.0", "must not touch data"),
        (4, "for p in parameters:\n    p.grad = None", "None cannot be added"),
        (5, "loss = squared_error([model(x) for x in inputs], targets)\nloss.backward()\n"
            "descend(parameters, rate)\nreturn loss.data",
         "clear before backward"),
        (5, "loss = squared_error([model(x) for x in inputs], targets)\n"
            "descend(parameters, rate)\nclear(parameters)\nloss.backward()\nreturn loss.data",
         "before backward filled"),
        (5, "loss = squared_error([model(x) for x in inputs], targets)\nclear(parameters)\n"
            "loss.backward()\ndescend(parameters, rate)\nreturn loss",
         "return loss.data"),
    ],
    9: [
        ("(other.data, self.data))", "(self.data, other.data))", "product"),
        ("1 - t ** 2,", "1 - self.data ** 2,", "is given the operand"),
        ("1 - t ** 2,", "1 - t,", "square is missing"),
        ("parent.grad += local", "parent.grad = local", "second use overwrites"),
        ("reversed(order)", "order", "look at the order"),
        ("if id(number) not in seen:", "if True:", "handle each once"),
        ("                for parent in number.parents:\n                    visit(parent)\n"
         "                order.append(number)\n",
         "                order.append(number)\n"
         "                for parent in number.parents:\n                    visit(parent)\n",
         "before b had sent"),
        ("        w.grad = b.grad = 0.0\n", "", "earlier steps"),
        ("        w.grad = b.grad = 0.0\n        loss.backward()\n",
         "        loss.backward()\n        w.grad = b.grad = 0.0\n",
         "nothing moved"),
    ],
    10: [
        (1, "return g @ b.T, g.T @ a", "It is the right one, transposed."),
        (1, "return a.T @ g, g @ b.T", "A gradient has one number for each number of a"),
        (1, "return b.T.sum(0)[None] + 0 * a, a.T @ g", "g is not used"),
        (1, "return g @ b.T", "return both"),
        (1, "return np.ones_like(g) @ b.T, a.T @ np.ones_like(g)", "g is not used"),
        (1, "return -g @ b.T, a.T @ g",
         "The sign of what comes back"),
        (1, "return 2 * g @ b.T, a.T @ g",
         "is counted twice"),
        (2, "return g", "A gradient has one number for each number of x"),
        (2, "return np.ones(x.shape)", "g, the gradient from above, is not used"),
        (2, "return np.broadcast_to(g / len(x), x.shape)", "this is the mean's rule"),
        (2, "return g * x", "x is not needed"),
        (3, "return np.full(x.shape, g)", "each of the 12 numbers has its share of g"),
        (3, "return np.full(x.shape, 1 / x.size)", "g, the gradient from above, is not used"),
        (3, "return np.full(x.shape, g / len(x))",
         "the mean goes over all numbers, not over the rows alone"),
        (4, "return g, g", "along axis 0 of this gradient: add up"),
        (4, "return g, g.mean(0)", "b is used in each row"),
        (4, "return g, g.sum()", "It was summed over axis 0 of b, where each number has a"),
        (4, "return g, g[0]", "b is used in each row"),
        (4, "return g, np.ones(b.shape)", "g is not used"),
        (4, "return g, g.sum(1)", "the sum goes over the rows, dimension 0, since b is the"),
    ],
    11: [
        (1, "p = np.exp(x)\nreturn p / p.sum(1, keepdims=True)", "overflows"),
        (1, "p = np.exp(x - x.max(0))\nreturn p / p.sum(0)", "columns sum to 1"),
        (1, "p = np.exp(x - x.max())\nreturn p / p.sum()", "sum over each row"),
        (1, "return np.exp(x - x.max(1, keepdims=True))", "not divided by their sum"),
        (1, "return x / x.sum(1, keepdims=True)", "exp is missing"),
        (1, "p = np.exp(x - x.max())\nreturn p / p.sum(1, keepdims=True)", "of its own row"),
        (1, "p = np.exp(x - x.mean(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "the mean is subtracted"),
        (1, "return np.exp(x - x.max(1, keepdims=True)) / np.exp(x).sum(1, keepdims=True)",
         "above and not below"),
        (2, "return -np.log(softmax(x)[labels]).mean()", "whole rows"),
        (2, "return -np.log(softmax(x)[:, labels]).mean()", "whole columns"),
        (2, "return -np.log(softmax(x)[np.arange(len(x)), labels])", "return their mean"),
        (2, "m = x.max(1)\nlogs = np.log(np.exp(x - m[:, None]).sum(1))\n"
            "return (logs - x[np.arange(len(x)), labels]).mean()",
         "from the sum alone"),
        (3, "return p * (g - (g * p).sum())", "a sum of its own"),
        (3, "return p * g - (g * p).sum(1, keepdims=True)", "the whole bracket"),
        (4, "grad = softmax(x)\ngrad[:, labels] -= 1\nreturn grad / len(x)", "whole columns"),
        (4, "grad = softmax(x)\ngrad[np.arange(len(x)), labels] = -1\nreturn grad / len(x)",
         "use -="),
        (4, "grad = softmax(x)\ngrad[np.arange(len(x)), labels] += 1\nreturn grad / len(x)",
         "subtract it"),
        (4, "grad = x.copy()\ngrad[np.arange(len(x)), labels] -= 1\nreturn grad / len(x)",
         "the scores are used"),
        (2, "return float(np.log(softmax(x)[np.arange(len(x)), labels]).mean())", "sign is wrong"),
        (2, "return float(-np.log(softmax(x)[np.arange(len(x)), labels]).sum())",
         "this is the sum"),
        (2, "return float(-np.log(softmax(x)[np.arange(len(x)), labels]).mean())",
         "subtract logarithms"),
        (2, "return float(-np.log(softmax(x)).mean())", "mean over all classes"),
        (2, "return float(-softmax(x)[np.arange(len(x)), labels].mean())", "logarithm is missing"),
        (3, "return g * p * (1 - p)", "this is the diagonal alone"),
        (3, "return p * (1 - (g * p).sum(1, keepdims=True))", "g is missing in the bracket"),
        (3, "return p * (g - (g * p).sum(0, keepdims=True))",
         "the sum goes over the classes, dimension 1"),
        (3, "return p * (g - g.sum(1, keepdims=True))", "the sum is of g times p, not of g"),
        (3, "return g * p", "what all scores of a row share is missing"),
        (3, "return -p * (g - (g * p).sum(1, keepdims=True))", "the sign is wrong"),
        (4, "grad = softmax(x)\ngrad[np.arange(len(x)), labels] -= 1\nreturn grad",
         "the loss is a mean"),
        (4, "return softmax(x) / len(x)", "the right class is not treated apart"),
        (4, "grad = -softmax(x)\ngrad[np.arange(len(x)), labels] += 1\nreturn grad / len(x)",
         "the sign is wrong"),
        (4, "grad = np.zeros(x.shape)\ngrad[np.arange(len(x)), labels] -= 1\n"
            "return grad / len(x)",
         "the softmax is missing"),
        (4, "grad = softmax(x)\ngrad[np.arange(len(x)), labels] -= 1\nreturn grad / x.size",
         "the mean goes over the samples, not over all scores"),
    ],
    12: [
        (1, "return (2 if before_relu else 1) / inputs", "take the square root"),
        (1, "return (1 / inputs) ** 0.5", "factor 2 is missing"),
        (1, "return (2 / inputs) ** 0.5", "layers before a ReLU"),
        (1, "return (2 if before_relu else 1) / inputs ** 0.5", "outside of the square root"),
        (1, "return inputs ** 0.5", "1 / std"),
        (2, "return [rng.normal(size=(a, b)) for a, b in zip(sizes, sizes[1:])]",
         "multiply by weight_std"),
        (2, "return [rng.normal(size=(b, a)) * weight_std(a, True) for a, b in zip(sizes, "
            "sizes[1:])]",
         "turned around"),
        (2, "return [rng.normal(size=(a, b)) * weight_std(b, True) for a, b in zip(sizes, "
            "sizes[1:])]",
         "number of inputs counts"),
        (2, "return [rng.normal(size=(a, b)) * weight_std(a) for a, b in zip(sizes, sizes[1:])]",
         "before_relu was not used"),
        (3, "out = [float(np.sqrt((x ** 2).mean()))]\nfor w in weights:\n    x = x @ w\n"
            "    out.append(float(np.sqrt((x ** 2).mean())))\nreturn out",
         "relu is missing"),
        (3, "out = [float(x.std())]\nfor w in weights:\n    x = np.maximum(x @ w, 0)\n"
            "    out.append(float(x.std()))\nreturn out",
         "standard deviation"),
        (3, "out = []\nfor w in weights:\n    x = np.maximum(x @ w, 0)\n"
            "    out.append(float(np.sqrt((x ** 2).mean())))\nreturn out",
         "itself is the first"),
        (4, "return 1 / classes", "this is the probability"),
        (4, "return float(-np.log(classes))", "sign is wrong"),
    ],
    13: [
        (1, "c = x - x.mean(0)\ns = 1 / np.sqrt((c ** 2).mean(0, keepdims=True) + eps)\n"
            "return c * s, s",
         "over dimension 1"),
        (1, "s = 1 / np.sqrt(x.var(1, keepdims=True, ddof=1) + eps)\n"
            "return (x - x.mean(1, keepdims=True)) * s, s",
         "divide by D"),
        (1, "s = 1 / np.sqrt(x.var(1, keepdims=True) + eps)\nreturn x * s, s", "not subtracted"),
        (1, "s = 1 / (x.var(1, keepdims=True) + eps)\n"
            "return (x - x.mean(1, keepdims=True)) * s, s",
         "square root is missing"),
        (1, "s = 1 / (x.std(1, keepdims=True) + eps)\n"
            "return (x - x.mean(1, keepdims=True)) * s, s",
         "behind the square root"),
        (1, "c = x - x.mean(1, keepdims=True)\n"
            "s = np.sqrt((c ** 2).mean(1, keepdims=True) + eps)\nreturn c / s, s",
         "this is the standard deviation"),
        (2, "return normalise(x)[0] + bias", "weight is missing"),
        (2, "return normalise(x)[0] * weight", "bias is missing"),
        (3, "n, scale = normalise(x)\nreturn g * weight * scale, (g * n).sum(0), g.sum(0)",
         "the paths through the mean and through the variance are"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return scale * (h - h.mean(1, keepdims=True)), (g * n).sum(0), g.sum(0)",
         "the path through the variance is missing"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return scale * (h - n * (h * n).mean(1, keepdims=True)), (g * n).sum(0), g.sum(0)",
         "the path through the mean is missing"),
        (3, "n, scale = normalise(x)\nh = g\n"
            "return scale * (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, "
            "keepdims=True)), (g * n).sum(0), g.sum(0)",
         "weight is missing"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return scale * (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, "
            "keepdims=True)), g.sum(0), g.sum(0)",
         "this is the rule of the bias"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return scale * (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, "
            "keepdims=True)), (g * n).sum(0), g",
         "along axis 0 of this gradient: add up"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return scale * (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, "
            "keepdims=True)), (g * n).mean(0), g.mean(0)",
         "each row uses the bias"),
        (3, "n, scale = normalise(x)\nh = g * weight\n"
            "return (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, keepdims=True)), (g "
            "* n).sum(0), g.sum(0)",
         "scale is missing"),
    ],
    14: [
        (1, "b1, b2 = self.betas\nself.m = b1 * self.m + (1 - b1) * g\n"
            "self.v = b2 * self.v + (1 - b2) * g ** 2",
         "not counted"),
        (1, "b1, b2 = self.betas\nself.t += 1\nself.m = (1 - b1) * self.m + b1 * g\n"
            "self.v = b2 * self.v + (1 - b2) * g ** 2",
         "beta1 and 1 - beta1 are exchanged"),
        (1, "b1, b2 = self.betas\nself.t += 1\nself.m = b1 * self.m + g\n"
            "self.v = b2 * self.v + (1 - b2) * g ** 2",
         "1 - beta1 is missing"),
        (1, "b1, b2 = self.betas\nself.t += 1\nself.m = b1 * self.m + (1 - b1) * g\n"
            "self.v = b2 * self.v + (1 - b2) * g",
         "square is missing"),
        (1, "b1, b2 = self.betas\nself.t += 1\nself.m = b1 * self.m + (1 - b1) * g\n"
            "self.v = b1 * self.v + (1 - b1) * g ** 2",
         "beta1 was used"),
        (2, "self.x -= self.rate * self.m / (np.sqrt(self.v) + self.eps)", "too small"),
        (2, "b1, b2 = self.betas\n"
            "self.x -= self.rate * self.m / (1 - b1 ** self.t) / (np.sqrt(self.v) + self.eps)",
         "v is not divided"),
        (2, "b1, b2 = self.betas\n"
            "self.x -= self.rate * self.m / (1 - b1 ** self.t) / np.sqrt(self.v / (1 - b2 ** "
            "self.t) + self.eps)",
         "inside of the square root"),
        (2, "b1, b2 = self.betas\n"
            "self.x -= self.rate * self.m / (1 - b1 ** self.t) / (self.v / (1 - b2 ** "
            "self.t) + self.eps)",
         "root of v is missing"),
        (2, "b1, b2 = self.betas\n"
            "self.x += self.rate * self.m / (1 - b1 ** self.t) / (np.sqrt(self.v / (1 - b2 "
            "** self.t)) + self.eps)",
         "uphill"),
        (2, "b1, b2 = self.betas\n"
            "self.x = self.x - self.rate * self.m / (1 - b1 ** self.t) / (np.sqrt(self.v / "
            "(1 - b2 ** self.t)) + self.eps)",
         "makes a new array"),
        (3, "x -= rate * amount", "share of itself"),
        (3, "x = x - rate * amount * x", "in place"),
        (3, "x -= amount * x", "rate is not used"),
    ],
    15: [
        (1, "w = w[::-1, ::-1]\nh, k = w.shape\n"
            "return np.array([[(x[i:i + h, j:j + k] * w).sum() for j in range(x.shape[1] - k "
            "+ 1)] for i in range(x.shape[0] - h + 1)])",
         "turned around"),
        (1, "h, k = w.shape\n"
            "return np.array([[(x[i:i + h, j:j + k] * w).sum() for j in range(x.shape[1] - "
            "k)] for i in range(x.shape[0] - h)])",
         "last place is missing"),
        (1, "h, k = w.shape\n"
            "return np.array([[(x[i:i + h, j:j + k] * w).mean() for j in range(x.shape[1] - "
            "k + 1)] for i in range(x.shape[0] - h + 1)])",
         "mean of the products"),
        (1, "h, k = w.shape\n"
            "return np.array([[(x[i:i + h, j:j + k] + w).sum() for j in range(x.shape[1] - k "
            "+ 1)] for i in range(x.shape[0] - h + 1)])",
         "multiply them"),
        (1, "h, k = w.shape\n"
            "return np.array([[(x[i:i + h, j:j + k] * w).max() for j in range(x.shape[1] - k "
            "+ 1)] for i in range(x.shape[0] - h + 1)])",
         "as in pooling"),
        (2, "grad = np.zeros(w.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad = g[i, j] * x[i:i + w.shape[0], j:j + w.shape[1]]\nreturn grad",
         "each place adds its share"),
        (2, "grad = np.zeros(w.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad += x[i:i + w.shape[0], j:j + w.shape[1]]\nreturn grad",
         "g is not used"),
        (2, "grad = np.zeros(w.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n        grad += g[i, j] * w\nreturn grad",
         "w was multiplied by x in forward"),
        (2, "grad = np.zeros(w.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad += g[i, j] * x[i:i + w.shape[0], j:j + w.shape[1]]\n"
            "return grad / g.size",
         "the shares add up"),
        (3, "grad = np.zeros(x.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad[i:i + w.shape[0], j:j + w.shape[1]] = g[i, j] * w\nreturn grad",
         "windows overlap"),
        (3, "grad = np.zeros(x.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad[i:i + w.shape[0], j:j + w.shape[1]] += w\nreturn grad",
         "g is not used"),
        (3, "grad = np.zeros(x.shape)\nfor i in range(g.shape[0]):\n"
            "    for j in range(g.shape[1]):\n"
            "        grad[i:i + w.shape[0], j:j + w.shape[1]] += g[i, j]\nreturn grad",
         "the kernel is not used"),
        (3, "return g", "A gradient has one number for each number of x"),
    ],
    16: [
        (1, "return [np.tanh(step @ W + b) for step in x]", "old state is not used"),
        (1, "h, out = np.zeros(len(b)), []\nfor step in x:\n    h = np.tanh(step @ W + h @ U)\n"
            "    out.append(h)\nreturn out",
         "bias is missing"),
        (1, "h, out = np.zeros(len(b)), []\nfor step in x:\n    h = step @ W + h @ U + b\n"
            "    out.append(h)\nreturn out",
         "tanh is missing"),
        (1, "h, out = np.zeros(len(b)), []\nfor step in x:\n"
            "    h = np.tanh(step @ W + U @ h + b)\n    out.append(h)\nreturn out",
         "U is transposed"),
        (1, "h, out = np.zeros(len(b)), [np.zeros(len(b))]\nfor step in x:\n"
            "    h = np.tanh(step @ W + h @ U + b)\n    out.append(h)\nreturn out",
         "before the first"),
        (2, "d = gs[t] * (1 - states[t] ** 2)\ngW += np.outer(x[t], d)\n"
            "gU += np.outer(before, d)\ngb += d",
         "what comes from the next step is not used"),
        (2, "d = (gs[t] + after)\ngW += np.outer(x[t], d)\ngU += np.outer(before, d)\ngb += d\n"
            "after = d @ U.T",
         "the slope of the tanh is missing"),
        (2, "d = (gs[t] + after) * (1 - states[t] ** 2)\ngW = np.outer(x[t], d)\n"
            "gU = np.outer(before, d)\ngb = d\nafter = d @ U.T",
         "W is used in each step"),
        (2, "d = (gs[t] + after) * (1 - states[t] ** 2)\ngW += np.outer(x[t], d)\n"
            "gU += np.outer(before, d)\ngb += d\nafter = d @ U",
         "on its way back through U the gradient is multiplied by U"),
        (2, "d = (gs[t] + after) * (1 - before ** 2)\ngW += np.outer(x[t], d)\n"
            "gU += np.outer(before, d)\ngb += d\nafter = d @ U.T",
         "the slope of the tanh is that of this step's state, not of"),
        (2, "d = (gs[t] + after) * (1 - states[t] ** 2)\ngW += np.outer(x[t], d)\n"
            "gU += np.outer(states[t], d)\ngb += d\nafter = d @ U.T",
         "U was multiplied by the state before, not by this step's"),
        (2, "d = (gs[t] + after) * (1 - states[t] ** 2)\ngW += np.outer(x[t], d)\n"
            "gU += np.outer(before, d)\ngb += d / len(x)\nafter = d @ U.T",
         "the shares of the steps add up"),
        (3, "return grads", "nothing was scaled"),
        (3, "return [g * min(1, longest / abs(g).sum()) for g in grads]", "by itself"),
        (3, "length = sum(float((g ** 2).sum()) for g in grads)\n"
            "return [g * min(1, longest / length) for g in grads]",
         "take the root"),
        (3, "length = sum(float((g ** 2).sum()) for g in grads) ** 0.5\n"
            "return [g * longest / length for g in grads]",
         "must not grow"),
    ],
    17: [
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\np = np.exp(s - s.max(1, keepdims=True))\n"
            "return p / p.sum(1, keepdims=True)",
         "not masked"),
        (1, "s = np.where(np.triu(np.ones((len(q), len(q))), k=1) > 0, -np.inf, q @ k.T)\n"
            "p = np.exp(s - s.max(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "not divided by sqrt(d)"),
        (1, "s = np.where(np.triu(np.ones((len(q), len(q))), k=1) > 0, -np.inf, q @ k.T / "
            "q.shape[1])\np = np.exp(s - s.max(1, keepdims=True))\n"
            "return p / p.sum(1, keepdims=True)",
         "divided by d"),
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\n"
            "s = np.where(np.triu(np.ones(s.shape), k=1) > 0, 0.0, s)\n"
            "p = np.exp(s - s.max(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "use -np.inf"),
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\np = np.exp(s - s.max(1, keepdims=True))\n"
            "p = p / p.sum(1, keepdims=True)\nreturn np.tril(p)",
         "after the softmax"),
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\n"
            "s = np.where(np.triu(np.ones(s.shape), k=1) > 0, -np.inf, s)\np = np.exp(s)\n"
            "return p / p.sum(0, keepdims=True)",
         "each row must sum to 1"),
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\n"
            "s = np.where(np.triu(np.ones(s.shape)) > 0, -np.inf, s)\n"
            "p = np.exp(s - s.max(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "the mask hides the position itself"),
        (1, "s = q @ k.T / np.sqrt(q.shape[1])\n"
            "s = np.where(np.tril(np.ones(s.shape), k=-1) > 0, -np.inf, s)\n"
            "p = np.exp(s - s.max(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "turned around"),
        (1, "s = q @ k.T * np.sqrt(q.shape[1])\n"
            "s = np.where(np.triu(np.ones(s.shape), k=1) > 0, -np.inf, s)\n"
            "p = np.exp(s - s.max(1, keepdims=True))\nreturn p / p.sum(1, keepdims=True)",
         "multiplied by sqrt(d)"),
        (2, "return attention_weights(k, q) @ v", "exchanged"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return w.T @ g, gs @ k, gs.T @ q",
         "in this order"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(0, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return gs @ k, gs.T @ q, w.T @ g",
         "over each row"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) * np.sqrt(q.shape[1])\n"
            "return gs @ k, gs.T @ q, w.T @ g",
         "became a multiplication"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return gs @ q, gs.T @ k, w.T @ g",
         "the other operand, k"),
        (2, "return attention_weights(q, k).T @ v", "transposed"),
        (2, "return attention_weights(q, k) @ k", "multiply by v"),
        (3, "gw = g @ v.T\ngs = w * (gw - (gw * w).sum(1, keepdims=True))\n"
            "return gs @ k, gs.T @ q, w.T @ g",
         "the division by sqrt(d) is missing"),
        (3, "gw = g @ v.T\ngs = w * (1 - w) * gw / np.sqrt(q.shape[1])\n"
            "return gs @ k, gs.T @ q, w.T @ g",
         "this is the diagonal of the softmax alone"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return gs @ k, gs @ q, w.T @ g",
         "the gradient of the scores is not transposed"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return gs @ k, gs.T @ q, w @ g",
         "the weights are not transposed"),
        (3, "gw = g @ v.T\ngs = gw / np.sqrt(q.shape[1])\nreturn gs @ k, gs.T @ q, w.T @ g",
         "the softmax is missing on the way back"),
        (3, "gw = g @ v.T\n"
            "gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])\n"
            "return gs @ k, gs.T @ q, g",
         "the weights are missing"),
    ],
    18: [
        (1, "y = F.scaled_dot_product_attention(q, k, v)", "sees later ones"),
        (1, "y = F.scaled_dot_product_attention(k, q, v, is_causal=True)", "queries and keys"),
        (2, "x = self.attention(self.norm1(x))\nreturn x + self.network(self.norm2(x))",
         "not added to the attention"),
        (2, "x = x + self.attention(self.norm1(x))\nreturn self.network(self.norm2(x))",
         "not added to the network"),
        (2, "return x + self.attention(self.norm1(x)) + self.network(self.norm2(x))",
         "x of before the attention"),
        (2, "x = x + self.attention(x)\nreturn x + self.network(self.norm2(x))", "first norm"),
        (3, "return self.head(self.norm(self.blocks(self.characters(ids))))",
         "positions are missing"),
        (3, "x = self.characters(ids) + self.positions(tt.arange(ids.shape[1]))\n"
            "return self.norm(self.blocks(x))",
         "head is missing"),
        (3, "x = self.characters(ids) + self.positions(tt.arange(ids.shape[1]))\n"
            "return self.head(self.blocks(x))",
         "last norm is missing"),
        (4, "logits = model(text[:, :-1])\n"
            "return F.cross_entropy(logits.flatten(0, 1), text[:, :-1].flatten())",
         "the next character is wanted"),
        (4, "logits = model(text[:, :-1]).softmax(-1)\n"
            "return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())",
         "which applies it itself"),
        (5, "logits = model(ids[:, -model.context:])[:, -1]\n"
            "ids = tt.cat([ids, logits.argmax(-1, keepdim=True)], 1)",
         "likeliest is taken"),
        (5, "logits = model(ids)[:, -1]\n"
            "ids = tt.cat([ids, tt.multinomial(logits.softmax(-1), 1)], 1)",
         "last model.context characters only"),
    ],
    19: [
        (1, "return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Linear(8, 1))",
         "tanh is missing"),
        (1, "return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), "
            "torch.nn.Linear(8, 1))",
         "a ReLU stands"),
        (1, "return torch.nn.Sequential(torch.nn.Linear(2, 8, bias=False), torch.nn.Tanh(), "
            "torch.nn.Linear(8, 1, bias=False))",
         "biases are missing"),
        (2, "with torch.no_grad():\n    for p in model.parameters():\n"
            "        p.copy_(0.3 * torch.sin(torch.arange(p.numel(), "
            "dtype=p.dtype)).reshape(p.shape))",
         "i begins at 0"),
        (2, "with torch.no_grad():\n    for p in model.parameters():\n"
            "        p.copy_(torch.sin(torch.arange(1, p.numel() + 1, "
            "dtype=p.dtype)).reshape(p.shape))",
         "factor 0.3 is missing"),
        (3, "o = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\nout = []\n"
            "for _ in range(steps):\n    loss = torch.nn.functional.mse_loss(model(x), y)\n"
            "    loss.backward()\n    o.step()\n    out.append(loss.item())\nreturn out",
         "zero_grad is missing"),
        (3, "o = torch.optim.SGD(model.parameters(), lr=0.1)\nout = []\n"
            "for _ in range(steps):\n    o.zero_grad()\n"
            "    loss = torch.nn.functional.mse_loss(model(x), y)\n    loss.backward()\n"
            "    o.step()\n    out.append(loss.item())\nreturn out",
         "momentum is missing"),
        (3, "o = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\nout = []\n"
            "for _ in range(steps):\n    o.zero_grad()\n"
            "    loss = torch.nn.functional.mse_loss(model(x), y)\n    loss.backward()\n"
            "    out.append(loss.item())\nreturn out",
         "nothing is learned"),
        (3, "o = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\nout = []\n"
            "for _ in range(steps):\n    o.zero_grad()\n"
            "    loss = torch.nn.functional.mse_loss(model(x), y)\n    loss.backward()\n"
            "    o.step()\n    out.append(loss)\nreturn out",
         "collect loss.item()"),
        (4, "return {name: p for name, p in model.state_dict().items()}", "use .tolist()"),
        (4, "return {i: p.tolist() for i, p in enumerate(model.parameters())}", "take the names"),
    ],
    20: [
        (1, "root = math.sqrt(x.data ** 2 + 4)\n"
            "return Value.operation('squareplus', x.data + root, [x], [1 + x.data / root])",
         "half is missing"),
        (1, "root = math.sqrt(x.data ** 2 + 4)\nreturn (x.data + root) / 2", "plain number"),
        (1, "root = math.sqrt(x.data ** 2 + 4)\n"
            "return Value.operation('squareplus', (x.data + root) / 2, [x], [(1 + 1 / root) "
            "/ 2])",
         "inner derivative is missing"),
        (1, "root = math.sqrt(x.data ** 2 + 4)\n"
            "return Value.operation('squareplus', (x.data + root) / 2, [x], [x.data / root / "
            "2])",
         "its derivative is 1"),
        (1, "root = math.sqrt(x.data ** 2 + 4)\nreturn Value((x.data + root) / 2)",
         "no gradient arrived"),
        (2, "return input + xp.sqrt(input * input + 4) / 2", "only the root is halved"),
        (2, "return (input + xp.sqrt(input * input)) / 2", "4 is missing"),
        (3, "return (1 + input / xp.sqrt(input * input + 4)) / 2", "g is not used"),
        (3, "return g * (1 - input / xp.sqrt(input * input + 4)) / 2", "sign is wrong"),
        (3, "return g", "handed on as it came"),
        (3, "return g * (1 + 2 * input / xp.sqrt(input * input + 4)) / 2", "half too few"),
        (4, "return max(derivative(x) - (f(x + h) - f(x - h)) / (2 * h) for x in xs)",
         "an error below 0"),
        (4, "return sum(abs(derivative(x) - (f(x + h) - f(x - h)) / (2 * h)) for x in xs) / "
            "len(xs)",
         "this is the mean"),
    ],
}
