// What changes: parts of the page that come once a second. A part that is the same stays as it is, with
// whatever is selected in it. A connection that breaks is taken up again by the browser, which says which
// samples it has, and one that is refused by this script, which gets all of them.
const live = document.querySelector("[data-live]");
/** By id, each part as it was sent. */
const parts = new Map();
/** Where counts begin, for the eye: nothing goes back anywhere. */
let base = null;
let latest = null;
/** In seconds; how long to wait grows from one to the other while a stream is refused. */
const PAUSE = { least: 2, most: 30 };
let pause = PAUSE.least;
let lost = false;

function number(cell) {
  return Number(cell.textContent.replaceAll(",", ""));
}

function elapsed() {
  return Number(live.querySelector("[data-elapsed]")?.dataset.elapsed ?? 0);
}

function percent(failed, of) {
  const share = (100 * failed) / of;
  return of === 0 ? "–" : share === 0 ? "0%" : `${share.toFixed(share < 10 ? 2 : 1)}%`;
}

function rate(count, seconds) {
  return seconds > 0 ? `${short(count / seconds)}/s` : "–";
}

/** Takes from a part what was there when counts began. */
function subtract(place) {
  if (!base) {
    return;
  }
  for (const cell of place.querySelectorAll("[data-count]")) {
    const count = number(cell) - (base.counts.get(cell.dataset.count) ?? 0);
    cell.textContent = count.toLocaleString("en-US");
    const reason = cell.closest(".reason");
    if (reason) {
      reason.hidden = count === 0;
    }
  }
  for (const row of place.querySelectorAll("[data-step]")) {
    const [passed, failed] = [...row.querySelectorAll("td[data-count]")].map(number);
    row.querySelector(".share").textContent = percent(failed, passed + failed);
    row.querySelector(".rate").textContent = rate(passed + failed, elapsed() - base.elapsed);
    const [sign, word] = failed > 0 ? ["✗", "failed"] : passed > 0 ? ["✓", "passed"] : ["·", ""];
    row.className = word;
    row.querySelector(".sign").textContent = sign;
    row.querySelector(".word").textContent = `: ${word || "nothing yet"}`;
  }
  for (const failure of place.querySelectorAll("[data-failure]")) {
    failure.hidden = base.failures.has(failure.dataset.failure);
  }
  const since = place.querySelector("#since");
  if (since) {
    since.textContent = `Counts and rates since ${base.at}; percentiles of the whole run`;
    place.querySelector("[data-reset]").textContent = "Count from the beginning";
  }
}

/** By what an element that has the focus is found again when its part is rendered anew. */
function markOf(element) {
  const attributes = ["id", "name", "href", "data-post", "aria-label"].map((name) => element.getAttribute(name));
  return element.dataset.focus ?? [element.tagName, ...attributes].join(" ");
}

function findAgain(place, mark) {
  const reachable = "a, button, input, select, textarea, summary, [tabindex]";
  return [...place.querySelectorAll(reachable)].find((element) => markOf(element) === mark);
}

/** Puts a part in place without taking the focus, a half-written word or the place in a wide table away. */
function put(place, html) {
  const active = document.activeElement;
  const mark = place.contains(active) ? markOf(active) : null;
  const sent = document.createElement("template");
  sent.innerHTML = html;
  const again = mark !== null && findAgain(sent.content, mark);
  if (again && ["INPUT", "SELECT", "TEXTAREA"].includes(active.tagName)) {
    return;
  }
  const scrolled = [...place.querySelectorAll(".wide")].map((box) => box.scrollLeft);
  parts.set(place.id, html);
  place.replaceChildren(sent.content);
  subtract(place);
  place.querySelectorAll(".wide").forEach((box, at) => {
    box.scrollLeft = scrolled[at] ?? 0;
  });
  if (again) {
    again.focus({ preventScroll: true });
  } else if (mark !== null) {
    // What had it is gone: the heading says what became of it.
    live.querySelector("h1").focus();
  }
}

function show(html) {
  latest = html;
  const sent = document.createElement("template");
  sent.innerHTML = html;
  for (const part of sent.content.children) {
    const place = document.getElementById(part.id);
    if (place && parts.get(part.id) !== part.innerHTML) {
      put(place, part.innerHTML);
    }
  }
  document.title = `${live.querySelector("h1").innerText} - chatprobe`;
}

function countFromNow() {
  if (base) {
    base = null;
  } else {
    const cells = [...live.querySelectorAll("[data-count]")];
    const failures = [...live.querySelectorAll("[data-failure]")];
    base = {
      at: new Date().toLocaleTimeString(),
      elapsed: elapsed(),
      counts: new Map(cells.map((cell) => [cell.dataset.count, number(cell)])),
      failures: new Set(failures.map((failure) => failure.dataset.failure)),
    };
  }
  for (const [id, html] of parts) {
    put(document.getElementById(id), html);
  }
}

function follow() {
  for (const part of live.querySelectorAll("[data-part]")) {
    parts.set(part.id, part.innerHTML);
  }
  live.addEventListener("click", (event) => {
    if (event.target.closest("[data-reset]")) {
      countFromNow();
    }
  });
  // What a field has held up.
  live.addEventListener("focusout", () => setTimeout(() => latest && show(latest)));
  connect();
}

function connect() {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("page", (event) => show(event.data));
  source.addEventListener("samples", (event) => take(JSON.parse(event.data)));
  source.addEventListener("open", () => {
    if (lost) {
      say("Connected again.");
    }
    lost = false;
    pause = PAUSE.least;
  });
  source.addEventListener("error", () => {
    lost = true;
    if (source.readyState !== EventSource.CLOSED) {
      say("The connection is lost; what you see is not up to date.");
      return;
    }
    // Refused, for want of a place or by a proxy while the service starts: the browser asks no more.
    say(`The service does not answer; what you see is not up to date. Trying again in ${pause} s.`);
    setTimeout(connect, pause * 1000);
    pause = Math.min(2 * pause, PAUSE.most);
  });
  source.addEventListener("over", () => {
    source.close();
    finish();
  });
}

if (live) {
  follow();
}
