// ---------------------------------------------------------------- the network, drawn

const SHOWN = {weights: "weight", grads: "gradient", changes: "change"};

/** Neurons are buttons with their maps, edges are paths below them. One of all is reached by Tab. */
class Diagram {
  constructor(root) {
    this.root = root;
    this.edges = root.querySelector("#lines");
    this.over = root.querySelector("#over");
    this.nodes = root.querySelector("#nodes");
    this.at = "w:0:0:0";  // what has the focus when the diagram gets it
  }

  /** Makes the elements of a network. */
  build(net, isLive) {
    this.net = net;
    const columns = net.sizes.length;
    this.nodes.innerHTML = net.sizes.map((size, layer) => `<div class="column" style="--column:${layer}">`
      + `<div class="column-head">${this.head(layer, size, columns, isLive)}</div>`
      + [...Array(size).keys()].map((j) => `<button type="button" class="node" tabindex="-1" data-item="n:${layer}:${j}"`
        + ` aria-label="${nameOf(net, `n:${layer}:${j}`)}"><canvas width="${COARSE}" height="${COARSE}" aria-hidden="true"></canvas></button>`).join("")
      + "</div>").join("");
    this.canvases = net.sizes.map((size, layer) => [...Array(size).keys()].map((j) => this.element(`n:${layer}:${j}`).querySelector("canvas")));
    let paths = "";
    for (let layer = 0; layer < net.depth; layer++) {
      for (let j = 0; j < net.sizes[layer + 1]; j++) {
        for (let i = 0; i < net.sizes[layer]; i++) {
          const item = `w:${layer}:${j}:${i}`;
          paths += `<g data-item="${item}" role="button" tabindex="-1" aria-label="${nameOf(net, item)}"><path class="hit"/><path class="line"/></g>`;
        }
      }
    }
    this.edges.innerHTML = paths;
    this.lines = [...this.edges.children].map((g) => {
      const [, layer, j, i] = g.dataset.item.split(":").map(Number);
      return {g, layer, j, i, place: net.place(layer, j, i), hit: g.firstChild, line: g.lastChild};
    });
    if (!this.element(this.at)) this.at = "w:0:0:0";
    this.element(this.at).setAttribute("tabindex", "0");
    this.layOut();
  }

  head(layer, size, columns, isLive) {
    if (layer === 0) return "<span>x, y</span>";
    if (layer === columns - 1) return "<span>output</span>";
    if (!isLive) return `<span>${counted(size, "neuron")}</span>`;
    return `<button type="button" data-size="${layer - 1}:-1" aria-label="one neuron less in layer ${layer}"${size === 1 ? " disabled" : ""}>\u2212</button>`
      + `<span>${size}</span><button type="button" data-size="${layer - 1}:1" aria-label="one neuron more in layer ${layer}"${size === MOST ? " disabled" : ""}>+</button>`;
  }

  element(item) { return this.root.querySelector(`[data-item="${item}"]`); }

  /** Puts the edges where the neurons are. */
  layOut() {
    if (!this.net) return;
    const base = this.root.getBoundingClientRect();
    const boxes = this.canvases.map((row) => row.map((canvas) => {
      const box = canvas.parentNode.getBoundingClientRect();
      return [box.left - base.left, box.right - base.left, (box.top + box.bottom) / 2 - base.top];
    }));
    for (const {layer, j, i, hit, line} of this.lines) {
      const [, x0, y0] = boxes[layer][i], [x1, , y1] = boxes[layer + 1][j], middle = (x0 + x1) / 2;
      const path = `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
      hit.setAttribute("d", path);
      line.setAttribute("d", path);
    }
  }

  /** Widths and colors of the edges, from what is shown: weights, gradients or changes. */
  paint(frame, shown) {
    const numbers = numbersOf(frame, shown);
    let largest = 1e-300;
    for (const {place} of this.lines) largest = Math.max(largest, Math.abs(numbers[place]) || 0);
    for (const {line, place} of this.lines) {
      const share = Math.abs(numbers[place]) / largest;
      line.setAttribute("class", `line ${numbers[place] < 0 ? "minus" : "plus"}`);
      line.setAttribute("stroke-width", (0.6 + 5.4 * (share || 0)).toFixed(2));
    }
  }

  mark(item, isFixed) {
    for (const old of this.root.querySelectorAll(".now")) old.classList.remove("now", "fixed");
    const element = item && this.element(item);
    if (element) {
      element.classList.add("now");
      element.classList.toggle("fixed", isFixed);
    }
    for (const part of ["hit", "line"]) {  // on top of the others, which stay where the focus finds them
      const copy = this.over.querySelector(`.over-${part}`), path = element?.querySelector(`.${part}`);
      copy.setAttribute("d", path?.getAttribute("d") ?? "");
      if (part === "line" && path) {
        copy.setAttribute("class", `over-line ${path.getAttribute("class")}`);
        copy.setAttribute("stroke-width", path.getAttribute("stroke-width"));
      }
    }
  }

  focus(item) {
    this.element(this.at)?.setAttribute("tabindex", "-1");
    this.at = item;
    const element = this.element(item);
    element.setAttribute("tabindex", "0");
    element.focus({preventScroll: true});
  }

  /** Where an arrow key leads from an item; null if nowhere. */
  next(item, key) {
    const [kind, layer, j, i] = parts(item), {sizes, depth} = this.net;
    if (kind === "w") {
      if (key === "ArrowLeft") return `n:${layer}:${i}`;
      if (key === "ArrowRight") return `n:${layer + 1}:${j}`;
      const to = i + (key === "ArrowDown" ? 1 : -1);
      return to >= 0 && to < sizes[layer] ? `w:${layer}:${j}:${to}` : null;
    }
    if (key === "ArrowLeft") return layer > 0 ? `w:${layer - 1}:${j}:0` : null;
    if (key === "ArrowRight") return layer < depth ? `w:${layer}:0:${j}` : null;
    const to = j + (key === "ArrowDown" ? 1 : -1);
    return to >= 0 && to < sizes[layer] ? `n:${layer}:${to}` : null;
  }
}

const parts = (item) => { const [kind, ...numbers] = item.split(":"); return [kind, ...numbers.map(Number)]; };

/** The name of an edge or a neuron in words. */
function nameOf(net, item) {
  const [kind, layer, j, i] = parts(item);
  const neuron = (l, k) => l === 0 ? "input " + "xy"[k] : l === net.depth ? "output" : `neuron ${k + 1} of layer ${l}`;
  return kind === "n" ? neuron(layer, j) : `weight from ${neuron(layer, i)} to ${neuron(layer + 1, j)}`;
}

/** The numbers of a frame that edges show. */
function numbersOf(frame, shown) {
  return shown === "changes" ? frame.after.map((x, k) => x - frame.weights[k]) : frame[shown];
}
