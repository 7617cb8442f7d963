// ---------------------------------------------------------------- single numbers

class ScalarTrace extends Trace {
  constructor(written) {
    super(written);
    for (const key of ["op", "data", "grad", "starts", "parents", "role", "place", "forward", "local",
                       "sends", "other", "formula"]) this[key] = unpacked(written[key]);
    this.n = this.data.length;
    this.root = written.root;
    this.sources = unpacked(written.source);
    this.targets = unpacked(written.target);
    this.replay();
    this.index();
  }

  /** The arithmetic of the backward, in the engine's order: the same floats, so the same bits. */
  replay() {
    const grads = new Float64Array(this.n), count = this.sources.length;
    this.before = new Float64Array(count);
    this.after = new Float64Array(count);
    grads[this.root] += 1;
    for (let j = 0; j < count; j++) {
      const source = this.sources[j], target = this.targets[j], own = this.written.after[j];
      this.before[j] = grads[target];
      if (own !== undefined) grads[target] = Number(own === "inf" ? Infinity : own === "-inf" ? -Infinity : own);
      else if (this.sends[j]) grads[target] += this.local[j] * grads[source];
      this.after[j] = grads[target];
    }
    let equal = 0;
    for (let i = 0; i < this.n; i++) equal += sameNumber(grads[i], this.grad[i]);
    this.equal = equal;
    this.isExact = this.written.exact && equal === this.n;
  }

  parentsOf(i) { return this.parents.subarray(this.starts[i], this.starts[i + 1]); }
  opOf(i) { return this.written.ops[this.op[i]]; }
  roleOf(i) { return this.written.roles[this.role[i]]; }

  name(i) {
    const name = this.written.names[i];
    if (name !== undefined) return name;
    return this.starts[i] === this.starts[i + 1] ? minus(String(this.data[i])) : `v${i}`;
  }

  isNumber(i) { return this.written.names[i] === undefined && this.starts[i] === this.starts[i + 1]; }

  gradAt(i, s) {
    const j = this.lastInto(i, s);
    if (j >= 0) return this.after[j];
    return i === this.root && s >= this.F ? 1 : null;
  }

  /** The numbers that a breakpoint "grad nan" or "data inf" looks at. */
  changed(s, what) {
    const i = this.subject(s);
    if (what === "data") return s < this.F ? [this.data[i]] : [];
    const grad = s < this.F ? null : this.gradAt(i, s);
    return grad === null ? [] : [grad];
  }

  counts() {
    return `${counted(this.n, "number")}, ${counted(this.F, "operation")}`;
  }

  exactness() {
    return this.isExact ? "\u2713 equals .grad to the bit"
      : `\u26a0 ${(this.n - this.equal).toLocaleString("en")} gradients differ from .grad`;
  }

  // ------------------------------------------------------------ what a node shows

  dataText(i) { return shown(this.data[i]); }

  /** The gradient of a node at a step, as [text, state, what screen readers hear]. */
  gradText(i, s) {
    const grad = this.gradAt(i, s), {got, all} = this.received(i, s);
    if (got === 0) return ["\u2013", "none", "no gradient yet", ""];
    const text = shown(grad);
    if (got < all) return [text, "partial", `gradient ${text}, ${got} of ${all} parts`, ` ${got}/${all}`];
    return [text, "complete", `gradient ${text}, complete`, " \u2713"];
  }

  // ------------------------------------------------------------ what a step says

  /** The call of a node: [tokens of names, tokens of numbers]. */
  expression(i, tokens) {
    const op = this.opOf(i), power = /^\*\*(.+)$/.exec(op);
    const operands = [...this.parentsOf(i)].map(tokens);
    if (power && operands.length === 1) return `${operands[0]} ** ${esc(power[1])}`;
    if (operands.length === 2 && /^(\+|-|\*|\/|\*\*)$/.test(op)) return `${operands[0]} ${esc(op)} ${operands[1]}`;
    if (op === "neg") return `-${operands[0]}`;
    const few = operands.length > 8 ? [...operands.slice(0, 4), "\u2026", ...operands.slice(-2)] : operands;
    return `${esc(op)}(${few.join(", ")})`;
  }

  link(i) { return this.isNumber(i) ? shown(this.data[i]) : nodeLink(i, this.name(i)); }

  describe(s) {
    const i = this.node(s), kind = this.kind(s);
    if (kind === "forward") return this.describeForward(i);
    if (kind === "seed") {
      const name = nodeLink(i, this.name(i));
      return {phase: "backward begins", said: `backward begins: the gradient of ${this.name(i)} is 1`,
              rule: [`${name}<i>.grad</i> = \u2202${name}/\u2202${name} = <b>1</b>`],
              detail: "<p>A change of the result changes the result by as much. From here the chain rule goes "
                + "back, against the arrows, to everything that it was computed from.</p>"};
    }
    return this.describeBackward(s, i, this.target(s), s - this.F - 1);
  }

