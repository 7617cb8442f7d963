// ---------------------------------------------------------------- arrays

const CELLS = 56;  // of a larger array a heat map is shown in place of numbers
const WRAPPED = 64;  // columns of a tall array of few columns
const ACROSS = 96;  // columns of a heat map, at most, if it has several tiles

/** An array of the trace: its numbers, its shape, and how it is laid out in rows and columns. */
class ArrayOf {
  constructor(written) {
    this.numbers = unpacked(written);
    this.shape = written.shape;
    this.shown = written.shown || written.shape;
    this.dtype = written.dtype;
    this.isSingle = written.dtype === "float32" || written.dtype === "float16";
    // A tile has the last two dimensions; the tiles of the other dimensions stand beside each other.
    const count = this.numbers.length, [tall, last] = [1, 1, ...this.shown].slice(-2);
    const isThin = last < 4 && count / Math.max(1, last) > WRAPPED;
    this.columns = Math.max(1, isThin ? WRAPPED : last);
    this.tall = Math.max(1, isThin ? Math.ceil(count / WRAPPED) : tall);
    const tiles = Math.ceil(count / (this.columns * this.tall));
    this.across = Math.max(1, Math.min(tiles, Math.floor(ACROSS / (this.columns + 1)), Math.ceil(Math.sqrt(tiles * this.tall / this.columns))));
    this.width = this.across * (this.columns + 1) - 1;
    this.height = Math.max(1, Math.ceil(tiles / this.across) * (this.tall + 1) - 1);
    this.isOneTile = tiles <= 1;
    this.largest = 0;
    this.low = Infinity;
    this.high = -Infinity;
    for (const x of this.numbers) {
      if (Number.isFinite(x)) this.largest = Math.max(this.largest, Math.abs(x));
      if (x < this.low) this.low = x;
      if (x > this.high) this.high = x;
    }
  }

  /** The column and the row of an element in the heat map. */
  at(flat) {
    const inTile = flat % (this.columns * this.tall), tile = Math.floor(flat / (this.columns * this.tall));
    return [tile % this.across * (this.columns + 1) + inTile % this.columns,
            Math.floor(tile / this.across) * (this.tall + 1) + Math.floor(inTile / this.columns)];
  }

  /** The index of an element as a program writes it: 2, 1. */
  index(flat) {
    const index = [];
    for (let d = this.shown.length - 1; d >= 0; d--) {
      index.unshift(flat % this.shown[d]);
      flat = Math.floor(flat / this.shown[d]);
    }
    return index.join(", ");
  }

  text(flat) { return shown(this.numbers[flat], this.isSingle); }

  range() {
    if (!this.numbers.length) return "empty";
    if (this.numbers.length === 1) return this.text(0);
    const range = Number.isFinite(this.low) || Number.isFinite(this.high)
      ? `${shown(this.low, this.isSingle)} to ${shown(this.high, this.isSingle)}` : "";
    let strange = 0;
    for (const x of this.numbers) strange += !Number.isFinite(x);
    return range + (strange ? `, ${strange} not finite` : "");
  }

  /** How dark the cell of a number is, from 0 to 1. */
  strength(x) { return Number.isFinite(x) ? this.largest && Math.abs(x) / this.largest : 1; }
}

const sizeText = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;

// ---------------------------------------------------------------- arrays: one step an operation

class TensorTrace extends Trace {
  constructor(written) {
    super(written);
    this.nodes = written.nodes;
    this.n = this.nodes.length;
    this.root = written.root;
    this.forward = written.forward;
    this.steps = written.steps;
    this.sources = this.steps.map(([source]) => source);
    this.targets = this.steps.map(([, target]) => target);
    this.place = this.nodes.map((node) => node.place);
    this.decoded = new Map();
    this.isExact = written.exact;
    this.nameNodes();
    this.index();
  }

