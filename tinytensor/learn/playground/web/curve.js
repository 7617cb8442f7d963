// ---------------------------------------------------------------- the loss, step by step

const GUESS = Math.log(2);  // the loss of p = 1/2 for all points

/** Draws the losses of all known steps; `before` has those of the run before the last change. */
function drawCurve(canvas, {scores, at, before}) {
  const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1, draw = canvas.getContext("2d");
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  const color = (name) => getComputedStyle(document.body).getPropertyValue(name);
  const left = 40, right = box.width - 10, top = 8, bottom = box.height - 22;
  const count = Math.max(scores.length, before.length, 20);
  const finite = [...scores, ...before].flatMap((s) => [s.loss, s.heldOut]).filter(Number.isFinite);
  const largest = Math.min(Math.max(GUESS * 1.15, ...spread(finite)), 8);
  const x = (t) => left + (right - left) * t / (count - 1), y = (loss) => bottom - (bottom - top) * Math.min(loss, largest) / largest;
  draw.font = "12px system-ui, sans-serif";
  draw.fillStyle = color("--muted");
  draw.strokeStyle = color("--line");
  draw.lineWidth = 1;
  const unit = [0.1, 0.2, 0.5, 1, 2].find((u) => largest / u <= 5) || 2;
  draw.textAlign = "right";
  for (let mark = 0; mark <= largest; mark += unit) {
    draw.beginPath(); draw.moveTo(left, y(mark)); draw.lineTo(right, y(mark)); draw.stroke();
    draw.fillText(unit < 1 ? mark.toFixed(1) : mark.toFixed(0), left - 6, y(mark) + 4);
  }
  draw.textAlign = "center";
  const every = [5, 10, 20, 50, 100, 200, 500, 1000].find((u) => count / u <= 7) || 1000;
  for (let t = 0; t < count; t += every) draw.fillText(t, x(t), box.height - 5);
  draw.setLineDash([4, 4]);
  draw.strokeStyle = color("--muted");
  draw.beginPath(); draw.moveTo(left, y(GUESS)); draw.lineTo(right, y(GUESS)); draw.stroke();
  draw.setLineDash([]);
  draw.textAlign = "right";
  draw.fillText("guessing: ln 2", right, y(GUESS) - 4);
  const line = (list, name, style, width, dash = []) => {
    draw.strokeStyle = color(style);
    draw.lineWidth = width;
    draw.setLineDash(dash);
    draw.beginPath();
    list.forEach((s, t) => draw.lineTo(x(t), y(Number.isFinite(s[name]) ? s[name] : largest)));
    draw.stroke();
    draw.setLineDash([]);
  };
  draw.globalAlpha = 0.6;
  line(before, "all", "--muted", 1.5);
  line(scores, "loss", "--line-strong", 1);
  draw.globalAlpha = 1;
  line(scores, "heldOut", "--held", 2, [5, 3]);
  line(scores, "all", "--ink", 2);
  draw.fillStyle = color("--ink");
  draw.beginPath();
  draw.moveTo(x(at), top); draw.lineTo(x(at), bottom);
  draw.lineWidth = 1; draw.strokeStyle = color("--ink"); draw.stroke();
  if (scores[at]) { draw.beginPath(); draw.arc(x(at), y(scores[at].all), 4.5, 0, 7); draw.fill(); }
  canvas.stepAt = (pixel) => Math.round((pixel - left) / (right - left) * (count - 1));
}

/** The largest but the last few: a first loss that is far above does not flatten the curve. */
function spread(numbers) {
  const sorted = numbers.slice().sort((a, b) => a - b);
  return sorted.length ? [sorted[Math.floor(0.985 * (sorted.length - 1))] * 1.1] : [];
}