  describeForward(i) {
    const name = nodeLink(i, this.name(i));
    const numbers = this.expression(i, (p) => inside(this.data[p]));
    return {phase: `forward: ${this.opOf(i)}`,
            said: `forward: ${this.name(i)} is ${this.dataText(i)}`,
            rule: [`${name} = ${this.expression(i, (p) => this.link(p))}`,
                   `<span class="pad">=</span> ${numbers}`,
                   `<span class="pad">=</span> <b>${this.dataText(i)}</b>`],
            detail: this.usesText(i)};
  }

  usesText(i) {
    const users = this.usersOf(i), uses = this.received(i, 0).all;
    if (users.length === 0) return "<p>This is the result.</p>";
    const few = users.slice(0, 6).map((u) => nodeLink(u, this.name(u))).join(", ");
    const more = users.length > 6 ? `, and ${users.length - 6} more` : "";
    return `<p>Used ${uses === 1 ? "once" : `${uses} times`}: by ${few}${more}.</p>`;
  }

  describeBackward(s, i, to, j) {
    const name = nodeLink(i, this.name(i));
    const other = nodeLink(to, this.isNumber(to) ? `(${this.name(to)})` : this.name(to));
    const equation = `<span class="of">${name} = ${this.expression(i, (p) => this.link(p))}</span>`;
    const upstream = this.gradAt(i, s), before = this.before[j], after = this.after[j];
    const {got, all} = this.received(to, s);
    if (this.written.after[j] !== undefined) {
      return {phase: `backward through ${this.opOf(i)}`,
              said: `backward: the gradient of ${this.name(to)} is ${shown(after)}`,
              rule: [equation, `${other}<i>.grad</i> = <b>${shown(after)}</b>`],
              detail: `<p>Computed by the program's own <code>_backward</code> of ${name}, whose gradient is `
                + `${shown(upstream)}. Before: ${shown(before)}.</p>` + this.contributionsText(to, s)};
    }
    if (!this.sends[j]) {
      return {phase: `backward through ${this.opOf(i)}`,
              said: `backward: nothing is added to the gradient of ${this.name(to)}`,
              rule: [equation, `${other}<i>.grad</i> += nothing`],
              detail: `<p>${esc(this.opOf(i))} is flat here: ${name} does not change with ${other}, so the `
                + `gradient ${shown(upstream)} of ${name} stops here.</p>` + this.contributionsText(to, s)};
    }
    const local = this.local[j], sent = local * upstream;
    const partial = `\u2202${name}/\u2202${other}`;
    return {
      phase: `backward through ${this.opOf(i)}`,
      said: `backward: ${shown(local)} times ${shown(upstream)} is added to the gradient of ${this.name(to)}, `
        + `now ${shown(after)}, ${got} of ${all}`,
      rule: [equation, `${other}<i>.grad</i> += ${partial} \u00b7 ${name}<i>.grad</i>`,
             `<span class="pad">+=</span> ${inside(local)} \u00b7 ${inside(upstream)}`,
             `<span class="pad">+=</span> <b>${shown(sent)}</b>`],
      detail: `<dl><dt>local derivative</dt><dd>${this.formulaText(i, to, j, partial)}</dd>`
        + `<dt>${name}<i>.grad</i></dt><dd><b>${shown(upstream)}</b>${this.completeText(i)}</dd>`
        + `<dt>${other}<i>.grad</i></dt><dd>${shown(before)} + ${inside(sent)} = <b>${shown(after)}</b></dd></dl>`
        + this.contributionsText(to, s),
    };
  }

  completeText(i) {
    const {all} = this.received(i, this.S);
    if (i === this.root) return ", where the backward began";
    if (all === 1) return ", complete: the one that uses it has sent its part";
    return `, complete: all ${all} parts have arrived`;
  }

  /** The formula of a local derivative, with its numbers: 1 - y * y = 1 - 0.2913 * 0.2913. */
  formulaText(i, to, j, partial) {
    const formula = this.written.formulas[this.formula[j]], local = shown(this.local[j]);
    if (formula === "changed") return `${partial} = <b>${local}</b>, from before one of these numbers was changed`;
    if (!formula) return `${partial} = <b>${local}</b>, given by the operation`;
    if (/^[-0-9.]+$/.test(formula)) return `${partial} = <b>${local}</b>`;
    const op = this.opOf(i), own = op === "dot" || op === "max" || op === "min";
    const a = own ? to : this.parentsOf(i)[0], b = this.other[j];
    const values = {a: this.data[a], b: b < 0 ? NaN : this.data[b], y: this.data[i]};
    const nodes = {a, b, y: i}, used = new Set(formula.match(/\b[aby]\b/g));
    const numbers = formula.replace(/\b[aby]\b/g, (v) => inside(values[v]));
    const where = [...used].map((v) => `<var>${v}</var> is ${this.isNumber(nodes[v]) ? shown(values[v])
      : nodeLink(nodes[v], this.name(nodes[v]))}`).join(", ");
    const substituted = formula === [...used][0] ? "" : `= ${esc(numbers)} `;
    return `${partial} = <code>${esc(formula)}</code> ${substituted}= <b>${local}</b>`
      + (where ? `<br><small>where ${where}</small>` : "");
  }

