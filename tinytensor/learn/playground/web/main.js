// ---------------------------------------------------------------- the page

const MOST = 8, DEEPEST = 4;  // neurons of a layer, hidden layers
const LIMIT = 5000;  // steps that are kept
const BUDGET = 40;  // milliseconds of steps between two pictures
const RATES = [0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 1, 3];
const CHANGING = ["lr", "batch", "optimizer"];  // may change in the middle of a run

const element = (id) => document.getElementById(id);
const content = (id) => JSON.parse(element(id).textContent);

class Page {
  constructor(given) {
    this.given = given;
    this.isLive = given.mode === "live";
    this.frames = [];  // by step
    this.scores = [];  // {loss, all, right, heldOut, heldRight} of each
    this.before = [];  // those of the run before the last change
    this.at = 0;
    this.sample = 0;
    this.shown = "weights";
    this.fixed = null;  // the item that stays in the panel
    this.hovered = null;
    this.checked = {same: 0, other: 0};  // steps that were computed again
    this.work = Promise.resolve();
    this.diagram = new Diagram(element("diagram"));
    this.palette = new Palette();
    this.coming = null;  // steps that the worker computes
    this.fillControls();
    this.listen();
  }

  // ------------------------------------------------------------ runs

  async start() {
    if (!this.isLive) {
      this.source = new Recording(content("runs"));
      await this.open(this.source.settingsOf("moons"));
      return;
    }
    this.wait("Starting Python \u2026");
    this.source = new Live({worker: element("worker").textContent}, (said) => this.wait(said));
    const pyodide = Object.fromEntries(this.given.pyodide.map((name) => [name, element(name).textContent.trim()]));
    try {
      this.version = await this.source.start({pyodide, lock: this.given.lock, files: content("files")});
      for (const name of this.given.pyodide) element(name).remove();
      await this.open(this.given.settings);
    } catch (error) {
      this.wait(`Python did not start: ${error.message}`);
      throw error;
    }
    this.wait("");
  }

  wait(text) {
    element("wait").hidden = !text;
    element("wait").textContent = text;
  }

  /** Does one thing after the other: `work` may be asynchronous. An error does not stop the next. */
  then(work) {
    this.work = this.work.then(work).catch((error) => {
      element("status").textContent = error.message;
      element("status").className = "bad";
      setTimeout(() => { throw error; });  // for the console
    });
    return this.work;
  }

  /** Begins a run from step 0. Steps of a run with the same settings are kept, and compared. */
  async open(settings) {
    const isSame = this.frames.length && this.frames.every((f) => f.settings === settings);
    if (!isSame) this.forget(0);
    this.settings = settings;
    const {points, heldOut, last} = await this.source.open(settings);
    Object.assign(this, {points, heldOut, last: last ?? LIMIT - 1, checked: {same: 0, other: 0}});
    if (!isSame || !this.net) {
      this.net = new Net(settings);
      this.diagram.build(this.net, this.isLive);
      const item = this.fixed || `w:${this.net.depth - 1}:0:0`;
      this.fixed = this.diagram.element(item) ? item : `w:${this.net.depth - 1}:0:0`;
      this.hovered = null;
    }
    this.at = -1;
    await this.advance(1, 0);
    this.showSettings();
  }

  /** Drops the steps from t on; their losses stay in the curve as those of before. */
  forget(t) {
    if (!this.isLive) this.before = [];
    else if (this.scores.length > t + 1) this.before = this.scores;
    this.frames = this.frames.slice(0, t);
    this.scores = this.scores.slice(0, t);
  }

  /** Goes on by up to `count` steps; fewer if they take longer than the milliseconds. */
  async advance(count, milliseconds) {
    if (this.at >= this.last) return false;
    const frames = this.isLive ? await (this.coming ?? this.source.after(this.at, this.frames[this.at], milliseconds))
      : [...Array(count).keys()].map((k) => this.source.after(this.at + k)).filter(Boolean);
    for (const frame of frames) {
      const known = this.frames[frame.step];
      if (known && this.isLive) this.checked[sameFrame(known, frame) ? "same" : "other"]++;
      this.frames[frame.step] = frame;
      const [all, right] = this.net.score(frame.weights, this.points);
      const [heldOut, heldRight] = this.net.score(frame.weights, this.heldOut);
      this.scores[frame.step] = {loss: frame.loss, all, right, heldOut, heldRight};
    }
    this.at = frames.at(-1).step;
    // The worker computes the next steps while these are drawn.
    this.coming = this.isLive && this.isPlaying && milliseconds && this.at < this.last
      ? this.source.after(this.at, this.frames[this.at], milliseconds) : null;
    this.update();
    return true;
  }

