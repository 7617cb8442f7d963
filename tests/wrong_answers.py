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
            "    xs[i] -= 2 * h\n"
            "    out.append((up - f(xs)) / (2 * h))\nreturn out", "work on a copy"),
        (2, "out = []\nfor i in range(len(xs)):\n    moved = list(xs)\n    moved[i] += h\n"
            "    out.append((f(moved) - f(xs)) / h)\nreturn out", "to the right only"),
        (3, "return [x + rate * s for x, s in zip(xs, gradient(f, xs))]", "uphill"),
        (3, "return [rate * s for s in gradient(f, xs)]", "changes alone"),
        (3, "return [x - s for x, s in zip(xs, gradient(f, xs))]", "rate is not used"),
    ],
    2: [
        (1, "return Number(self.data + other.data)", "parents are missing"),
        (1, "return self.data + other.data", "plain float"),
        (1, "return Number(self.data + other.data, {self, other}, '+')", "a set holds"),
        (1, "return Number(self.data + other.data, (other, self), '+')", "the order"),
        (1, "return Number(self.data + other.data, (self.data, other.data), '+')",
         "objects, not their data"),
        (1, "return Number(self.data + other.data, (self, other))", "operation is missing"),
        (1, "self.data += other.data\nreturn self", "parents are missing"),
        (2, "return Number(self.data + other.data, (self, other), '*')", "this is the sum"),
        (2, "return Number(self.data * other.data, (self, other), '+')", "other operation"),
        (3, "return Number(other)", "inside of a Number"),
        (3, "return other", "must become a Number"),
        (4, "return [last, *last.parents]", "not theirs"),
        (4, "out = [last]\nfor p in last.parents:\n    out += nodes(p)\n"
            "return out", "listed twice"),
        (4, "out = {}\ndef walk(n):\n    if n.data not in out:\n        out[n.data] = n\n"
            "        for p in n.parents:\n            walk(p)\nwalk(last)\n"
            "return list(out.values())",
         "compare by `is`"),
    ],
    3: [
        (1, "return a, b", "operands"), (1, "return b, a", "exchanged"),
        (2, "return a, b", "exchanged"), (2, "return 1.0, 1.0", "rule of the sum"),
        (3, "return 1 / b, a / b ** 2", "wrong sign"), (3, "return 1 / b, -a / b",
         "lacks a square"),
        (3, "return 1 / b, -1 / b ** 2", "factor a"), (3, "return b, a", "rule of the product"),
        (4, "return a ** (n - 1)", "factor n is missing"),
        (4, "return n * a ** n", "exponent must be one less"),
        (5, "return math.log(a)", "logarithm itself"), (5, "return a", "not 1 / a"),
        (6, "return 1 - a ** 2", "uses a where the result"),
        (6, "return 1 - math.tanh(a)", "square is missing"),
        (6, "t = math.tanh(a)\nreturn t * (1 - t)", "rule of the sigmoid"),
        (7, "return max(a, 0.0)", "relu itself"), (7, "return 1.0", "passes everywhere"),
        (7, "return 1.0 if a >= 0 else 0.0", "at 0 it should be 0"),
        (7, "return a > 0", "True or False"),
    ],
    4: [
        (1, "return sum(slopes)", "do not add up"), (1, "return slopes[-1] if slopes else 1.0",
                                                     "last slope alone"),
        (1, "product = 0.0\nfor slope in slopes:\n    product *= slope\nreturn product",
         "starts at 1"),
        (1, "for slope in slopes:\n    return slope\nreturn 1.0", "first slope alone"),
        (2, "return dg(x) * df(x)", "taken at x"), (2, "return dg(f(x))", "inner derivative"),
        (2, "return dg(f(x)) + df(x)", "they multiply"),
        (2, "return dg(f(x)) * df(f(x))", "f's input is x"),
        (2, "return dg(df(x)) * df(x)", "taken at f'(x)"),
        (3, "return [x] + [f(x) for f in functions]", "not the result before"),
        (3, "values = [x]\nfor f in functions:\n    values.append(f(values[-1]))\n"
            "return values[1:]",
         "x itself is the first"),
        (4, "grads = [1.0]\nfor d, v in zip(reversed(derivatives), reversed(values[:-1])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads", "turn the list around"),
        (4, "return [d(v) for d, v in zip(derivatives, values)] + [1.0]", "local derivatives"),
        (4, "grads = [1.0]\nfor d, v in zip(reversed(derivatives), reversed(values[1:])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads[::-1]", "taken at the results"),
        (4, "grads = [values[-1]]\nfor d, v in zip(reversed(derivatives), reversed(values[:-1])):\n"
            "    grads.append(grads[-1] * d(v))\nreturn grads[::-1]", "it starts at 1"),
    ],
    5: [
        (1, "number.grad = g\nfor p, l in zip(number.parents, number.locals):\n    push(p, l * g)",
         "add with +="),
        (1, "number.grad += g", "nothing reached the parents"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    p.grad += l * g",
         "push, do not only add"),
        (1, "number.grad += g\nfor p in number.parents:\n"
            "    push(p, g)", "multiply it by the local"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n    push(p, l)",
         "local derivative alone"),
        (1, "number.grad += g\nfor p, l in zip(number.parents, number.locals):\n"
            "    push(p, l * number.grad)", "number.grad, the sum"),
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
    ],
    6: [
        (1, "for parent in number.parents:\n    visit(parent)\norder.append(number)", "times"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\norder.append(number)\n"
            "for parent in number.parents:\n    visit(parent)", "turned around"),
        (1, "order.append(number)", "parents were not visited"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\n"
            "for parent in number.parents:\n    visit(parent)", "nothing was appended"),
        (1, "if id(number) in seen:\n    return\nseen.add(id(number))\nif number.parents:\n"
            "    visit(number.parents[0])\norder.append(number)", "not the first alone"),
        (2, "for n in reversed(ordered(last)):\n    for p, l in zip(n.parents, n.locals):\n"
            "        p.grad += l * n.grad", "is 1, and is not set"),
        (2, "last.grad = 1.0\nfor n in ordered(last):\n    for p, l in zip(n.parents, n.locals):\n"
            "        p.grad += l * n.grad", "from the start"),
        (2, "last.grad = 1.0\nfor n in reversed(ordered(last)):\n"
            "    for p, l in zip(n.parents, n.locals):\n"
            "        p.grad = l * n.grad", "add with +="),
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
        (1, "return sum((w * xi for w, xi in zip(self.w, x)), self.b).relu()", "a relu stands"),
        (1, "return Value(sum((w.data * xi for w, xi in zip(self.w, x)), self.b.data)).tanh()",
         "Nothing comes back"),
        (2, "return self.w", "bias is missing"), (2, "return [self.w, self.b]", "unpack"),
        (2, "return [p.data for p in (*self.w, self.b)]", "training changes the Values"),
        (3, "return self.neurons[0](x)", "one for each neuron"),
        (3, "return [self.neurons[0](x)]", "only the first neuron"),
        (4, "return self.layers[0](x)", "only the first layer"),
        (4, "for layer in self.layers[:-1]:\n    x = layer(x)\n"
            "return x", "last layer was left out"),
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
            "descend(parameters, rate)\nreturn loss.data", "clear before backward"),
        (5, "loss = squared_error([model(x) for x in inputs], targets)\ndescend(parameters, rate)\n"
            "clear(parameters)\nloss.backward()\nreturn loss.data", "before backward filled"),
        (5, "loss = squared_error([model(x) for x in inputs], targets)\nclear(parameters)\n"
            "loss.backward()\ndescend(parameters, rate)\nreturn loss", "return loss.data"),
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
         "                order.append(number)\n                for parent in number.parents:\n"
         "                    visit(parent)\n", "before b had sent"),
        ("        w.grad = b.grad = 0.0\n", "", "earlier steps"),
        ("        w.grad = b.grad = 0.0\n        loss.backward()\n",
         "        loss.backward()\n        w.grad = b.grad = 0.0\n", "nothing moved"),
    ],
}
