// ---------------------------------------------------------------- a trace
//
// Steps are numbered from 0: the operations of the forward, the seed of the backward, and then one
// step for each addition to a gradient. All that the page shows is a function of the step.

class Trace {
  constructor(written) {
    this.written = written;
    this.places = written.places;
    this.layers = written.layers;
    this.files = written.files;
  }

  /** To be called by subclasses when n, root, forward, sources, targets, parentsOf are set. */
  index() {
    const {n, forward, sources, targets} = this;
    this.F = forward.length;
    this.B = sources.length;
    this.S = this.F + 1 + this.B;
    this.position = new Int32Array(n).fill(-1);
    forward.forEach((node, k) => { this.position[node] = k; });
    [this.intoStarts, this.into] = grouped(n, this.B, (j) => targets[j]);
    [this.outStarts, this.out] = grouped(n, this.B, (j) => sources[j]);
    const edges = [];
    for (let i = 0; i < n; i++) for (const p of this.parentsOf(i)) edges.push(p, i);
    [this.userStarts, this.users] = grouped(n, edges.length / 2, (e) => edges[2 * e]);
    this.users = this.users.map((e) => edges[2 * e + 1]);
  }

  usersOf(i) {
    return [...new Set(this.users.subarray(this.userStarts[i], this.userStarts[i + 1]))];
  }

  kind(s) { return s < this.F ? "forward" : s === this.F ? "seed" : "backward"; }

  /** The node that a step computes, or whose gradient it passes on. */
  node(s) {
    return s < this.F ? this.forward[s] : s === this.F ? this.root : this.sources[s - this.F - 1];
  }

  /** The node whose gradient a step of the backward adds to; -1 in the forward. */
  target(s) {
    return s < this.F ? -1 : s === this.F ? this.root : this.targets[s - this.F - 1];
  }

  /** The node that a step changes. */
  subject(s) { return s < this.F ? this.forward[s] : this.target(s); }

  isKnown(i, s) { return this.position[i] <= s; }

  /** How many additions to the gradient of i there are, and how many were made up to step s. */
  received(i, s) {
    const from = this.intoStarts[i], to = this.intoStarts[i + 1];
    const got = lastUpTo(this.into, s - this.F - 1, from, to) + 1 - from;
    return {got: got + (i === this.root && s >= this.F), all: to - from + (i === this.root)};
  }

  /** The last addition to the gradient of i up to step s, as the number of a backward step, or -1. */
  lastInto(i, s) {
    const from = this.intoStarts[i];
    const at = lastUpTo(this.into, s - this.F - 1, from, this.intoStarts[i + 1]);
    return at < from ? -1 : this.into[at];
  }

  /** The steps that concern node i: computed, added to, passed on. */
  stepsOf(i) {
    const steps = [];
    if (this.position[i] >= 0) steps.push(this.position[i]);
    if (i === this.root) steps.push(this.F);
    for (let k = this.intoStarts[i]; k < this.intoStarts[i + 1]; k++) steps.push(this.F + 1 + this.into[k]);
    for (let k = this.outStarts[i]; k < this.outStarts[i + 1]; k++) steps.push(this.F + 1 + this.out[k]);
    return [...new Set(steps)].sort((a, b) => a - b);
  }

  /** Where the page begins: at the operation of an error, first in the backward, or at the first step. */
  firstStep() {
    const {at} = this.written;
    if (at === undefined || at === null) return 0;
    const steps = this.stepsOf(at);
    return steps.find((s) => s > this.F && this.node(s) === at) ?? Math.max(0, this.position[at]);
  }

  placeOf(i) {
    const k = this.place[i];
    if (k < 0) return null;
    const [spot, inner, layer, sample, call, fn] = this.places[k];
    return {spot, inner, layer, sample, call, fn};
  }

  /** The number of the layer of a node in the overview; the last entry is "outside of layers". */
  layerOf(i) {
    const place = this.placeOf(i);
    return place === null || place.layer < 0 ? -1 : place.layer;
  }

  /** Where a node is: its layer, sample, call and function. */
  pathOf(i) {
    const place = this.placeOf(i), parts = [];
    if (place === null) return parts;
    if (place.sample >= 0) parts.push(`sample ${place.sample}`);
    if (place.layer >= 0) parts.push(this.layers[place.layer]);
    if (place.call > 0) parts.push(`call ${place.call + 1}`);
    if (place.fn) parts.push(place.fn);
    return parts;
  }

  /**
   * The nodes near `center`: parents up to `reach` operations back, `target` first, and users up to
   * reach - 1 on. `rows` bounds how many stand at one distance. With each node, how many of its users
   * are left out.
   */
  near(center, target, reach, rows, whole) {
    const found = new Map();
    if (whole) {
      for (let i = 0; i < this.n; i++) found.set(i, 0);
      return found;
    }
    const counts = new Map(), queue = [[center, 0]];
    found.set(center, 0);
    const own = [...this.parentsOf(center)], first = Math.max(0, own.indexOf(target) - (rows >> 1));
    if (own.length > rows) own.unshift(...own.splice(first, rows));  // those around the target
    const put = (i, d, goOn) => {
      const count = counts.get(d) || 0;
      if (found.has(i) || count >= rows) return;
      counts.set(d, count + 1);
      found.set(i, 0);
      if (goOn) queue.push([i, d]);
    };
    while (queue.length) {
      const [i, d] = queue.shift();
      if (d <= 0 && -d < reach) (i === center ? own : this.parentsOf(i)).forEach((p) => put(p, d - 1, true));
      if (d >= 0 && d < reach - 1) this.usersOf(i).forEach((u) => put(u, d + 1, true));
      if (d === 1) this.parentsOf(i).forEach((p) => put(p, 0, false));  // the other operands
    }
    for (const i of found.keys()) found.set(i, this.usersOf(i).filter((u) => !found.has(u)).length);
    return found;
  }
}
