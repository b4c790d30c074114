// What pages of the console do besides being read: they follow what changes, draw charts, and send what
// buttons and forms say to the admin API.
"use strict";

const said = document.getElementById("said");

function say(text) {
  said.textContent = text;
}

/** What the service answers, as an object; what it refuses, as an error in its words. */
async function ask(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(path, { method, headers, body, credentials: "same-origin" });
  const text = await answer.text();
  const read = text ? JSON.parse(text) : {};
  if (!answer.ok) {
    throw new Error([read.error, ...(read.problems ?? [])].join("\n"));
  }
  return read;
}

// Buttons that give an order.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-post]");
  if (!button || (button.dataset.confirm && !confirm(button.dataset.confirm))) {
    return;
  }
  button.disabled = true;
  try {
    const answer = await ask("POST", button.dataset.post, button.dataset.body);
    const place = document.getElementById(button.dataset.show);
    if (place) {
      place.textContent = JSON.stringify(answer, null, 2);
    }
    say(`${button.textContent}: done`);
  } catch (error) {
    say(error.message);
  }
  button.disabled = false;
});

// A form that changes the load of a run.
document.addEventListener("submit", async (event) => {
  const path = event.target.dataset.patch;
  if (!path) {
    return;
  }
  event.preventDefault();
  const text = event.target.elements.change.value.trim();
  const change = /^\d+$/.test(text) ? { customers: Number(text) } : { rate: text };
  try {
    await ask("PATCH", path, JSON.stringify(change));
    say(`Changed to ${text}`);
  } catch (error) {
    say(error.message);
  }
});

// Counts from a moment on, for the eye: nothing goes back anywhere.
let base = null;

function counts(root) {
  const cells = root.querySelectorAll("[data-count]");
  return new Map([...cells].map((cell) => [cell.dataset.count, cell]));
}

function number(cell) {
  return Number(cell.textContent.replaceAll(",", ""));
}

function countFromBase(root) {
  if (!base) {
    return;
  }
  for (const [name, cell] of counts(root)) {
    if (name !== "chats in progress" && base.counts.has(name)) {
      cell.textContent = (number(cell) - base.counts.get(name)).toLocaleString("en-US");
    }
  }
  const since = root.querySelector("#since");
  since.textContent = `Counts since ${base.at}; percentiles of the whole run`;
  root.querySelector("[data-reset]").textContent = "Count from the beginning";
}

let page = null;

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-reset]")) {
    return;
  }
  const live = document.querySelector("[data-live]");
  if (base) {
    base = null;
  } else {
    const now = [...counts(live)].map(([name, cell]) => [name, number(cell)]);
    base = { counts: new Map(now), at: new Date().toLocaleTimeString() };
  }
  show(live, page ?? live.innerHTML);
});

/** Puts a page in place without taking the focus or a half-written word away. */
function show(live, html) {
  const active = document.activeElement;
  const busy = live.contains(active) && ["INPUT", "SELECT", "TEXTAREA"].includes(active.tagName);
  page = html;
  if (busy) {
    return;
  }
  const focused = live.contains(active) ? [...live.querySelectorAll("a, button")].indexOf(active) : -1;
  live.innerHTML = html;
  countFromBase(live);
  if (focused >= 0) {
    live.querySelectorAll("a, button")[focused]?.focus();
  }
}

// Charts.
const SVG = "http://www.w3.org/2000/svg";
const HIGH = 176;
const EDGE = { left: 46, right: 8, top: 8, bottom: 18 };
const MOST_POINTS = 600;
const samples = [];
const charts = [];
let pointed = null;

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  parent?.append(made);
  return made;
}

/** `machine.cpu_user`, `started/s` or `join.p95` of a sample; null where there is none. */
function valueOf(sample, at, join) {
  if (at === "memory") {
    return sample.machine ? sample.machine.memory_bytes / 1e6 : null;
  }
  if (at.endsWith("/s")) {
    return sample.seconds > 0 ? sample[at.slice(0, -2)] / sample.seconds : null;
  }
  const [first, second] = at.split(".");
  const place = first === "join" ? sample.steps[join] : sample[first];
  return (second ? place?.[second] : place) ?? null;
}

function short(value) {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}

