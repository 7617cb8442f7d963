// ---------------------------------------------------------------- the network, for maps and hovers

const ACTIVATIONS = {
  tanh: [Math.tanh, (y) => 1 - y * y],
  relu: [(x) => Math.max(0, x), (y) => y > 0 ? 1 : 0],
  sigmoid: [(x) => 1 / (1 + Math.exp(-x)), (y) => y * (1 - y)],
};

/** Forward and backward for one point, as in the program; the weights are those of the engine. */
class Net {
  constructor({layers, activation}) {
    this.sizes = [2, ...layers, 1];
    this.depth = this.sizes.length - 1;
    [this.apply, this.slope] = ACTIVATIONS[activation];
    this.starts = [];  // of the numbers of each neuron: its weights, and then its bias
    let count = 0;
    for (let layer = 0; layer < this.depth; layer++) {
      this.starts.push([]);
      for (let j = 0; j < this.sizes[layer + 1]; j++) {
        this.starts[layer].push(count);
        count += this.sizes[layer] + 1;
      }
    }
    this.count = count;
    this.scratch = this.sizes.map((size) => new Float64Array(size));
  }

  /** The place of a weight among the numbers; input -1 is the bias. */
  place(layer, neuron, input) {
    return this.starts[layer][neuron] + (input < 0 ? this.sizes[layer] : input);
  }

  /** The values of all neurons, layer by layer; the first layer is the point itself. They are
   *  written into `values`, if that is given. */
  forward(weights, x, y, values = this.sizes.map((size) => new Float64Array(size))) {
    values[0][0] = x;
    values[0][1] = y;
    let at = 0;
    for (let layer = 0; layer < this.depth; layer++) {
      const input = values[layer], out = values[layer + 1], size = input.length, isLast = layer === this.depth - 1;
      for (let j = 0; j < out.length; j++, at += size + 1) {
        let sum = weights[at + size];
        for (let i = 0; i < size; i++) sum += weights[at + i] * input[i];
        out[j] = isLast ? sum : this.apply(sum);
      }
    }
    return values;
  }

  output(weights, x, y) { return this.forward(weights, x, y, this.scratch)[this.depth][0]; }

  /** [values, deltas]: deltas[layer][neuron] is the derivative of the point's loss by the neuron's sum. */
  backward(weights, [x, y, label]) {
    const values = this.forward(weights, x, y), deltas = [];
    deltas[this.depth - 1] = [probability(values[this.depth][0]) - label];
    for (let layer = this.depth - 2; layer >= 0; layer--) {
      deltas[layer] = Array.from(values[layer + 1], (value, i) => {
        let sum = 0;
        this.starts[layer + 1].forEach((start, j) => { sum += weights[start + i] * deltas[layer + 1][j]; });
        return sum * this.slope(value);
      });
    }
    return [values, deltas];
  }

  /** The mean loss of points, and the share of them on the right side. */
  score(weights, points) {
    let loss = 0, right = 0;
    for (const [x, y, label] of points) {
      const output = this.output(weights, x, y);
      loss += lossOf(output, label);
      right += (output > 0) === (label === 1);
    }
    return [loss / points.length, right / points.length];
  }
}

const probability = (output) => 1 / (1 + Math.exp(-output));

/** The cross-entropy of one point; no log is less than -100. */
function lossOf(output, label) {
  const p = probability(output);
  return -Math.max(Math.log(label ? p : 1 - p), -100);
}
