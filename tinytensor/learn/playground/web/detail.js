// ---------------------------------------------------------------- what is under the pointer

const LINES = 4;  // points of a batch that are written out

const row = (name, numbers, kind = "") => `<tr${kind && ` class="${kind}"`}><th scope="row">${name}</th>${numbers.map((x) => `<td>${x}</td>`).join("")}</tr>`;
const signed = (x) => x < 0 ? shown(x) : `+${shown(x)}`;

/** The panel for an item of the network: {title, html}. */
function describe(page, item) {
  const [kind, layer, j, i] = parts(item), {net} = page;
  if (kind === "w") return {title: nameOf(net, item), html: parameter(page, layer, j, i)};
  if (layer === 0) return {title: nameOf(net, item), html: inputText(page, j)};
  return {title: nameOf(net, item), html: neuron(page, layer - 1, j)};
}

/** A weight, or a bias if `input` is -1: its numbers, the chain rule, the step. */
function parameter(page, layer, j, input) {
  const {net, frame} = page, place = net.place(layer, j, input), isBias = input < 0;
  const weight = frame.weights[place], gradient = frame.grads[place], after = frame.after[place];
  const code = `model.layers[${layer}].neurons[${j}].${isBias ? "b" : `w[${input}]`}`;
  const twin = frame.other;
  const numbers = `<table class="numbers"><thead><tr><td></td><th scope="col">${isBias ? "bias" : "weight"}</th>`
    + '<th scope="col">gradient</th><th scope="col">this step adds</th><th scope="col">then it is</th></tr></thead><tbody>'
    + row("scalar engine", [shown(weight), shown(gradient), signed(after - weight), shown(after)])
    + (twin ? row("tensor engine", [shown(weight + twin.weights[place]), shown(gradient + twin.grads[place]), "", ""])
      + row("difference", [shown(twin.weights[place]), shown(twin.grads[place]), "", ""], "less") : "")
    + "</tbody></table>";
  return `<p><code>${code}</code></p>${numbers}<div class="beside"><div>${chain(page, layer, j, input, gradient)}</div><div>${update(page, place, frame.settings)}</div></div>`;
}

/** The gradient as a mean over the batch: the chain rule for each of its points. */
function chain(page, layer, j, input, gradient) {
  const {net, frame, points} = page, isBias = input < 0;
  const terms = frame.batch.map((point) => {
    const [values, deltas] = net.backward(frame.weights, points[point]);
    return {point, delta: deltas[layer][j], value: isBias ? 1 : values[layer][input]};
  });
  const mean = terms.reduce((sum, t) => sum + t.delta * t.value, 0) / terms.length;
  const order = terms.slice().sort((a, b) => Math.abs(b.delta * b.value) - Math.abs(a.delta * a.value));
  const rest = order.slice(LINES), others = rest.reduce((sum, t) => sum + t.delta * t.value, 0);
  const isSame = Math.abs(mean - gradient) <= 1e-12 * Math.max(1, Math.abs(gradient));
  return `<h3>Chain rule: ${isBias ? "∂loss/∂sum" : "∂loss/∂sum · input"}, for each point of the batch</h3><table class="terms"><tbody>`
    + order.slice(0, LINES).map((t) => `<tr><th scope="row">point ${t.point}</th><td>${inside(t.delta)} · ${inside(t.value)}</td><td>= ${shown(t.delta * t.value)}</td></tr>`).join("")
    + (rest.length ? `<tr><th scope="row">${counted(rest.length, "other")}</th><td></td><td>${shown(others)}</td></tr>` : "")
    + `<tr class="sum"><th scope="row">sum / ${terms.length}</th><td></td><td>= ${shown(mean)}</td></tr></tbody></table>`
    + `<p class="${isSame ? "good" : "bad"}">${isSame ? "\u2713 the gradient that the engine's backward gave" : `The engine's backward gave ${shown(gradient)}`}</p>`;
}