  /** Shows a step; one that is not known yet is computed. */
  go(t) {
    return this.then(async () => {
      t = Math.max(0, Math.min(this.last, t));
      if (t < this.at || !this.isLive && t < this.frames.length) this.at = t;
      while (this.at < t && await this.advance(t - this.at, 0));
      this.update();
    });
  }

  /** Runs until it is paused, or to the last step. */
  play(isOn) {
    if (isOn === this.isPlaying) return;
    this.isPlaying = isOn;
    element("play").classList.toggle("on", isOn);
    element("play").firstChild.textContent = isOn ? "pause " : "run ";
    if (isOn) this.then(() => this.run());
  }

  async run() {
    let steps = 0, since = performance.now();
    while (this.isPlaying) {
      const begin = performance.now(), pace = Number(element("speed").value);
      if (!await this.advance(1, pace ? 0 : BUDGET)) { this.play(false); break; }
      steps += this.at - (this.shownAt ?? this.at);
      this.shownAt = this.at;
      if (begin - since > 1000) {
        this.rate = 1000 * steps / (begin - since);
        [steps, since] = [0, begin];
        this.showStatus();
      }
      const left = pace ? 1000 / pace - (performance.now() - begin) : 0;
      await new Promise((done) => left > 16 ? setTimeout(done, left) : requestAnimationFrame(done));
    }
    if (this.coming) await this.advance(1, 0);
    this.shownAt = undefined;
    if (this.at >= this.last && this.isLive) element("said").textContent = `The page keeps ${LIMIT.toLocaleString("en")} steps. Press r to begin again.`;
  }

  /** Takes over a setting: in the middle of the run if it can, else from the first step. */
  change(name, value) {
    return this.then(async () => {
      const settings = {...this.settings, [name]: value};
      if (optionsOf(settings) === optionsOf(this.settings)) return;
      if (!CHANGING.includes(name)) { await this.open(settings); return; }
      const t = this.at;
      this.forget(t);
      this.settings = settings;
      const {points, heldOut} = await this.source.open(settings, this.frames[t - 1]);
      Object.assign(this, {points, heldOut, checked: {same: 0, other: 0}});
      this.at = t - 1;
      await this.advance(1, 0);
      this.showSettings();
    });
  }

  // ------------------------------------------------------------ drawing

  get frame() { return this.frames[this.at]; }
  get beforeFrame() { return this.frames[this.at - 1]; }

  update() {
    const {frame, net, at} = this, score = this.scores[at];
    if (!frame) return;
    const outputs = paintMaps(net, frame.weights, this.diagram.canvases, element("large"), this.palette);
    element("boundary").setAttribute("d", boundary(outputs));
    element("points").innerHTML = pointMarks(this.points, frame.batch, this.sample, this.heldOut);
    this.diagram.paint(frame, this.shown);
    drawCurve(element("curve"), this);
    element("before-key").hidden = !this.before.length;
    const bar = element("bar");
    bar.max = Math.max(1, this.isLive ? this.frames.length - 1 : this.last);
    bar.value = at;
    const percent = (share) => `${(100 * share).toFixed(0)} %`;
    element("step").textContent = at.toLocaleString("en");
    element("loss").textContent = shown(frame.loss);
    element("all").textContent = shown(score.all);
    element("right").textContent = percent(score.right);
    element("held").textContent = percent(score.heldRight);
    bar.setAttribute("aria-valuetext", `step ${at}, loss ${shown(frame.loss)}`);
    if (!this.isPlaying) element("said").textContent = `step ${at}, loss ${shown(score.all)}, right ${percent(score.right)}`;
    element("sample").value = this.sample;
    element("point-text").innerHTML = pointText(this);
    this.showDetail();
    this.showStatus();
  }

  showDetail() {
    const item = this.hovered || this.fixed, {title, html} = describe(this, item);
    element("detail-title").textContent = title;
    element("detail-text").innerHTML = html;
    this.diagram.mark(item, item === this.fixed);
  }

