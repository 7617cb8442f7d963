// ---------------------------------------------------------------- where the frames come from

const optionsOf = (settings) => JSON.stringify(settings);

/** A frame as the program has written it, with numbers in arrays. */
function readFrame(written, settings) {
  const state = Object.fromEntries(Object.entries(written.state).map(([name, entry]) => [name, unpacked(entry)]));
  return {step: written.step, times: written.times, loss: unpacked(written.loss)[0], batch: written.batch, weights: unpacked(written.weights),
    grads: unpacked(written.grads), after: unpacked(written.after), state, settings, written};
}

/** Whether two frames are the same to the bit. */
function sameFrame(a, b) {
  const arrays = (f) => [[f.loss], f.batch, f.weights, f.grads, f.after, ...Object.values(f.state)];
  const [of, to] = [arrays(a), arrays(b)];
  return of.length === to.length && of.every((list, k) => list.length === to[k].length && list.every((x, i) => sameNumber(x, to[k][i])));
}

/** Runs that were recorded when the page was made. */
class Recording {
  constructor(runs) { this.runs = runs; }

  /** The settings of the recorded run of a data set. */
  settingsOf(data) { return this.runs.find((run) => run.settings.data === data).settings; }

  open(settings) {
    const run = this.runs.find((r) => optionsOf(r.settings) === optionsOf(settings));
    const {batch: size} = run.settings, batch = unpacked(run.batch);
    const read = (entries) => Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, unpacked(entry)]));
    const numbers = read(run.numbers), state = read(run.state), other = read(run.other), last = unpacked(run.after);
    const count = last.length, cut = (list, t) => list.slice(t * count, (t + 1) * count);
    this.frames = [...Array(run.steps).keys()].map((t) => ({
      step: t, times: t + 1, loss: numbers.loss[t], batch: [...batch.slice(t * size, (t + 1) * size)],
      weights: cut(numbers.weights, t), grads: cut(numbers.grads, t),
      after: t + 1 < run.steps ? cut(numbers.weights, t + 1) : last,
      state: Object.fromEntries(Object.entries(state).map(([name, list]) => [name, cut(list, t)])),
      other: {loss: other.loss[t], weights: cut(other.weights, t), grads: cut(other.grads, t)}, settings,
    }));
    return {points: run.points, heldOut: run.held_out, last: run.steps - 1};
  }

  /** The frame after step t. */
  after(t) { return this.frames[t + 1]; }
}

/** The scalar engine, on Python in a worker. */
class Live {
  constructor(parts, said) {
    this.waiting = new Map();
    this.count = 0;
    this.requests = [];  // that something in the worker tried to make
    this.worker = new Worker(URL.createObjectURL(new Blob([parts.worker], {type: "text/javascript"})));
    this.worker.onmessage = ({data}) => {
      if (data.request) this.requests.push(data.request);
      else if (data.said) said(data.said);
      else {
        const {resolve, reject} = this.waiting.get(data.id);
        this.waiting.delete(data.id);
        if (data.error) reject(new Error(data.error)); else resolve(data.answer);
      }
    };
    this.worker.onerror = (event) => said(`Python did not start: ${event.message}`);
  }

  /** What a function of the worker answers. */
  ask(name, ...given) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {resolve, reject});
      this.worker.postMessage({id, name, given});
    });
  }

  start(content) { return this.ask("start", content); }

  /** Begins a run, or goes on after a frame of it with these settings. */
  async open(settings, frame) {
    this.settings = settings;
    const answer = JSON.parse(await this.ask("open", JSON.stringify(settings), frame ? JSON.stringify(frame.written) : ""));
    this.done = frame ? frame.step : -1;
    return {points: answer.points, heldOut: answer.held_out};
  }

  /** The frames after step t: as many as are computed in some milliseconds, at least one. */
  async after(t, frame, milliseconds) {
    if (this.done !== t) await this.open(this.settings, frame);
    const written = JSON.parse(await this.ask("steps", milliseconds));
    this.done = t + written.length;
    return written.map((entry) => readFrame(entry, this.settings));
  }

  async backward(sample, frame) { return JSON.parse(await this.ask("backward", sample, JSON.stringify(frame.written))); }
}