  /**
   * Names for nodes without one: the operation, with a number from the second on. The addresses are
   * the names by which `learn.open` finds the same arrays.
   */
  nameNodes() {
    const counts = new Map(), calls = new Map(), last = new Map();
    const numbered = (map, name) => {
      map.set(name, (map.get(name) || 0) + 1);
      return map.get(name) === 1 ? name : `${name}#${map.get(name)}`;
    };
    const order = [...this.nodes.keys()].filter((i) => !this.nodes[i].op).concat(this.forward);
    this.addresses = [];
    for (const i of order) {
      const node = this.nodes[i];
      node.shownName = node.role === "parameter" ? node.name : numbered(counts, node.name || node.op || "leaf");
      this.addresses[i] = !node.op ? node.name : node.isPart ? "" : numbered(calls, node.op);
      const place = node.op ? this.placeOf(i) : null;
      if (place !== null && place.layer >= 0) last.set(`${place.layer} ${place.call}`, [i, place]);
    }
    for (const [i, place] of last.values()) {  // the result of a module
      this.addresses[i] = place.layer === this.written.outermost ? "output"
        : this.layers[place.layer] + (place.call ? `#${place.call + 1}` : "");
    }
    this.addresses[this.root] = "loss";
  }

  array(k) {
    if (k < 0) return null;
    if (!this.decoded.has(k)) this.decoded.set(k, new ArrayOf(this.written.arrays[k]));
    return this.decoded.get(k);
  }

  parentsOf(i) { return this.nodes[i].inputs.filter(([, p]) => p >= 0).map(([, p]) => p); }
  opOf(i) { return this.nodes[i].op; }
  roleOf(i) { return this.nodes[i].role; }
  name(i) { return this.nodes[i].shownName; }
  isNumber() { return false; }

  counts() {
    const elements = this.nodes.reduce((sum, node) => sum + node.shape.reduce((a, b) => a * b, 1), 0);
    return `${counted(this.n, "array")}, ${counted(elements, "number")}, ${counted(this.F, "operation")}`;
  }

  exactness() {
    if (this.written.error) return "\u26a0 an error was raised";
    return this.isExact ? "\u2713 equals .grad to the bit" : "\u26a0 gradients differ from .grad";
  }

  legend() { return ["parameter", "input", "target", "result"]; }

  // ------------------------------------------------------------ what a node shows

  gradAt(i, s) {
    const j = this.lastInto(i, s);
    return j < 0 ? null : this.array(this.steps[j][6]);
  }

  gradText(i, s) {
    const {got, all} = this.received(i, s), takesNone = this.nodes[i].op === "" && all === 0;
    if (takesNone) return ["", "none", "takes no gradient", ""];
    if (got === 0) return ["\u2013", "none", "no gradient yet", ""];
    const state = got < all ? "partial" : "complete", parts = got < all ? ` ${got}/${all}` : " \u2713";
    return ["", state, state === "partial" ? `gradient, ${got} of ${all} parts` : "gradient complete", parts];
  }

  get size() { return {width: 184, height: 118}; }
  badge() { return 0; }

  edgeLabel(s) {
    const [, , , , contribution] = this.steps[s - this.F - 1];
    return contribution < 0 ? "nothing" : sizeText(this.array(contribution).shape);
  }

  spoken(i, s) {
    const node = this.nodes[i];
    return `${this.name(i)}, ${node.op ? `result of ${node.op}` : node.role}, shape ${sizeText(node.shape)}, ${this.gradText(i, s)[2]}`;
  }

  drawNode(i, s) {
    const {width, height} = this.size, left = -width / 2, node = this.nodes[i];
    const [none, , , parts] = this.gradText(i, s), data = this.isKnown(i, s) ? this.array(node.data) : null;
    const grad = i === this.root && s >= this.F && this.lastInto(i, s) < 0 ? "1" : this.gradAt(i, s);
    const bar = node.role === "parameter" ? `<rect class="bar" x="${left}" y="${-height / 2}" width="6" height="${height}" rx="3"/>` : "";
    const takesNone = parts === "" && none === "";
    return `<rect class="box" x="${left}" y="${-height / 2}" width="${width}" height="${height}" `
      + `rx="${node.role === "input" || node.role === "target" ? 22 : 7}"/>` + bar
      + `<text class="name" x="${left + 14}" y="-36">${esc(clipped(this.name(i), 15))}</text>`
      + `<text class="key" x="${left + 14}" y="-17">${node.outputs?.length ? `${node.outputs.length} results` : esc(sizeText(node.shape))}</text>`
      + `<text class="key" x="${left + 14}" y="0">data</text>` + (takesNone ? "" : `<text class="key" x="8" y="0">grad${parts}</text>`)
      + this.thumbnail(data, left + 14, "data") + (takesNone ? "" : this.thumbnail(grad, 8, "grad"));
  }

