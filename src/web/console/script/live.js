// What changes: parts of the page that come once a second. What is the same stays as it is, with the focus, what is
// selected, typed, ticked or unfolded in it. A connection that is lost is taken up again, from the sample on that is
// missing.
const live = document.querySelector("[data-live]");
/** By id, each part as it was sent. */
const parts = new Map();
/** Where counts begin, for the eye: nothing goes back anywhere. */
let base = null;
/** In seconds, the wait before the next try; it grows from one to the other while none succeeds. */
const WAIT = { least: 1, most: 10 };
let wait = WAIT.least;
/**
 * In milliseconds, how often a page looks in that nobody sees, for its title: it holds no connection meanwhile, of which
 * a browser has six to a service.
 */
const UNSEEN = 10_000;
/** Ends the connection that there is. */
let stop = null;
let next = null;
/** The id of the last event that had one. */
let last = null;
/** Since when nothing comes; null while something does. */
let silent = null;

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
  return seconds >= LEAST_SECOND ? `${short(count / seconds)}/s` : "–";
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
    const name = `${row.dataset.step} stopped`;
    const cut = [...row.querySelectorAll(".reason [data-count]")].find((cell) => cell.dataset.count === name);
    const stopped = cut ? number(cut) : 0;
    const [sign, word] = failed > 0 ? ["✗", "failed"] : passed > 0 ? ["✓", "passed"]
      : stopped > 0 ? ["■", "stopped"] : ["·", ""];
    row.className = word;
    row.querySelector(".sign").textContent = sign;
    row.querySelector(".word").textContent = `: ${word || "nothing since"}`;
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

/** Makes an element like another one; what is alike in both stays. */
function morph(place, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (place.getAttribute(name) !== value) {
      place.setAttribute(name, value);
    }
  }
  for (const { name } of [...place.attributes]) {
    // What somebody unfolded stays open, and what waits for an answer goes on waiting.
    if (!wanted.hasAttribute(name) && !["open", "aria-disabled"].includes(name)) {
      place.removeAttribute(name);
    }
  }
  const keyed = new Map([...place.children].map((child) => [child.dataset?.key, child]));
  let at = place.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = child.dataset?.key;
    const same = key === undefined ? at : keyed.get(key);
    const alike = same?.nodeName === child.nodeName && same.dataset?.key === key;
    if (!alike) {
      place.insertBefore(child, at);
      continue;
    }
    if (same === at) {
      at = at.nextSibling;
    } else {
      place.insertBefore(same, at);
    }
    if (same.nodeType === Node.ELEMENT_NODE) {
      morph(same, child);
    } else if (same.nodeValue !== child.nodeValue) {
      same.nodeValue = child.nodeValue;
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

/** Puts a part in place. */
function put(place, html) {
  const sent = document.createElement("template");
  sent.innerHTML = html;
  const part = sent.content.firstElementChild;
  subtract(part);
  const had = place.contains(document.activeElement);
  parts.set(place.id, html);
  morph(place, part);
  if (had && document.activeElement === document.body) {
    // What had it is gone: the heading says what became of it.
    (live.querySelector("h1[tabindex]") ?? document.getElementById("main")).focus();
  }
}

function show(html) {
  const sent = document.createElement("template");
  sent.innerHTML = html;
  for (const part of sent.content.children) {
    const place = document.getElementById(part.id);
    if (place && parts.get(part.id) !== part.outerHTML) {
      put(place, part.outerHTML);
    }
  }
  const title = live.querySelector("[data-title]")?.dataset.title;
  if (title) {
    document.title = `${title} - chatprobe`;
  }
  live.dispatchEvent(new Event("shown"));
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

/** Says so if another configuration is in force than the one that the page was made under. */
function compareConfiguration(inForce) {
  const changed = document.getElementById("changed");
  if (inForce === live.dataset.configuration) {
    changed.replaceChildren();
    return;
  }
  const said = changed.firstChild ? [] : [`The configuration changed at ${timeOf(new Date())}. `];
  const words = {
    "shows-new": ["What you see is the new one."],
    "stays-true": ["What you see does not depend on it."],
    "is-outdated": ["This page was made of the one before: ", link(location.href, "load it anew"), "."],
  };
  changed.append(...said, ...(said.length ? words[live.dataset.afterReload] : []));
}

function hear({ kind, data, id }) {
  last = id ?? last;
  if (kind === "page") {
    show(data);
    if (document.hidden) {
      rest();
    }
  } else if (kind === "samples") {
    take(JSON.parse(data));
  } else if (kind === "over") {
    finish();
  } else if (kind === "configuration") {
    compareConfiguration(data);
  }
}

/** Holds no connection for a while. */
function rest() {
  stop?.abort();
  stop = null;
  clearTimeout(next);
  next = setTimeout(connect, UNSEEN);
}

async function connect() {
  clearTimeout(next);
  stop?.abort();
  const own = new AbortController();
  stop = own;
  let failure = null;
  try {
    await listen(live.dataset.live, last, own, (event) => {
      if (own === stop) {
        silent = null;
        wait = WAIT.least;
        hear(event);
      }
    });
  } catch (error) {
    failure = error;
  }
  if (own !== stop) {
    return;
  }
  // An end without a failure may be a restart: the next try finds out. Silence was noticed late.
  silent ??= (failure?.name === "AbortError" ? heardAt : null) ?? new Date();
  if (failure instanceof Refused) {
    isReached();
    reach.textContent = `${failure.message}\nWhat you see is not up to date; this page tries again by itself.`;
  } else if (failure) {
    isUnreachable(silent);
  }
  next = setTimeout(connect, wait * 1000);
  wait = Math.min(2 * wait, WAIT.most);
}

function follow() {
  for (const part of live.querySelectorAll("[data-part]")) {
    parts.set(part.id, part.outerHTML);
  }
  live.addEventListener("click", (event) => {
    if (event.target.closest("[data-reset]")) {
      countFromNow();
    }
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : connect()));
  connect();
}

if (live) {
  follow();
}