/** A number above `most` with one digit or two. */
function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most) ?? 10 * power;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function prepare(figure, join) {
  const series = figure.dataset.series.split(";").map((pair) => pair.split("="));
  const name = figure.querySelector("figcaption").textContent;
  const svg = element("svg", { role: "img", tabindex: 0 });
  figure.append(svg);
  const key = document.createElement("div");
  key.className = "key";
  series.forEach(([word], at) => {
    const entry = document.createElement("span");
    const line = element("svg", { viewBox: "0 0 32 8", "aria-hidden": true });
    element("path", { d: "M0 4H32", class: `s${at}` }, line);
    entry.append(line, ` ${word}`);
    key.append(entry);
  });
  figure.append(key);
  const chart = { svg, series, join, unit: figure.dataset.unit, name };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    point((event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right));
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined && samples.length) {
      event.preventDefault();
      const from = pointed ?? samples.length - 1;
      pointed = Math.min(Math.max(from + step, 0), samples.length - 1);
      drawAll();
    }
  });
  return chart;
}

function point(share) {
  const wanted = share * (samples.at(-1)?.at ?? 0);
  let nearest = 0;
  samples.forEach((sample, at) => {
    if (Math.abs(sample.at - wanted) < Math.abs(samples[nearest].at - wanted)) {
      nearest = at;
    }
  });
  pointed = nearest;
  drawAll();
}

function draw(chart) {
  const end = samples.at(-1)?.at || 1;
  const wide = chart.svg.clientWidth || 640;
  chart.svg.setAttribute("viewBox", `0 0 ${wide} ${HIGH}`);
  const values = chart.series.map(([, at]) => samples.map((sample) => valueOf(sample, at, chart.join)));
  const most = roundUp(Math.max(0, ...values.map((line) => line.reduce((a, b) => Math.max(a, b ?? 0), 0))));
  const x = (at) => EDGE.left + (at / end) * (wide - EDGE.left - EDGE.right);
  const y = (value) => HIGH - EDGE.bottom - (value / most) * (HIGH - EDGE.top - EDGE.bottom);
  chart.svg.replaceChildren();
  for (const share of [0, 0.5, 1]) {
    const at = y(most * share);
    element("path", { class: "grid", d: `M${EDGE.left} ${at}H${wide - EDGE.right}` }, chart.svg);
    const label = element("text", { x: EDGE.left - 4, y: at + 4, "text-anchor": "end" }, chart.svg);
    label.textContent = short(most * share) + (chart.unit === "/s" ? "/s" : "");
  }
  for (const [share, anchor] of [[0, "start"], [1, "end"]]) {
    const label = element("text", { x: x(end * share), y: HIGH - 4, "text-anchor": anchor }, chart.svg);
    label.textContent = clock(end * share);
  }
  const each = Math.max(1, Math.ceil(samples.length / MOST_POINTS));
  values.forEach((line, at) => {
    let path = "";
    let pen = "M";
    for (let i = 0; i < line.length; i += each) {
      const part = line.slice(i, i + each).filter((value) => value !== null);
      if (part.length === 0) {
        pen = "M";
        continue;
      }
      path += `${pen}${x(samples[i].at).toFixed(1)} ${y(Math.max(...part)).toFixed(1)}`;
      pen = "L";
    }
    // One point alone is a dot.
    element("path", { class: `s${at}`, d: path.includes("L") ? path : path && `${path}h2` }, chart.svg);
  });
  if (pointed !== null && samples[pointed]) {
    element("path", { class: "pointer", d: `M${x(samples[pointed].at)} ${EDGE.top}V${HIGH - EDGE.bottom}` }, chart.svg);
  }
  chart.svg.setAttribute("aria-label", `${chart.name}: ${read(chart, samples.at(-1))} at the end`);
}

function read(chart, sample) {
  const parts = chart.series.map(([word, at]) => {
    const value = sample ? valueOf(sample, at, chart.join) : null;
    return `${word} ${value === null ? "none" : `${short(value)} ${chart.unit}`.trim()}`;
  });
  return parts.join(", ");
}

function drawAll() {
  charts.forEach(draw);
  const sample = pointed === null ? null : samples[pointed];
  if (sample) {
    const readings = charts.map((chart) => `${chart.name}: ${read(chart, sample)}`);
    document.getElementById("reading").textContent = `At ${clock(sample.at)}. ${readings.join(". ")}`;
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
  drawAll();
  addEventListener("resize", drawAll);
}

// What changes: the browser connects again by itself and says which samples it has.
const live = document.querySelector("[data-live]");
if (live) {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("page", (event) => show(live, event.data));
  source.addEventListener("samples", (event) => {
    const more = JSON.parse(event.data);
    samples.push(...more.filter((sample) => sample.at > (samples.at(-1)?.at ?? -1)));
    drawAll();
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      say("The service does not answer; load the page again.");
    }
  });
  source.addEventListener("over", () => source.close());
}