  /** A small picture of an array, at x; the number itself if it is one. */
  thumbnail(array, x, kind) {
    const width = 70, height = 42, y = 8;
    if (array === null) return `<text class="${kind}" style="text-anchor:start" x="${x}" y="${y + 16}">\u2013</text>`;
    if (array === "1") return `<text class="${kind}" style="text-anchor:start" x="${x}" y="${y + 16}">1</text>`;
    if (array.numbers.length === 1) {
      return `<text class="${kind}" style="text-anchor:start" x="${x}" y="${y + 16}">${array.text(0)}</text>`;
    }
    const all = Math.ceil(array.numbers.length / array.columns);
    const columns = Math.min(array.columns, 10), rows = Math.min(all, 6);
    const w = width / Math.max(columns, 2), h = Math.min(height / rows, w), cells = [];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const flat = Math.floor(r * all / rows) * array.columns + Math.floor(c * array.columns / columns);
        if (flat >= array.numbers.length) continue;
        const number = array.numbers[flat], sign = Number.isFinite(number) ? (number < 0 ? "minus" : "plus") : Number.isNaN(number) ? "strange" : "endless";
        cells.push(`<rect class="${sign}" x="${x + c * w}" y="${y + r * h}" width="${w - 0.7}" height="${h - 0.7}" `
          + `opacity="${(0.08 + 0.92 * array.strength(number)).toFixed(2)}"/>`);
      }
    }
    return `<rect class="frame" x="${x - 1}" y="${y - 1}" width="${columns * w + 1.3}" height="${rows * h + 1.3}"/>${cells.join("")}`;
  }

  // ------------------------------------------------------------ what a step says

  link(i) { return nodeLink(i, this.name(i)); }

  /** The call of a node, each Tensor as `part` writes it. */
  expression(i, part) {
    const node = this.nodes[i];
    const inputs = node.inputs.map(([name, p, text]) => p >= 0 ? part(p)
      : text === "None" || text === "False" ? "" : name ? `${esc(name)}=${esc(text)}` : Number.isNaN(Number(text)) ? esc(text) : shown(Number(text)));
    return `${esc(node.op)}(${inputs.filter(Boolean).join(", ")})`;
  }

  describe(s) {
    const i = this.node(s), kind = this.kind(s), node = this.nodes[i], name = this.link(i);
    if (kind === "forward") {
      const data = this.array(node.data);
      return {phase: `forward: ${node.op}`, said: `forward: ${this.name(i)} of shape ${sizeText(node.shape)}`,
              rule: [`${name} = ${this.expression(i, (p) => this.link(p))}`,
                     `<span class="pad">=</span> ${this.expression(i, (p) => sizeText(this.nodes[p].shape))}`,
                     `<span class="pad">=</span> <b>${sizeText(node.shape)}</b>`],
              detail: (i === this.written.at ? this.errorText() : "")
                + (data === null && !this.written.error ? this.unknownText(node) : "") + this.usesText(i)};
    }
    if (kind === "seed") {
      return {phase: "backward begins", said: `backward begins: the gradient of ${this.name(i)} is 1`,
              rule: this.written.error ? ["no backward"] : [`${name}<i>.grad</i> = \u2202${name}/\u2202${name} = <b>1</b>`],
              detail: this.errorText() || "<p>From here the chain rule goes back, against the arrows, to everything that "
                + "the result was computed from.</p>"};
    }
    return this.describeBackward(s, i, this.target(s), s - this.F - 1);
  }

  errorText() {
    return this.written.error ? `<p class="error">${esc(this.written.error)}</p>` : "";
  }

  unknownText(node) {
    return node.outputs?.length ? "<p>It has several results.</p>"
      : "<p>Its numbers were not kept: compute it inside of <code>with learn.record():</code>.</p>";
  }

  usesText(i) {
    const users = this.usersOf(i);
    if (users.length === 0) return "<p>This is the result.</p>";
    return `<p>Used by ${users.slice(0, 6).map((u) => this.link(u)).join(", ")}`
      + `${users.length > 6 ? `, and ${users.length - 6} more` : ""}.</p>`;
  }

  describeBackward(s, i, to, j) {
    const [, , argument, rule, contribution, whole, after] = this.steps[j];
    const name = this.link(i), other = this.link(to), {got, all} = this.received(to, s);
    const equation = `<span class="of">${name} = ${this.expression(i, (p) => this.link(p))}</span>`;
    const phase = `backward through ${this.opOf(i) || "a leaf"}`, last = s === this.S - 1 || i === this.written.at ? this.errorText() : "";
    if (contribution < 0) {
      return {phase, said: `backward: ${this.name(to)} gets nothing`, rule: [equation, `${other}<i>.grad</i> += nothing`],
              detail: "<p>The rule gives no gradient for this argument.</p>" + last};
    }
    const parts = [], shape = sizeText(this.array(contribution).shape);
    const isShort = rule && !rule.includes("\n") && rule.length < 60;
    const names = [];
    if (rule) {
      names.push(`<var>g</var> is ${name}<i>.grad</i> ${sizeText(this.nodes[i].shape)}`);
      if (/\bout\b/.test(rule)) names.push(`<var>out</var> is ${name}`);
      for (const [input, p] of this.nodes[i].inputs) {
        if (p >= 0 && new RegExp(`\\b${input.replace(/\[.*/, "")}(_shape|_dtype)?\\b`).test(rule)) {
          names.push(`<var>${esc(input)}</var> is ${this.link(p)} ${sizeText(this.nodes[p].shape)}`);
        }
      }
      parts.push(`<dt>the rule for ${argument ? `<var>${esc(argument)}</var>` : "it"}</dt><dd>`
        + (isShort ? `<code>${esc(rule)}</code>` : `<pre>${esc(rule)}</pre>`)
        + `<br><small>${names.join(", ")}</small></dd>`);
    }
    if (whole >= 0) {
      parts.push("<dt>summed, as it was broadcast</dt>"
        + `<dd>${sizeText(this.array(whole).shape)} summed over ${this.axesText(whole, contribution)} gives ${shape}: `
        + `every copy of ${other} sends its part</dd>`);
    }
    const sum = got > 1 ? `what it had + contribution, part ${got} of ${all}` : all > 1 ? `part 1 of ${all}` : "the only part";
    parts.push(`<dt>${other}<i>.grad</i></dt><dd>${sum}${got === all ? ' <span class="done">\u2713 complete</span>' : ", more is to come"}</dd>`);
    return {phase, said: `backward: a contribution of shape ${shape} to the gradient of ${this.name(to)}, ${got} of ${all}`,
            rule: [equation, `${other}<i>.grad</i> += ${isShort ? esc(rule) : "contribution"} <b>${shape}</b>`],
            detail: `<dl>${parts.join("")}</dl>${last}`};
  }

  axesText(whole, contribution) {
    const from = this.array(whole).shape, to = this.array(contribution).shape, extra = from.length - to.length;
    const axes = from.map((_, d) => d).filter((d) => d < extra || to[d - extra] !== from[d]);
    return axes.length === 1 ? `axis ${axes[0]}` : `axes ${axes.join(" and ")}`;
  }

  changed(s, what) {
    const k = s < this.F ? (what === "data" ? this.nodes[this.forward[s]].data : -1)
      : s > this.F && what === "grad" ? this.steps[s - this.F - 1][6] : -1;
    return k < 0 ? [] : Array.from(this.array(k).numbers);
  }

  // ------------------------------------------------------------ the arrays of a step

  /** [title, number of the array, address of its elements] for the arrays that a step shows. */
  figures(s) {
    const i = this.node(s);
    if (s < this.F) {
      const inputs = [...new Set(this.parentsOf(i))].slice(0, 3);
      return [[this.name(i), this.nodes[i].data, this.addresses[i]],
              ...inputs.map((p) => [this.name(p), this.nodes[p].data, this.addresses[p]])];
    }
    if (s === this.F) return [];
    const [source, target, , , contribution, whole, after] = this.steps[s - this.F - 1];
    const gradientOf = (node) => this.addresses[node] && `${this.addresses[node]}.grad`;
    const j = this.lastInto(source, s), list = [[`${this.name(target)}.grad`, after, gradientOf(target)]];
    if (after !== contribution) list.push(["contribution", contribution, ""]);
    if (whole >= 0) list.push(["contribution, before the sum", whole, ""]);
    if (j >= 0) list.push([`g: ${this.name(source)}.grad`, this.steps[j][6], gradientOf(source)]);
    return list;
  }

  afterUpdate(s) {
    const figures = this.figures(s).filter(([, k]) => k >= 0);
    element("element").innerHTML = figures.map(([title, k, address], f) => this.figureText(title, k, address, f)).join("");
    for (const canvas of element("element").querySelectorAll("canvas")) this.paint(canvas, Number(canvas.dataset.array), -1);
  }

  figureText(title, k, address, f) {
    const array = this.array(k), cut = array.shown !== array.shape ? `, the first ${sizeText(array.shown)} of it` : "";
    const caption = `<figcaption>${esc(title)} <span>${sizeText(array.shape)}${cut}, ${array.range()}</span>`
      + `${f === 0 ? " <kbd>a</kbd>" : ""}</figcaption>`;
    const label = `${title}, shape ${sizeText(array.shape)}, ${array.range()}; arrow keys move in it, Enter opens an element`;
    const inner = array.numbers.length <= CELLS && array.columns <= 5 && array.isOneTile ? this.tableText(array)
      : `<canvas data-array="${k}"></canvas>`;
    return `<figure class="array" data-figure="${k}" data-address="${esc(address)}">${caption}`
      + `<div tabindex="0" role="application" aria-label="${esc(label)}">${inner}</div><p class="cell"></p></figure>`;
  }

  tableText(array) {
    const rows = [];
    for (let r = 0; r * array.columns < array.numbers.length; r++) {
      const cells = [];
      for (let c = 0; c < array.columns && r * array.columns + c < array.numbers.length; c++) {
        const flat = r * array.columns + c, x = array.numbers[flat];
        cells.push(`<span class="${x < 0 ? "minus" : "plus"}" data-cell="${flat}" `
          + `style="--strength:${(100 * array.strength(x) * 0.32).toFixed(0)}%">${array.text(flat)}</span>`);
      }
      rows.push(`<div>${cells.join("")}</div>`);
    }
    return `<div class="numbers">${rows.join("")}</div>`;
  }

  /** Paints a heat map: the stronger the larger; negative numbers in the other colour, with a mark. */
  paint(canvas, k, cursor) {
    const array = this.array(k), room = Math.max(120, element("panel").clientWidth - 40), ratio = devicePixelRatio || 1;
    const cell = Math.max(1, Math.min(26, Math.floor(Math.min(room / array.width, 300 / array.height))));
    const style = getComputedStyle(document.body), colors = {};
    for (const name of ["forward", "backward", "stop", "muted", "ink", "ground"]) {
      const hex = style.getPropertyValue(`--${name}`).trim();
      colors[name] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    }
    const small = document.createElement("canvas");  // a pixel for each number
    [small.width, small.height] = [array.width, array.height];
    const pixels = new ImageData(array.width, array.height), strongest = array.largest || 1;
    for (let flat = 0; flat < array.numbers.length; flat++) {
      const x = array.numbers[flat], [column, row] = array.at(flat), at = 4 * (row * array.width + column);
      const isFinite = Number.isFinite(x), share = isFinite ? 0.05 + 0.95 * Math.abs(x) / strongest : 1;
      const color = colors[!isFinite ? (Number.isNaN(x) ? "stop" : "muted") : x < 0 ? "backward" : "forward"];
      for (let c = 0; c < 3; c++) pixels.data[at + c] = share * color[c] + (1 - share) * colors.ground[c];
      pixels.data[at + 3] = 255;
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    [canvas.width, canvas.height] = [array.width * cell * ratio, array.height * cell * ratio];
    canvas.style.width = `${array.width * cell}px`;
    canvas.style.height = `${array.height * cell}px`;
    const draw = canvas.getContext("2d");
    draw.imageSmoothingEnabled = false;
    draw.drawImage(small, 0, 0, canvas.width, canvas.height);
    draw.scale(ratio, ratio);
    draw.strokeStyle = draw.fillStyle = style.getPropertyValue("--ink");
    for (let flat = 0; cell >= 9 && flat < array.numbers.length; flat++) {
      if (!(array.numbers[flat] < 0)) continue;
      const [column, row] = array.at(flat);
      draw.fillRect((column + 0.3) * cell, (row + 0.5) * cell - 0.5, 0.4 * cell, 1);
    }
    if (cursor >= 0) {
      const [column, row] = array.at(cursor);
      draw.lineWidth = 2;
      draw.strokeRect(column * cell, row * cell, cell, cell);
    }
  }

  // ------------------------------------------------------------ the cursor in an array

  enterArray() {
    const first = element("element").querySelector('[role="application"]');
    if (!first) return false;
    first.focus();
    this.moveTo(first.parentElement, 0);
    return true;
  }

  moveTo(figure, flat) {
    const k = Number(figure.dataset.figure), array = this.array(k), canvas = figure.querySelector("canvas");
    figure.dataset.at = flat;
    const index = array.index(flat), text = `${index && `[${index}]`} = ${shownWhole(array.numbers[flat], array.isSingle)}`;
    figure.querySelector(".cell").innerHTML = `${esc(figure.dataset.address || "")}<b>${esc(text)}</b>`;
    element("said").textContent = text;
    figure.querySelector(".cell").scrollIntoView({block: "nearest"});
    if (canvas) this.paint(canvas, k, flat);
    for (const cell of figure.querySelectorAll("[data-cell]")) cell.classList.toggle("at", Number(cell.dataset.cell) === flat);
  }

  /** A key in an array; whether it was one. */
  arrayKey(event, page) {
    const grid = document.activeElement?.closest?.('[role="application"]');
    if (!grid) return false;
    const figure = grid.parentElement, array = this.array(Number(figure.dataset.figure));
    const at = Number(figure.dataset.at || 0), moves = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: array.columns, ArrowUp: -array.columns};
    if (event.key in moves) {
      const next = at + moves[event.key];
      if (next >= 0 && next < array.numbers.length) this.moveTo(figure, next);
      return true;
    }
    if (event.key === "Enter") { this.openElement(figure, array, at, page); return true; }
    if (event.key === "Escape") { grid.blur(); return true; }
    return false;
  }

  /** Shows the scalar graph of an element, if the page has it, or else the program that opens it. */
  openElement(figure, array, flat, page) {
    const index = array.index(flat), at = figure.dataset.address + (index && `[${index}]`), opened = page.trace.written.opened || {};
    if (opened[at]) { page.enter(opened[at]); return; }
    const text = figure.dataset.address
      ? `<code>learn.open(model, *inputs, loss=..., at="${esc(at)}")</code> gives the single numbers that it was computed `
        + `from, as a <code>Value</code>. <code>learn.debug(loss, path, opened=lambda at: learn.open(model, *inputs, loss=..., at=at))</code> opens it here.`
      : "This array has no name for <code>learn.open</code>.";
    figure.querySelector(".cell").innerHTML = `${esc(at)}<b>= ${shownWhole(array.numbers[flat], array.isSingle)}</b><br>${text}`;
    element("said").textContent = figure.querySelector(".cell").textContent;
  }
}

/** A number with all its digits. */
function shownWhole(x, isSingle) {
  const before = allDigits;
  allDigits = true;
  const text = shown(x, isSingle);
  allDigits = before;
  return text;
}
