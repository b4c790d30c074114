// Charts of a run, drawn of its samples. Under each are its figures where the pointer is; else the latest ones, and
// once the run is over those of the whole run.
const SVG = "http://www.w3.org/2000/svg";
/** In hundredths of what a chart is high, which goes with the size of letters. */
const EDGE = { left: 32, right: 6, top: 9, bottom: 12 };
const MOST_POINTS = 600;
/** In seconds: one that is shorter has the rate of itself and its neighbour together, or it would spike. */
const LEAST_SECOND = 0.5;
/**
 * Samples that are kept, those of them that stay alone, and what all others become at most: in a longer run old ones are
 * joined, as the service does.
 */
const KEPT = { most: 14_400, recent: 3_600, old: 7_200 };
const samples = [];
const charts = [];
const reading = document.getElementById("reading");
const hint = reading?.textContent;
/** The sample that is read; null for the latest. */
let pointed = null;
let due = false;
/** Nothing more will come. */
let over = false;

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  parent?.append(made);
  return made;
}

/** Samples in pieces that are long enough for a rate, unless all of them together are not. */
function joined(seconds) {
  const pieces = [];
  let piece = [];
  let length = 0;
  for (const sample of seconds) {
    piece.push(sample);
    length += sample.seconds;
    if (length >= LEAST_SECOND) {
      pieces.push(piece);
      [piece, length] = [[], 0];
    }
  }
  if (piece.length) {
    pieces.push([...(pieces.pop() ?? []), ...piece]);
  }
  return pieces;
}

/**
 * How often something happened per second, in each of these; null where its count is not known. The sum of each of
 * them times the length of its second is the sum of the known counts.
 */
function rates(seconds, count) {
  return joined(seconds).flatMap((piece) => {
    const known = piece.map(count).filter((one) => one !== null);
    const length = piece.reduce((sum, sample) => sum + sample.seconds, 0);
    const rate = known.length && length > 0 ? known.reduce((sum, one) => sum + one, 0) / length : null;
    return piece.map(() => rate);
  });
}

/** `machine.cpu_user`, `join.p95` or `deliveries.by_fate.lost` of a sample; null where there is none. */
function valueOf(sample, at, join) {
  if (at === "memory") {
    const bytes = sample.machine?.memory_bytes ?? null;
    return bytes === null ? null : bytes / 1e6;
  }
  const [first, ...names] = at.split(".");
  const place = first === "join" ? sample.steps[join] : sample[first];
  return names.reduce((value, name) => value?.[name], place) ?? null;
}

/** The same of all samples, and `started/s`. */
function valuesOf(at, join) {
  if (at.endsWith("/s")) {
    return rates(samples, (sample) => valueOf(sample, at.slice(0, -2), join));
  }
  return samples.map((sample) => valueOf(sample, at, join));
}

/** The mean of values over time, each second counting by its length; null where nothing is known. */
function meanOverTime(seconds, values) {
  const known = seconds.map(({ seconds: length }, at) => [values[at], length]).filter(([value]) => value !== null);
  const length = known.reduce((sum, [, one]) => sum + one, 0);
  return length > 0 ? known.reduce((sum, [value, one]) => sum + value * one, 0) / length : null;
}

function short(value) {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}

/** A duration such as `1m30s` as people read it: `1 min 30 s`. */
function spaced(duration) {
  return duration.replaceAll(/([\d.]+)([a-zµ]+)/g, (_, number, unit) => `${number} ${unit === "m" ? "min" : unit} `).trim();
}

function withUnit(value, unit) {
  if (unit === "s") {
    if (value >= 999.5) {
      return `${short(value / 60)} min`;
    }
    return value !== 0 && value < 0.9995 ? `${short(value * 1000)} ms` : `${short(value)} s`;
  }
  return short(value) + (unit === "MB" ? " MB" : unit);
}

/** A number above `most` with one digit or two, whose half is a plain one, too. */
function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= most) ?? 10 * power;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (part) => String(part).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

function prepare(figure, join) {
  const name = figure.querySelector("figcaption").textContent;
  const svg = element("svg", { role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0 });
  const key = document.createElement("div");
  key.className = "key";
  const series = figure.dataset.series.split(";").map((pair, place) => {
    const [word, at] = pair.split("=");
    const look = ["passed", "failed"].includes(word) ? word : `s${place}`;
    const entry = document.createElement("span");
    const line = element("svg", { viewBox: "0 0 32 8", "aria-hidden": true });
    element("path", { d: "M0 4H32", class: look }, line);
    const value = document.createElement("strong");
    entry.append(line, ` ${word} `, value);
    key.append(entry);
    return { word, at, look, entry, value };
  });
  const nothing = document.createElement("span");
  nothing.textContent = "not measured";
  nothing.hidden = true;
  key.append(nothing);
  figure.append(svg, key);
  svg.addEventListener("pointermove", (event) => {
    const { left, right } = frameOf(svg);
    point((event.clientX - svg.getBoundingClientRect().left - left) / (right - left));
  });
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && read(null));
  // What has the focus is read aloud whenever it changes: it stays at a sample until somebody moves on.
  svg.addEventListener("focus", () => pointed === null && read(samples.length ? samples.length - 1 : null));
  svg.addEventListener("blur", () => read(null));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined && samples.length) {
      event.preventDefault();
      const from = pointed ?? samples.length - 1;
      read(Math.min(Math.max(from + step, 0), samples.length - 1));
    }
  });
  return { svg, series, nothing, join, unit: figure.dataset.unit };
}