// Two runs of the list beside each other; ids of later runs sort behind those of earlier ones.
const compare = document.getElementById("compare");
if (compare) {
  const chosen = () => [...compare.querySelectorAll("[name=run]:checked")].map((box) => box.value).sort();
  const button = compare.querySelector("button");
  const check = () => {
    button.disabled = chosen().length !== 2;
  };
  compare.addEventListener("change", check);
  check();
  compare.addEventListener("submit", (event) => {
    event.preventDefault();
    const [earlier, later] = chosen();
    location.assign(`/api/v1/runs/${later}/compare/${earlier}/report.html`);
  });
}

// The form for a new burst.
const form = document.getElementById("burst");
if (form) {
  const memory = `burst ${form.dataset.burst}`;
  const fields = () => [...form.elements].filter((field) => field.name);
  if (!location.search.includes("burst=")) {
    const remembered = JSON.parse(localStorage.getItem(memory) ?? "{}");
    for (const field of fields()) {
      if (field.name in remembered) {
        field.value = remembered[field.name];
      }
    }
  }
  const typed = (field) => {
    switch (field.dataset.kind) {
      case "boolean":
        return field.value === "true";
      case "number":
        return Number(field.value);
      default:
        return field.value;
    }
  };
  // YAML, which takes load and thresholds as people write them.
  const request = () => {
    const value = (name) => form.elements[name].value.trim();
    const thresholds = value("thresholds").split("\n").filter((line) => line.trim());
    const inputs = fields().filter((field) => field.name.startsWith("input.") && field.value !== "");
    const pairs = inputs.map((field) => [field.name.slice("input.".length), typed(field)]);
    const text = JSON.stringify;
    return [
      `scenario: ${text(form.dataset.burst)}`,
      `target: ${text(value("target"))}`,
      `load: ${value("load")}`,
      `inputs: ${text(Object.fromEntries(pairs))}`,
      ...(thresholds.length ? [`thresholds: [${thresholds.join(", ")}]`] : []),
    ].join("\n");
  };
  const send = async (path) => {
    const headers = { "content-type": "application/yaml" };
    const answer = await fetch(path, { method: "POST", headers, body: request(), credentials: "same-origin" });
    const read = await answer.json();
    if (!answer.ok) {
      throw new Error([read.error, ...(read.problems ?? [])].join("\n"));
    }
    return read;
  };
  const cost = document.getElementById("cost");
  const tell = (lines) => {
    cost.replaceChildren(...lines.map(([text, kind]) => {
      const line = document.createElement("p");
      line.className = kind;
      line.textContent = text;
      return line;
    }));
  };
  form.addEventListener("click", (event) => {
    const load = event.target.closest("[data-load]");
    if (load) {
      form.elements.load.value = load.dataset.load;
    }
  });
  document.getElementById("preview").addEventListener("click", async () => {
    try {
      const seen = await send("/api/v1/bursts/preview");
      const chats = seen.chats === null ? "As many chats as the target allows" : `${seen.chats.toLocaleString("en-US")} chats`;
      const most = seen.most_at_once === null ? "" : `, at most ${seen.most_at_once.toLocaleString("en-US")} at once`;
      const rate = seen.starts_per_second === null ? "" : `, up to ${short(seen.starts_per_second)} starts a second`;
      const whole = seen.chats === null ? "" : ` and about ${(seen.chats * seen.requests_of_a_chat).toLocaleString("en-US")} requests`;
      tell([
        [`${chats}${whole}${most}${rate}; starts end after ${seen.duration}.`, ""],
        ...seen.refusals.map((text) => [`It would be refused: ${text}`, "note failed"]),
        ...seen.doubts.map((text) => [`Doubtful: ${text}`, "note"]),
      ]);
    } catch (error) {
      tell([[error.message, "note failed"]]);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(fields().map((field) => [field.name, field.value]));
    localStorage.setItem(memory, JSON.stringify(values));
    try {
      const run = await send("/api/v1/bursts");
      location.assign(`/runs/${run.id}`);
    } catch (error) {
      tell([[error.message, "note failed"]]);
    }
  });
}
