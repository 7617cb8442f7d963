// ---------------------------------------------------------------- text and links

const esc = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const nodeLink = (i, name) => `<a href="#" data-node="${i}">${esc(name)}</a>`;
const stepLink = (s, name) => `<a href="#" data-step="${s}">${esc(name)}</a>`;

/** A name of at most `length` characters; of a longer one its end, which differs the most. */
const clipped = (name, length) => name.length > length ? `\u2026${name.slice(1 - length)}` : name;

// ---------------------------------------------------------------- the graph

const WHOLE = 40;  // a graph of no more nodes is drawn as a whole, if it fits at the scale SMALLEST
const SMALLEST = 0.58;

/** Draws the nodes near step s into the svg element, or all if that is wanted and they fit. */
function drawGraph(svg, trace, s, reach, isWhole, breaks) {
  const box = svg.getBoundingClientRect(), {width, height} = trace.size;
  const center = trace.node(s), gapY = 26;
  const rows = Math.max(2, Math.floor(box.height / (height + gapY)));
  const place = (all) => {
    const near = trace.near(center, trace.target(s), reach, rows, all), nodes = [...near.keys()].sort((a, b) => a - b);
    const {places, layers, top, bottom} = layout(nodes, (i) => [...trace.parentsOf(i)], height, gapY);
    const badge = Math.max(0, ...nodes.map((i) => trace.badge(i)));
    const gapX = Math.min(60, Math.max(32, (box.width - 48) / layers - width)) + badge;
    for (const v of places.values()) v.x = v.column * (width + gapX);
    const left = -width / 2 - badge, right = (layers - 1) * (width + gapX) + width / 2;
    const fit = Math.min(1.3, box.width / (right - left + 40), box.height / (bottom - top + 64));
    return {near, nodes, places, top, bottom, left, right, fit};
  };
  let drawing = isWhole && trace.n <= WHOLE ? place(true) : null;
  if (drawing === null || drawing.fit < SMALLEST) drawing = place(false);
  const {near, nodes, places, top, bottom, left, right, fit} = drawing;
  const scale = Math.max(SMALLEST, fit), here = places.get(center);
  const across = box.width / scale, down = box.height / scale;
  const x = fit >= SMALLEST ? (left + right) / 2 : middle(here.x, across, left - 32, right + 32);
  const y = fit >= SMALLEST ? (top + bottom) / 2 : middle(here.y, down, top - 28, bottom + 28);
  svg.setAttribute("viewBox", `${x - across / 2} ${y - down / 2} ${across} ${down}`);
  const edges = [], hot = [], boxes = [];
  const target = trace.target(s), kind = trace.kind(s);
  for (const v of places.values()) {
    for (const p of v.parents) {
      const isForward = kind === "forward" && v.i === center && trace.position[center] === s;
      const isBackward = kind === "backward" && v.i === center && p.i === target;
      const from = p.x + width / 2, to = v.x - width / 2 - trace.badge(v.i);
      const bend = Math.max(30, (to - from) / 2);
      const path = `M${from} ${p.y}C${from + bend} ${p.y} ${to - bend} ${v.y} ${to} ${v.y}`;
      const back = `M${to} ${v.y}C${to - bend} ${v.y} ${from + bend} ${p.y} ${from} ${p.y}`;
      if (isForward) hot.push(`<path class="edge forward" d="${path}" marker-end="url(#on)"/>`);
      else if (isBackward) {
        hot.push(`<path class="edge backward" d="${back}" marker-end="url(#back)"/>`);
        const label = trace.edgeLabel(s);
        if (label) {
          const w = 10 * label.length + 16, cx = (from + to) / 2;
          const cy = Math.min(p.y, v.y) - height / 2 - 4;
          hot.push(`<g class="sent"><rect x="${cx - w / 2}" y="${cy - 13}" width="${w}" height="26" rx="13"/>`
            + `<text x="${cx}" y="${cy + 5}">${esc(label)}</text></g>`);
        }
      } else edges.push(`<path class="edge" d="${path}"/>`);
    }
  }
  for (const v of places.values()) {
    const i = v.i, isNow = i === center, isTarget = i === target && kind === "backward";
    const classes = ["node", trace.roleOf(i), trace.gradText(i, s)[1], trace.isKnown(i, s) ? "known" : "later"];
    if (isNow) classes.push("now", kind === "forward" ? "forward" : "backward");
    if (isTarget) classes.push("target");
    if (breaks.has(i)) classes.push("stop");
    const operands = new Set(trace.parentsOf(i)).size - v.parents.length;
    const notes = [];
    if (operands > 0) notes.push(`+${operands} operand${operands > 1 ? "s" : ""}`);
    if (near.get(i) > 0) notes.push(`\u2192 ${near.get(i)} more use${near.get(i) > 1 ? "" : "s"} it`);
    boxes.push(`<g class="${classes.join(" ")}" transform="translate(${v.x} ${v.y})">`
      + `<g aria-hidden="true">${trace.drawNode(i, s)}</g>`
      + (breaks.has(i) ? `<circle class="stop-mark" cx="${width / 2 - 10}" cy="${10 - height / 2}" r="5"/>` : "")
      + (notes.length ? `<text class="more" aria-hidden="true" x="${-width / 2}" y="${height / 2 + 15}">${notes.join("  ")}</text>` : "")
      + `<rect class="hit" data-node="${i}" tabindex="0" role="button" aria-label="${esc(trace.spoken(i, s))}" `
      + `x="${-width / 2}" y="${-height / 2}" width="${width}" height="${height}" rx="7"/></g>`);
  }
  svg.innerHTML = "<defs>"
    + '<marker id="on" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
    + '<path class="head forward" d="M0 0L10 5L0 10z"/></marker>'
    + '<marker id="back" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
    + '<path class="head backward" d="M0 0L10 5L0 10z"/></marker></defs>'
    + edges.join("") + hot.filter((e) => e.startsWith("<path")).join("") + boxes.join("")
    + hot.filter((e) => e.startsWith("<g")).join("");
  return nodes.length;
}