function read(at) {
  pointed = at;
  drawSoon();
}

function point(share) {
  const wanted = share * (samples.at(-1)?.at ?? 0);
  let nearest = samples.length ? 0 : null;
  samples.forEach((sample, at) => {
    if (Math.abs(sample.at - wanted) < Math.abs(samples[nearest].at - wanted)) {
      nearest = at;
    }
  });
  read(nearest);
}

/** Lines of at most so many points, each the mean of the rates that it stands for, or the most of anything else. */
function pathOf(values, areRates, x, y) {
  const each = Math.max(1, Math.ceil(values.length / MOST_POINTS));
  let path = "";
  let pen = "M";
  for (let i = 0; i < values.length; i += each) {
    const some = values.slice(i, i + each);
    const known = some.filter((value) => value !== null);
    if (known.length === 0) {
      pen = "M";
      continue;
    }
    const value = areRates ? meanOverTime(samples.slice(i, i + each), some) : Math.max(...known);
    path += `${pen}${x(samples[i].at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  }
  // One point alone is a dot.
  return path.includes("L") ? path : path && `${path}h2`;
}

/** Where the lines are, in pixels. */
function frameOf(svg) {
  const wide = svg.clientWidth || 640;
  const high = svg.clientHeight || 176;
  const edge = (side) => (EDGE[side] * high) / 100;
  return { wide, high, left: edge("left"), right: wide - edge("right"), top: edge("top"), bottom: high - edge("bottom") };
}

function axes(chart, frame, end, most, x, y) {
  for (const share of [0, 0.5, 1]) {
    const at = y(most * share);
    element("path", { class: "grid", d: `M${frame.left} ${at}H${frame.right}` }, chart.svg);
    const label = element("text", { x: frame.left - 6, y: at + 4, "text-anchor": "end" }, chart.svg);
    label.textContent = withUnit(most * share, chart.unit);
  }
  const moments = [[0, "start"], [0.5, "middle"], [1, "end"]].map(([share, anchor]) => [end * share, anchor, clock(end * share)]);
  for (const [at, [moment, anchor, text]] of moments.entries()) {
    // In a run of a second or two they are the same.
    if (text !== moments[at - 1]?.[2]) {
      const label = element("text", { x: x(moment), y: frame.high - 5, "text-anchor": anchor }, chart.svg);
      label.textContent = text;
    }
  }
}

/**
 * What a line comes to. Quantiles are those of the table, since a mean of quantiles is none; and the most chats in
 * progress are those of any moment, of which the samples know the ends of seconds only.
 */
function ofWholeRun({ at }, values, unit) {
  const [place, quantile] = at.split(".");
  if (place === "join") {
    return document.querySelector(`[data-observes] [data-quantile="${quantile}"]`)?.textContent ?? null;
  }
  const known = values.filter((one) => one !== null);
  if (known.length === 0) {
    return null;
  }
  const counted = at === "in_progress" ? document.querySelector("[data-most-in-progress]")?.dataset.mostInProgress : undefined;
  const most = counted === undefined ? known.reduce((a, b) => Math.max(a, b)) : Number(counted);
  return `mean ${withUnit(meanOverTime(samples, values), unit)}, max ${withUnit(most, unit)}`;
}

function draw(chart) {
  const end = samples.at(-1)?.at || 1;
  const frame = frameOf(chart.svg);
  const lines = chart.series.map(({ at }) => valuesOf(at, chart.join));
  const most = roundUp(Math.max(0, ...lines.map((line) => line.reduce((a, b) => Math.max(a, b ?? 0), 0))));
  const x = (at) => frame.left + (at / end) * (frame.right - frame.left);
  const y = (value) => frame.bottom - (value / most) * (frame.bottom - frame.top);
  chart.svg.setAttribute("viewBox", `0 0 ${frame.wide} ${frame.high}`);
  chart.svg.replaceChildren();
  axes(chart, frame, end, most, x, y);
  chart.series.forEach(({ at, look }, line) => {
    element("path", { class: look, d: pathOf(lines[line], at.endsWith("/s"), x, y) }, chart.svg);
  });
  chart.nothing.hidden = samples.length === 0 || lines.flat().some((one) => one !== null);
  const at = pointed ?? samples.length - 1;
  const texts = chart.series.map((series, line) => {
    const { word, entry, value, look } = series;
    // What this load does not ask for has no line.
    entry.hidden = lines[line].every((one) => one === null);
    const here = (pointed === null ? lines[line].findLast((one) => one !== null) : lines[line][pointed]) ?? null;
    const whole = over && pointed === null ? ofWholeRun(series, lines[line], chart.unit) : null;
    value.textContent = whole ?? (here === null ? "–" : withUnit(here, chart.unit));
    if (pointed !== null && here !== null) {
      element("circle", { class: look, cx: x(samples[at].at), cy: y(here), r: 3 }, chart.svg);
    }
    return entry.hidden ? "" : `${word} ${here === null ? "none" : value.textContent}`;
  });
  if (pointed !== null) {
    const here = x(samples[pointed].at);
    element("path", { class: "pointer", d: `M${here} ${frame.top}V${frame.bottom}` }, chart.svg);
  }
  chart.svg.setAttribute("aria-valuemax", Math.max(samples.length - 1, 0));
  chart.svg.setAttribute("aria-valuenow", Math.max(at, 0));
  const moment = samples[at] ? `At ${clock(samples[at].at)}` : "Nothing yet";
  const time = over && pointed === null ? "Over the whole run" : moment;
  chart.svg.setAttribute("aria-valuetext", [time, ...texts.filter(Boolean)].join(", "));
}

function drawSoon() {
  if (due) {
    return;
  }
  due = true;
  requestAnimationFrame(() => {
    due = false;
    charts.forEach(draw);
    reading.textContent = pointed === null ? hint : `At ${clock(samples[pointed].at)}`;
  });
}

/** Values of two samples together, by what they are: see `Sample::join` of the service. */
function joinedValue(name, one, other, weights) {
  if (one === null || one === undefined || other === null || other === undefined) {
    return other ?? one ?? null;
  }
  if (typeof one === "object") {
    return joinedSample(one, other, weights);
  }
  if (["at", "in_progress", "customers"].includes(name)) {
    return other;
  }
  if (["p95", "p99", "max", "start_late", "sent_late", "memory_bytes", "files"].includes(name)) {
    return Math.max(one, other);
  }
  if (name === "p50" || name.startsWith("cpu_") || name === "host_busy") {
    const [first, second] = weights;
    return first + second > 0 ? (one * first + other * second) / (first + second) : other;
  }
  return one + other;
}

/** Medians weigh as much as they are of, and what was read of the machine as long as it stood. */
function joinedSample(one, other, above) {
  const weight = (part, seconds) => part.passed ?? part.by_fate?.delivered ?? seconds ?? 1;
  const isStep = "p50" in one || "p50" in other;
  const weights = isStep ? [weight(one), weight(other)] : "seconds" in one ? [one.seconds, other.seconds] : above;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  const values = [...names].map((name) => [name, joinedValue(name, one[name], other[name], weights)]);
  return Array.isArray(one) ? values.map(([, value]) => value) : Object.fromEntries(values);
}

/** Joins old samples with their neighbours if there are too many, so that a page can stay open for days. */
function joinOld() {
  if (samples.length <= KEPT.most) {
    return;
  }
  const old = samples.splice(0, samples.length - KEPT.recent);
  const seconds = old.reduce((sum, sample) => sum + sample.seconds, 0);
  const length = 2 ** Math.ceil(Math.log2(seconds / KEPT.old));
  const pieces = [];
  for (const sample of old) {
    const last = pieces.at(-1);
    if (last && last.seconds + sample.seconds / 2 < length) {
      pieces[pieces.length - 1] = joinedSample(last, sample);
    } else {
      pieces.push(sample);
    }
  }
  samples.unshift(...pieces);
  // It is another place by now.
  pointed = null;
}

/** More samples; those that are here already come again with a new connection. */
function take(more) {
  samples.push(...more.filter((sample) => sample.at > (samples.at(-1)?.at ?? -1)));
  joinOld();
  drawSoon();
}

/** The run is over: nothing more will come. */
function finish() {
  if (!plot) {
    return;
  }
  over = true;
  if (samples.length === 0) {
    plot.hidden = true;
    reading.textContent = "What happened second by second is not kept of this run.";
  } else {
    drawSoon();
  }
}

const plot = document.getElementById("charts");
if (plot) {
  const join = plot.dataset.join === undefined ? -1 : Number(plot.dataset.join);
  for (const figure of plot.querySelectorAll("figure")) {
    if (figure.dataset.series.includes("join.") && join < 0) {
      figure.remove();
    } else {
      charts.push(prepare(figure, join));
    }
  }
  drawSoon();
  addEventListener("resize", drawSoon);
}