  showStatus() {
    const {frame} = this, status = element("status"), {same, other} = this.checked;
    if (!this.isLive) {
      const lists = [[frame.other.loss], frame.other.weights, frame.other.grads];
      this.difference = Math.max(...lists.map((list) => Math.max(...list.map(Math.abs))));
      status.textContent = this.difference <= 1e-12 ? `\u2713 both engines: all numbers of this step agree to ${this.difference.toExponential(0)}`
        : `the engines differ by ${this.difference.toExponential(1)}`;
      status.className = this.difference <= 1e-12 ? "good" : "bad";
      return;
    }
    const rate = this.rate ? `, ${this.rate.toFixed(0)} steps a second` : "";
    const again = other ? `. ${counted(other, "step")} of ${same + other} computed again differ`
      : same ? `. \u2713 ${counted(same, "step")} computed again: equal to the bit` : "";
    status.textContent = `Scalar engine on Python ${this.version} in this page${rate}${again}`;
    status.className = other ? "bad" : same ? "good" : "";
  }

  // ------------------------------------------------------------ controls

  fillControls() {
    const {choices} = this.given;
    element("data").insertAdjacentHTML("beforeend", choices.data.map((name) => `<label><input type="radio" name="data" value="${name}">`
      + `<svg viewBox="0 0 96 96" aria-hidden="true">${pointMarks(this.given.examples[name], [], -1, [])}</svg>${name}</label>`).join(""));
    for (const name of ["activation", "optimizer"]) element(name).innerHTML = choices[name].map((x) => `<option>${x}</option>`).join("");
    element("lr").innerHTML = RATES.map((x) => `<option>${x}</option>`).join("");
    if (!this.isLive) {
      for (const control of document.querySelectorAll("#settings .fields input, #settings .fields select")) control.disabled = true;
      for (const part of document.querySelectorAll(".of-live")) part.hidden = true;
    } else {
      element("notice").hidden = true;
      element("kept").textContent = "Learning rate, optimizer and batch may change in the middle of a run: rewind, change, and compare the curves.";
    }
  }

  showSettings() {
    const {settings} = this;
    element("data").querySelector(`[value="${settings.data}"]`).checked = true;
    for (const name of ["noise", "batch", "activation", "optimizer", "lr", "seed"]) element(name).value = settings[name];
    this.showRanges();
    element("less").disabled = settings.layers.length === 0;
    element("more").disabled = settings.layers.length === DEEPEST;
  }

  showRanges() {
    for (const name of ["noise", "batch"]) element(`${name}-shown`).textContent = element(name).value;
  }

  resize(layers) { return this.change("layers", layers); }

  setSample(i) {
    this.sample = Math.max(0, Math.min(this.points.length - 1, i || 0));
    this.update();
  }

  nextSample(direction) {
    const batch = [...this.frame.batch].sort((a, b) => a - b), {sample} = this;
    this.setSample(direction > 0 ? batch.find((i) => i > sample) ?? batch[0] : batch.findLast((i) => i < sample) ?? batch.at(-1));
  }

  setShown(shown) {
    this.shown = shown;
    document.querySelector(`[name=shown][value=${shown}]`).checked = true;
    this.update();
  }

  setDark(isDark) {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    element("theme").innerHTML = `${isDark ? "light" : "dark"} <kbd>t</kbd>`;
    this.palette = new Palette();
    this.update();
  }

  /** Opens the debugger on the chosen point. */
  openBackward() {
    this.play(false);
    return this.then(async () => {
      const trace = await this.source.backward(this.sample, this.frame);
      const written = JSON.stringify(trace).replaceAll("<", "\\u003c");
      element("frame").srcdoc = content("debugger-page").replaceAll("{{title}}", trace.title).replace("{{trace}}", () => written);
      element("debugger-title").textContent = `Backward of point ${this.sample} at step ${this.at}`;
      element("debugger").showModal();
    });
  }

  // ------------------------------------------------------------ keys and clicks

  key(key, isShift) {
    const many = isShift ? 10 : 1;
    if (key !== " " && ["ArrowRight", "ArrowLeft", ".", ",", "Home", "End", "r"].includes(key)) this.play(false);
    switch (key) {
      case " ": this.play(!this.isPlaying); break;
      case "ArrowRight": case ".": this.go(this.at + many); break;
      case "ArrowLeft": case ",": this.go(this.at - many); break;
      case "Home": this.go(0); break;
      case "End": this.go(this.isLive ? this.frames.length - 1 : this.last); break;
      case "r": this.then(() => this.open(this.settings)); break;
      case "e": this.setShown({weights: "grads", grads: "changes", changes: "weights"}[this.shown]); break;
      case "n": this.diagram.focus(this.diagram.at); break;
      case "s": this.nextSample(1); break;
      case "S": this.nextSample(-1); break;
      case "b": if (!this.isLive) return false; this.openBackward(); break;
      case "d": allDigits = !allDigits; element("digits").setAttribute("aria-pressed", allDigits); this.update(); break;
      case "t": this.setDark(document.documentElement.dataset.theme !== "dark"); break;
      case "?": element("keys").open ? element("keys").close() : element("keys").showModal(); break;
      default: return false;
    }
    return true;
  }