/** The middle of a window of `size` that shows `at` and stays between two ends. */
function middle(at, size, from, to) {
  if (to - from <= size) return (from + to) / 2;
  return Math.min(Math.max(at, from + size / 2), to - size / 2);
}

// ---------------------------------------------------------------- the source

/** Where the operation of node i stands: its layers, and the lines of the program. */
function placeText(trace, i) {
  const place = trace.placeOf(i), path = trace.pathOf(i);
  let text = path.length ? `<p class="path">in ${path.map((p) => `<b>${esc(p)}</b>`).join(" \u203a ")}</p>` : "";
  if (!trace.written.recorded) {
    text += "<p><small>Lines and layers are known for what is computed in a block <code>with learn.record():</code>.</small></p>";
  }
  if (place === null) return text;
  const {spot, inner} = place;
  text += sourceText(trace, spot);
  return inner[0] >= 0 && (inner[0] !== spot[0] || inner[1] !== spot[1]) ? text + sourceText(trace, inner) : text;
}

/** The lines around a spot, with its line and its expression marked. */
function sourceText(trace, [number, line, start, end]) {
  const file = trace.files[number];
  const rows = [], near = [-3, -2, -1, 0, 1, 2].map((d) => line + d).filter((n) => file.lines[n] !== undefined);
  const indents = near.filter((n) => file.lines[n].trim()).map((n) => file.lines[n].search(/\S/));
  const indent = indents.length ? Math.min(...indents) : 0;
  for (const n of near) {
    const own = file.lines[n], from = n === line && start >= 0 ? start : own.length, to = n === line && start >= 0 ? end : own.length;
    const text = `<span class="number">${String(n).padStart(4)}</span>  ${esc(own.slice(indent, from))}`
      + (from < to ? `<u>${esc(own.slice(from, to))}</u>` : "") + esc(own.slice(to));
    rows.push(n === line ? `<mark>${text}</mark>` : `<span>${text}</span>`);
  }
  return `<figure class="source"><figcaption>${esc(file.name)}, line ${line}</figcaption>`
    + (rows.length ? `<pre>${rows.join("")}</pre>` : "") + "</figure>";
}
