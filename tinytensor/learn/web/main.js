// ---------------------------------------------------------------- the page

const element = (id) => document.getElementById(id);
const BEAT = 700;  // milliseconds between two steps, when they are played
const MOST_LAYERS = 24;  // in the overview; of more the inner ones are joined

/** The layers of the overview: of each node its entry, and of each entry its steps. */
class Overview {
  constructor(trace) {
    const paths = trace.layers.map((path) => path.split("."));
    let depth = Math.max(1, ...paths.map((path) => path.length));
    const isNumber = (part) => /^\d+$/.test(part);
    const titleAt = (path) => {  // layers.0.neurons.3 is in layers.0
      const end = depth < path.length && isNumber(path[depth]) && !isNumber(path[depth - 1]) && depth > 1 ? depth - 1 : depth;
      return path.slice(0, end).join(".");
    };
    while (depth > 1 && new Set(paths.map(titleAt)).size > MOST_LAYERS) depth--;
    const entries = new Map();
    this.of = new Int32Array(trace.n);
    const byTitle = (title) => {
      if (!entries.has(title)) entries.set(title, entries.size);
      return entries.get(title);
    };
    const titles = new Map();  // by the number of the place
    this.steps = [];
    this.back = [];
    trace.forward.forEach((i, s) => {
      const k = trace.place[i];
      if (!titles.has(k)) {
        const place = trace.placeOf(i);
        titles.set(k, byTitle(place === null ? "program" : place.layer >= 0 ? titleAt(paths[place.layer])
          : place.fn || "program"));
      }
      const entry = this.of[i] = titles.get(k);
      (this.steps[entry] ??= []).push(s);
    });
    this.titles = [...entries.keys()];
    trace.sources.forEach((i, j) => { (this.back[this.of[i]] ??= []).push(trace.F + 1 + j); });
  }

  entry(trace, s) { return this.of[trace.node(s)]; }

  progress(entry, s) {
    const part = (steps) => steps ? (lastUpTo(steps, s, 0, steps.length) + 1) / steps.length : 0;
    return [part(this.steps[entry]), part(this.back[entry])];
  }
}

class Page {
  constructor(written) {
    this.outer = null;
    this.reach = 2;
    this.isWhole = true;
    this.show(written, null);
    this.listen();
    this.update();
  }

  /** Shows a trace; `outer` is what the page showed before. */
  show(written, outer) {
    this.outer = outer;
    this.trace = written.mode === "scalar" ? new ScalarTrace(written) : new TensorTrace(written);
    this.overview = new Overview(this.trace);
    this.s = this.trace.firstStep();
    this.breaks = [];
    this.stops = [];
    document.title = written.title;
    element("title").textContent = written.title;
    element("counts").textContent = this.trace.counts();
    element("exact").textContent = this.trace.exactness();
    element("exact").className = this.trace.isExact && !written.error ? "good" : "bad";
    element("bar").max = this.trace.S - 1;
    element("legend").innerHTML = this.trace.legend().map((role) => `<span class="${role}">${role}</span>`).join(" ");
    document.body.classList.toggle("of-tensors", written.mode === "tensor");
    this.drawLayers();
  }

  go(s) {
    this.s = Math.max(0, Math.min(this.trace.S - 1, s));
    this.update();
  }

  // ------------------------------------------------------------ drawing

  update() {
    const {trace, s} = this, step = trace.describe(s), kind = trace.kind(s);
    const focused = document.activeElement?.closest?.("#graph [data-node]")?.dataset.node;
    document.body.dataset.kind = kind;
    element("phase").textContent = `${kind === "forward" ? "\u25b6" : "\u25c0"} ${step.phase}`;
    element("rule").innerHTML = step.rule.map((line) => `<div>${line}</div>`).join("");
    element("detail").innerHTML = step.detail;
    element("element").innerHTML = "";
    element("place").innerHTML = placeText(trace, trace.node(s));
    element("position").textContent = `step ${(s + 1).toLocaleString("en")} of ${trace.S.toLocaleString("en")}, ${kind === "seed" ? "backward" : kind} pass`;
    element("bar").value = s;
    element("bar").setAttribute("aria-valuetext", `step ${s + 1} of ${trace.S}: ${step.said}`);
    element("said").textContent = step.said;
    const stops = new Set(this.breaks.flatMap((stop) => stop.nodes.size <= WHOLE ? [...stop.nodes] : []));
    this.drawn = drawGraph(element("graph"), trace, s, this.reach, this.isWhole, stops);
    if (focused !== undefined) element("graph").querySelector(`[data-node="${focused}"]`)?.focus();
    trace.afterUpdate?.(s, this);
    this.updateLayers();
    this.drawStrip();
    this.drawBreaks();
  }