  diagramKey(item, key) {
    if (key === "Enter" || key === " ") this.keep(item);
    else if (key === "Escape") document.activeElement.blur();
    else if (key.startsWith("Arrow")) {
      const next = this.diagram.next(item, key);
      if (next) this.diagram.focus(next);
    } else return false;
    return true;
  }

  keep(item) {
    this.fixed = item;
    this.showDetail();
  }

  listen() {
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.frame) return;
      if (element("debugger").open || element("keys").open && event.key !== "?") return;
      const focused = document.activeElement, item = focused.dataset?.item;
      if (item && this.diagramKey(item, event.key)) { event.preventDefault(); return; }
      if (focused.matches?.("input, select") && /^(Arrow|Home|End|[0-9 .,])/.test(event.key)) return;
      if (event.key === " " && focused.matches?.("button, summary")) return;  // it is pressed
      if (this.key(event.key, event.shiftKey)) event.preventDefault();
    });
    document.addEventListener("click", (event) => {
      const at = event.target.closest("[data-item], [data-key], [data-point], [data-size]");
      if (!at || !this.frame) return;
      const {item, key, point, size} = at.dataset;
      if (item) { this.keep(item); this.diagram.focus(item); }
      else if (point) this.setSample(Number(point));
      else if (size) {
        const [layer, change] = size.split(":").map(Number), layers = [...this.settings.layers];
        layers[layer] += change;
        this.resize(layers);
      } else this.key(key, false);
    });
    const hover = (item) => { if (this.frame && this.hovered !== item) { this.hovered = item; this.showDetail(); } };
    element("diagram").addEventListener("pointerover", (event) => hover(event.target.closest("[data-item]")?.dataset.item ?? null));
    element("diagram").addEventListener("pointerleave", () => hover(null));
    element("diagram").addEventListener("focusin", (event) => hover(event.target.closest("[data-item]")?.dataset.item ?? null));
    element("diagram").addEventListener("focusout", () => hover(null));
    element("marks").addEventListener("pointerover", (event) => {
      const point = event.target.dataset.point;
      if (point !== undefined && Number(point) !== this.sample) this.setSample(Number(point));
    });
    element("bar").addEventListener("input", (event) => { this.play(false); this.go(Number(event.target.value)); });
    element("curve").addEventListener("click", (event) => {
      const t = event.target.stepAt(event.offsetX);
      this.play(false);
      this.go(Math.min(t, this.frames.length - 1));
    });
    element("sample").addEventListener("change", (event) => this.setSample(Number(event.target.value)));
    element("shown").addEventListener("change", (event) => this.setShown(event.target.value));
    element("less").addEventListener("click", () => this.resize(this.settings.layers.slice(0, -1)));
    element("more").addEventListener("click", () => this.resize([...this.settings.layers, this.settings.layers.at(-1) ?? 4]));
    element("settings").addEventListener("input", () => this.showRanges());
    element("settings").addEventListener("submit", (event) => event.preventDefault());
    element("settings").addEventListener("change", (event) => this.changed(event.target));
    new ResizeObserver(() => { this.diagram.layOut(); if (this.frame) drawCurve(element("curve"), this); }).observe(document.body);
  }

  changed(control) {
    if (control.name === "data") {
      const data = control.value;
      this.play(false);
      if (this.isLive) this.change("data", data);
      else this.then(() => this.open(this.source.settingsOf(data)));
    } else if (!control.checkValidity()) control.reportValidity();
    else this.change(control.id, ["activation", "optimizer"].includes(control.id) ? control.value : Number(control.value));
  }
}

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const page = new Page(content("given"));
element("theme").innerHTML = `${document.documentElement.dataset.theme === "dark" ? "light" : "dark"} <kbd>t</kbd>`;
window.page = page;
page.ready = page.then(() => page.start());
