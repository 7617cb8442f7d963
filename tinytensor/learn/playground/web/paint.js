// ---------------------------------------------------------------- maps of the plane

const REACH = 1.6;  // the maps show -1.6 to 1.6 in both directions
const FINE = 64, COARSE = 24;  // pixels of the output's map, and of those of neurons
const UNITS = 96;  // of the drawing over the output's map

/** 256 colors from negative to positive, as the theme has them. */
class Palette {
  constructor() {
    const [minus, middle, plus] = ["--minus-map", "--middle", "--plus-map"].map((name) => {
      const hex = getComputedStyle(document.body).getPropertyValue(name).trim();
      return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    });
    this.colors = new Uint32Array(256);
    for (let k = 0; k < 256; k++) {
      const share = k / 127.5 - 1, end = share < 0 ? minus : plus;
      const [r, g, b] = middle.map((from, c) => Math.round(from + (end[c] - from) * Math.abs(share)));
      this.colors[k] = 0xff000000 | b << 16 | g << 8 | r;
    }
  }

  /** The color of a number from -1 to 1; of NaN the middle. */
  of(share) { return this.colors[Math.round(127.5 * (Math.max(-1, Math.min(1, share || 0)) + 1))]; }
}

const coordinate = (k, count) => (2 * (k + 0.5) / count - 1) * REACH;

/** Draws the map of each neuron into its canvas, and that of the output into `large`. */
function paintMaps(net, weights, canvases, large, palette) {
  const images = canvases.map((row) => row.map((canvas) => canvas && new ImageData(COARSE, COARSE)));
  const pixels = images.map((row) => row.map((image) => image && new Uint32Array(image.data.buffer)));
  for (let v = 0; v < COARSE; v++) {
    for (let u = 0; u < COARSE; u++) {
      const values = net.forward(weights, coordinate(u, COARSE), -coordinate(v, COARSE), net.scratch);
      for (let layer = 0; layer <= net.depth; layer++) {
        for (let j = 0; j < values[layer].length; j++) {
          const value = values[layer][j], isLast = layer === net.depth;
          if (pixels[layer][j]) pixels[layer][j][v * COARSE + u] = palette.of(isLast ? Math.tanh(value / 2) : value);
        }
      }
    }
  }
  images.forEach((row, layer) => row.forEach((image, j) => {
    if (image) canvases[layer][j].getContext("2d").putImageData(image, 0, 0);
  }));
  const image = new ImageData(FINE, FINE), all = new Uint32Array(image.data.buffer), outputs = new Float64Array(FINE * FINE);
  for (let v = 0; v < FINE; v++) {
    for (let u = 0; u < FINE; u++) {
      const output = net.output(weights, coordinate(u, FINE), -coordinate(v, FINE));
      outputs[v * FINE + u] = output;
      all[v * FINE + u] = palette.of(Math.tanh(output / 2));
    }
  }
  large.getContext("2d").putImageData(image, 0, 0);
  return outputs;
}

/** The decision boundary, where the output is 0, as an SVG path. */
function boundary(outputs) {
  const at = (u, v) => outputs[v * FINE + u], unit = UNITS / FINE;
  let path = "";
  for (let v = 0; v < FINE - 1; v++) {
    for (let u = 0; u < FINE - 1; u++) {
      const corners = [[u, v], [u + 1, v], [u + 1, v + 1], [u, v + 1]], cuts = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 4]], [p, q] = [at(...a), at(...b)];
        if (p > 0 !== q > 0) {
          const share = p / (p - q);
          cuts.push([0, 1].map((k) => (unit * (a[k] + share * (b[k] - a[k]) + 0.5)).toFixed(2)).join(" "));
        }
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) path += `M${cuts[k]}L${cuts[k + 1]}`;
    }
  }
  return path;
}

/** The points as SVG circles; those of the batch have a ring. */
function pointMarks(points, batch, chosen, heldOut) {
  const of = (x) => ((x / REACH + 1) * UNITS / 2).toFixed(2), isIn = new Set(batch);
  const kind = (label) => label ? "plus" : "minus";
  let marks = heldOut.map(([x, y, label]) => `<circle class="held ${kind(label)}" cx="${of(x)}" cy="${of(-y)}" r="0.9"/>`).join("");
  points.forEach(([x, y, label], i) => {
    marks += `<circle class="point ${kind(label)}${isIn.has(i) ? " used" : ""}${i === chosen ? " chosen" : ""}" data-point="${i}"`
      + ` cx="${of(x)}" cy="${of(-y)}" r="${i === chosen ? 2.1 : 1.5}"/>`;
  });
  return marks;
}