  drawLayers() {
    const {overview} = this, nav = element("layers");
    nav.hidden = overview.titles.length < 2 && !this.outer;
    nav.innerHTML = (this.outer ? '<button type="button" data-key="Escape">\u2190 back <kbd>Esc</kbd></button>' : "")
      + overview.titles.map((title, k) => `<button type="button" data-layer="${k}"><b>${esc(title)}</b>`
        + `<small>${counted((overview.steps[k] || []).length, "operation")}</small>`
        + '<span class="track"><i class="forward"></i></span><span class="track"><i class="backward"></i></span></button>')
        .join('<span aria-hidden="true">\u2192</span>');
  }

  updateLayers() {
    const current = this.overview.entry(this.trace, this.s);
    for (const button of element("layers").querySelectorAll("[data-layer]")) {
      const k = Number(button.dataset.layer), [forward, backward] = this.overview.progress(k, this.s);
      button.toggleAttribute("aria-current", k === current);
      if (k === current) button.setAttribute("aria-current", "step");
      button.querySelector(".forward").style.width = `${100 * forward}%`;
      button.querySelector(".backward").style.width = `${100 * backward}%`;
      if (k === current && this.s !== this.scrolled) button.scrollIntoView({block: "nearest", inline: "nearest"});
    }
    this.scrolled = this.s;
  }