  /** What step j of the backward adds. */
  sent(j, source, s) {
    return this.written.after[j] === undefined ? this.local[j] * this.gradAt(source, s) : this.after[j] - this.before[j];
  }

  /** The additions to a gradient: those that were made, and those that are still to come. */
  contributionsText(to, s) {
    const from = this.intoStarts[to], all = this.intoStarts[to + 1] - from;
    const got = this.received(to, s).got - (to === this.root && s >= this.F);
    const name = nodeLink(to, this.name(to));
    if (all === 1) return `<p class="done">\u2713 ${name} is used once: its gradient is complete.</p>`;
    const first = Math.max(0, Math.min(got - 4, all - 8)), rows = [];
    for (let k = first; k < Math.min(all, first + 8); k++) {
      const j = this.into[from + k], source = this.sources[j], isDone = k < got;
      const part = !isDone ? "still to come" : this.sends[j] ? shown(this.sent(j, source, s)) : "nothing";
      rows.push(`<tr class="${k === got - 1 ? "now" : isDone ? "made" : "coming"}"><td>${isDone ? "\u2713" : "\u00b7"}</td>`
        + `<td>${stepLink(this.F + 1 + j, this.name(source))}</td><td>${part}</td></tr>`);
    }
    const hidden = all - rows.length;
    return `<p class="${got === all ? "done" : "open"}">${got === all ? "\u2713 " : ""}${name} is used ${all} times: `
      + `${got} of ${all} parts have arrived${got === all ? ", its gradient is complete" : ""}.</p>`
      + `<table class="parts"><tbody>${rows.join("")}</tbody></table>`
      + (hidden ? `<p><small>${hidden} more parts are not listed.</small></p>` : "");
  }

  // ------------------------------------------------------------ how a node is drawn

  get size() { return {width: 164, height: 84}; }
  badge(i) { return this.starts[i] === this.starts[i + 1] ? 0 : this.badgeWidth(i) - 16; }
  badgeWidth(i) { return Math.max(32, 10 * clipped(this.opOf(i), 6).length + 12); }

  edgeLabel(s) {
    const j = s - this.F - 1;
    if (this.written.after[j] !== undefined) return "own rule";
    return this.sends[j] ? `\u00d7 ${shown(this.local[j])}` : "nothing";
  }

  spoken(i, s) {
    const op = this.opOf(i), data = this.isKnown(i, s) ? `data ${this.dataText(i)}` : "not computed yet";
    return `${this.name(i)}, ${op ? `result of ${op}` : this.roleOf(i)}, ${data}, ${this.gradText(i, s)[2]}`;
  }

  drawNode(i, s) {
    const {width, height} = this.size, left = -width / 2, op = this.opOf(i), role = this.roleOf(i);
    const isLeaf = this.starts[i] === this.starts[i + 1];
    const start = left + (isLeaf ? 12 : 22), end = width / 2 - 10;
    const [grad, , , parts] = this.gradText(i, s), data = this.isKnown(i, s) ? this.dataText(i) : "\u2013";
    const name = this.isNumber(i) ? role : clipped(this.name(i), isLeaf ? 14 : 13);
    const badge = isLeaf ? "" : `<g class="op"><rect x="${left - this.badge(i)}" y="-15" width="${this.badgeWidth(i)}" height="30" rx="15"/>`
      + `<text x="${left + 16 - this.badgeWidth(i) / 2}" y="5">${esc(clipped(op, 6))}</text></g>`;
    const bar = role === "parameter" ? `<rect class="bar" x="${left}" y="${-height / 2}" width="6" height="${height}" rx="3"/>` : "";
    return `<rect class="box" x="${left}" y="${-height / 2}" width="${width}" height="${height}" `
      + `rx="${role === "input" || role === "target" ? 22 : 7}"/>` + bar + badge
      + `<text class="name" x="${start}" y="-17">${esc(name)}</text>`
      + `<text class="key" x="${start}" y="7">data</text><text class="data" x="${end}" y="7">${data}</text>`
      + `<text class="key" x="${start}" y="30">grad${parts}</text><text class="grad" x="${end}" y="30">${grad}</text>`;
  }

  legend() {
    return ["parameter", "input", "constant", "result"];
  }
}