/** What the optimizer makes of the gradient. */
function update(page, place, {optimizer, lr}) {
  const {frame} = page, g = inside(frame.grads[place]), change = shown(frame.after[place] - frame.weights[place]);
  if (optimizer === "SGD") return `<h3>Step: \u2212lr · gradient</h3><p class="formula">\u2212${lr} · ${g} = ${change}</p>`;
  if (optimizer === "momentum") {
    const buffer = frame.state.momentum_buffer[place], before = page.beforeFrame?.state?.momentum_buffer?.[place];
    const sum = before === undefined ? "" : ` = 0.9 · ${inside(before)} + ${g}`;
    return `<h3>Step: \u2212lr · b, where b = 0.9 · b + gradient</h3><p class="formula">b${sum} = ${shown(buffer)}<br>\u2212${lr} · ${inside(buffer)} = ${change}</p>`;
  }
  const m = frame.state.exp_avg[place], v = frame.state.exp_avg_sq[place], t = frame.times;
  const mean = m / (1 - 0.9 ** t), square = v / (1 - 0.999 ** t);
  return `<h3>Step ${t} of Adam: \u2212lr · m / (√v + 1e-8)</h3><p class="formula">m = ${shown(m)} / (1 \u2212 0.9<sup>${t}</sup>) = ${shown(mean)}<br>`
    + `v = ${shown(v)} / (1 \u2212 0.999<sup>${t}</sup>) = ${shown(square)}<br>\u2212${lr} · ${inside(mean)} / √${shown(square)} = ${change}</p>`;
}

/** A neuron: its value for the chosen point, term by term, and its bias. */
function neuron(page, layer, j) {
  const {net, frame, points, sample} = page, size = net.sizes[layer], isLast = layer === net.depth - 1;
  const [values, deltas] = net.backward(frame.weights, points[sample]);
  const name = (i) => layer === 0 ? "xy"[i] : `neuron ${i + 1}`;
  let sum = frame.weights[net.place(layer, j, -1)];
  const terms = [...Array(size).keys()].map((i) => {
    const weight = frame.weights[net.place(layer, j, i)];
    sum += weight * values[layer][i];
    return `<tr><th scope="row">${name(i)}</th><td>${inside(weight)} · ${inside(values[layer][i])}</td><td>= ${shown(weight * values[layer][i])}</td></tr>`;
  }).join("");
  const out = values[layer + 1][j];
  return `<h3>For point ${sample}: the sum of weight · input</h3><table class="terms"><tbody>${terms}`
    + `<tr><th scope="row">bias</th><td></td><td>${shown(frame.weights[net.place(layer, j, -1)])}</td></tr>`
    + `<tr class="sum"><th scope="row">sum</th><td></td><td>= ${shown(sum)}</td></tr>`
    + `<tr><th scope="row">${isLast ? "output" : frame.settings.activation}</th><td></td><td>${shown(out)}</td></tr>`
    + `<tr class="less"><th scope="row">∂loss/∂sum</th><td></td><td>${shown(deltas[layer][j])}</td></tr></tbody></table>`
    + `<h3>Its bias</h3>${parameter(page, layer, j, -1)}`;
}

function inputText(page, j) {
  const [x, y] = page.points[page.sample];
  return `<p>The ${j ? "vertical" : "horizontal"} coordinate of a point, from \u2212${REACH} to ${REACH} in the map. For point ${page.sample} it is ${shown(j ? y : x)}.</p>`;
}

/** The chosen point. */
function pointText(page) {
  const {net, frame, points, sample} = page, [x, y, label] = points[sample], output = net.output(frame.weights, x, y);
  const p = probability(output), isRight = output > 0 === (label === 1);
  return `x ${shown(x)}, y ${shown(y)}, label ${label} <b class="${label ? "plus" : "minus"}">${label ? "blue" : "orange"}</b>. `
    + `Output ${shown(output)}, p = ${shown(p)}, loss ${shown(lossOf(output, label))}: <b>${isRight ? "right" : "wrong"}</b>. `
    + (frame.batch.includes(sample) ? "It is in this step's batch." : "It is not in this step's batch.");
}