  /** The bar behind the slider: the two passes, and the steps of the breakpoints. */
  drawStrip() {
    const canvas = element("strip"), box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(box.width * ratio)) canvas.width = Math.round(box.width * ratio);
    if (canvas.height !== Math.round(box.height * ratio)) canvas.height = Math.round(box.height * ratio);
    const draw = canvas.getContext("2d"), {trace} = this, color = (name) => getComputedStyle(document.body).getPropertyValue(name);
    const at = (s) => 9 + (box.width - 18) * s / Math.max(1, trace.S - 1);
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.clearRect(0, 0, box.width, box.height);
    const middleOf = box.height / 2, border = at(trace.F - 0.5);
    for (const [from, to, name] of [[at(0), border, "--forward"], [border, at(trace.S - 1), "--backward"]]) {
      const here = Math.min(to, Math.max(from, at(this.s)));
      draw.fillStyle = color(name);
      draw.globalAlpha = 0.25;
      draw.fillRect(from, middleOf - 4, to - from, 8);
      draw.globalAlpha = 1;
      draw.fillRect(from, middleOf - 4, here - from, 8);
    }
    draw.fillStyle = color("--stop");
    let last = -9;
    for (const s of this.stops) {
      if (at(s) < last + 2) continue;
      last = at(s);
      draw.fillRect(last - 1, 0, 2, box.height);
    }
  }

  // ------------------------------------------------------------ breakpoints

  /** The breakpoint that a text describes, or null: {text, hits(s), nodes}. */
  parse(text) {
    const {trace} = this, words = text.trim().split(/\s+/), all = [...Array(trace.n).keys()];
    const of = (nodes, at) => {
      const own = new Set(nodes);
      return own.size ? {text: text.trim(), nodes: own, hits: (s) => own.has(trace[at](s))} : null;
    };
    const line = /^(?:line |(.+):)(\d+)$/.exec(text.trim());
    if (words[0] === "op" && words.length > 1) return of(all.filter((i) => trace.opOf(i) === words.slice(1).join(" ")), "node");
    if (line) {
      const number = Number(line[2]), isIn = (file, n) => n === number && file >= 0
        && (line[1] === undefined || trace.files[file].name.endsWith(line[1]));
      return of(all.filter((i) => {
        const place = trace.placeOf(i);
        return place !== null && (isIn(place.spot[0], place.spot[1]) || isIn(place.inner[0], place.inner[1]));
      }), "node");
    }
    const test = {nan: Number.isNaN, inf: (x) => Math.abs(x) === Infinity, 0: (x) => x === 0}[words[words[1] === "is" ? 2 : 1]];
    if ((words[0] === "grad" || words[0] === "data") && test) {
      return {text: text.trim(), nodes: new Set(), hits: (s) => trace.changed(s, words[0]).some(test)};
    }
    const name = text.trim();
    return name ? of(all.filter((i) => trace.name(i) === name || trace.name(i).startsWith(`${name}[`)
      || trace.name(i).startsWith(`${name}.`)), "subject") : null;
  }

  addBreak(text) {
    const stop = this.parse(text);
    if (stop === null) {
      element("said").textContent = `no number and no operation fits \u201c${text}\u201d`;
      element("break").setCustomValidity("nothing fits this");
      element("break").reportValidity();
      return false;
    }
    this.breaks.push(stop);
    this.findStops();
    return true;
  }

  findStops() {
    this.stops = [];
    for (let s = 0; this.breaks.length && s < this.trace.S; s++) {
      if (this.breaks.some((stop) => stop.hits(s))) this.stops.push(s);
    }
    this.update();
  }

  toggleBreak() {
    const {trace, s} = this, name = trace.name(trace.subject(s));
    const known = this.breaks.findIndex((stop) => stop.text === name);
    if (known >= 0) {
      this.breaks.splice(known, 1);
      this.findStops();
    } else this.addBreak(name);
  }

  toBreak(direction) {
    const {stops} = this;
    const next = direction > 0 ? stops.find((s) => s > this.s) : stops.findLast((s) => s < this.s);
    if (next === undefined) {
      element("said").textContent = this.breaks.length ? "no breakpoint further on" : "no breakpoint is set; b sets one";
    } else this.go(next);
  }

  drawBreaks() {
    element("break-list").innerHTML = this.breaks.map((stop, k) => `<li>${esc(stop.text)} `
      + `<button type="button" data-remove="${k}" aria-label="remove the breakpoint ${esc(stop.text)}">\u00d7</button></li>`).join("");
  }

  // ------------------------------------------------------------ moving

  /** Goes on by itself, to the end or to a breakpoint, or ceases to. */
  play(isOn) {
    clearInterval(this.timer);
    this.isPlaying = isOn;
    element("play").setAttribute("aria-pressed", isOn);
    if (!isOn) return;
    this.timer = setInterval(() => {
      this.go(this.s + 1);
      if (this.s === this.trace.S - 1 || this.stops.includes(this.s)) this.play(false);
    }, BEAT);
  }

  /** To a step of node i: the next in this pass, or the first one. */
  follow(i) {
    const {trace} = this, isForward = this.s < trace.F, steps = trace.stepsOf(i);
    const inPass = steps.filter((s) => isForward === (s < trace.F));
    const next = inPass.find((s) => trace.subject(s) === i) ?? inPass[0];
    const firstUse = Math.min(...trace.usersOf(i).map((u) => trace.position[u]));
    this.go(next ?? (isForward && Number.isFinite(firstUse) ? firstUse : steps[0] ?? this.s));
  }

  nextOfSame(direction) {
    const {trace} = this, steps = trace.stepsOf(trace.subject(this.s));
    const next = direction > 0 ? steps.find((s) => s > this.s) : steps.findLast((s) => s < this.s);
    if (next !== undefined) this.go(next);
  }

  /** To the first step of the next layer, or of this or the one before. */
  toLayer(direction) {
    const {trace, overview} = this, entry = (s) => overview.entry(trace, s);
    let s = this.s;
    if (direction > 0) {
      while (s < trace.S - 1 && entry(s) === entry(this.s)) s++;
    } else {
      s = Math.max(0, s - 1);
      while (s > 0 && entry(s - 1) === entry(s)) s--;
    }
    this.go(s);
  }

  search(text) {
    const {trace} = this, list = element("found"), wanted = text.trim().toLowerCase(), found = [];
    for (let i = 0; wanted && i < trace.n; i++) {
      if (!trace.isNumber(i) && trace.name(i).toLowerCase().includes(wanted) || trace.opOf(i).toLowerCase() === wanted) found.push(i);
    }
    const order = new Intl.Collator("en", {numeric: true});
    found.sort((a, b) => (trace.name(b) === text.trim()) - (trace.name(a) === text.trim())
      || order.compare(trace.name(a), trace.name(b)));
    const more = found.length > 12 ? `<li><small>and ${(found.length - 12).toLocaleString("en")} more</small></li>` : "";
    list.hidden = !wanted;
    list.innerHTML = found.length ? found.slice(0, 12).map((i) => `<li>${nodeLink(i, trace.name(i))} <small>${esc(trace.opOf(i) || trace.roleOf(i))}`
      + ` ${trace.pathOf(i).map(esc).join(" \u203a ")}</small></li>`).join("") + more : wanted ? "<li>nothing found</li>" : "";
    return found;
  }

  // ------------------------------------------------------------ keys and clicks

  key(key, isShift) {
    const {trace, s} = this, many = isShift ? 10 : 1;
    if (key !== " ") this.play(false);
    switch (key) {
      case " ": this.play(!this.isPlaying && s < trace.S - 1); break;
      case "ArrowRight": this.go(s + many); break;
      case "ArrowLeft": this.go(s - many); break;
      case "Home": this.go(0); break;
      case "End": this.go(trace.S - 1); break;
      case "p": this.go(s < trace.F ? trace.F : 0); break;
      case "]": this.toLayer(1); break;
      case "[": this.toLayer(-1); break;
      case "b": this.toggleBreak(); break;
      case "B": element("break").focus(); break;
      case "c": this.toBreak(1); break;
      case "C": this.toBreak(-1); break;
      case "n": this.nextOfSame(1); break;
      case "N": this.nextOfSame(-1); break;
      case "/": element("search").focus(); element("search").select(); break;
      case "2": case "3": case "4": this.reach = Number(key); this.isWhole = false; this.update(); break;
      case "w": this.isWhole = !this.isWhole; this.update(); break;
      case "a": if (!trace.enterArray?.()) return false; break;
      case "d": allDigits = !allDigits; element("digits").setAttribute("aria-pressed", allDigits); this.update(); break;
      case "t": this.setDark(document.documentElement.dataset.theme !== "dark"); break;
      case "?": element("keys").open ? element("keys").close() : element("keys").showModal(); break;
      case "Escape": if (!this.outer) return false; this.leave(); break;
      default: return false;
    }
    return true;
  }

  setDark(isDark) {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    element("theme").innerHTML = `${isDark ? "light" : "dark"} <kbd>t</kbd>`;
    this.update();
  }

  /** Shows the scalar graph of one element of an array. */
  enter(written) {
    const {trace, overview, s, breaks, stops, outer} = this;
    this.show(written, {written: trace.written, trace, overview, s, breaks, stops, outer});
    this.update();
  }

  leave() {
    const {written, ...state} = this.outer;
    this.show(written, state.outer);
    Object.assign(this, state);
    this.drawLayers();
    this.update();
  }

  listen() {
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || element("keys").open && event.key !== "?") return;
      const focused = document.activeElement, isText = focused.matches?.("input[type=search], #break");
      if (isText) {
        if (event.key === "Escape") { focused.blur(); element("found").hidden = true; }
        return;
      }
      const node = focused.closest?.("#graph [data-node]");
      if (node && (event.key === "Enter" || event.key === " ")) {
        this.follow(Number(node.dataset.node));
        event.preventDefault();
        return;
      }
      if (event.key === " " && focused.matches?.("button, a, [type=range]")) return;  // it is pressed
      if (this.trace.arrayKey?.(event, this)) { event.preventDefault(); return; }
      if (this.key(event.key, event.shiftKey)) event.preventDefault();
    });
    document.addEventListener("click", (event) => {
      const at = event.target.closest("[data-node], [data-step], [data-key], [data-layer], [data-remove]");
      if (!at) return;
      const {node, step, key, layer, remove} = at.dataset;
      event.preventDefault();
      if (node !== undefined) { element("found").hidden = true; this.follow(Number(node)); }
      else if (step !== undefined) this.go(Number(step));
      else if (key !== undefined) this.key(key, false);
      else if (remove !== undefined) { this.breaks.splice(Number(remove), 1); this.findStops(); }
      else {
        const steps = this.s < this.trace.F ? this.overview.steps : this.overview.back;
        this.go((steps[layer] || this.overview.steps[layer])[0]);
      }
    });
    element("bar").addEventListener("input", (event) => this.go(Number(event.target.value)));
    element("search").addEventListener("input", (event) => this.search(event.target.value));
    element("search").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const [first] = this.search(event.target.value);
      if (first === undefined) return;
      element("found").hidden = true;
      event.target.blur();
      this.follow(first);
    });
    element("break").addEventListener("input", (event) => event.target.setCustomValidity(""));
    element("break-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.addBreak(element("break").value)) { element("break").value = ""; element("break").blur(); }
    });
    element("digits").addEventListener("click", () => this.key("d"));
    element("theme").addEventListener("click", () => this.key("t"));
    element("help").addEventListener("click", () => this.key("?"));
    new ResizeObserver(() => this.update()).observe(element("view"));
  }
}

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const page = new Page(JSON.parse(element("trace").textContent));
element("theme").innerHTML = `${document.documentElement.dataset.theme === "dark" ? "light" : "dark"} <kbd>t</kbd>`;
window.page = page;
