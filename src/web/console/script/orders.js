// What pages of the console do besides being read: they follow what changes, draw charts, and send what
// buttons and forms say to the admin API.
"use strict";

const said = document.getElementById("said");

function say(text) {
  said.textContent = text;
}

/** The service speaks JSON, if anything; a proxy that does not reach it has pages of its own. */
function understood(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return null;
  }
}

/** What the service answers, as an object; what it refuses, as an error in its words. */
async function ask(method, path, body, type = "application/json") {
  const headers = body === undefined ? {} : { "content-type": type };
  const answer = await fetch(path, { method, headers, body, credentials: "same-origin" });
  const heard = understood(await answer.text());
  if (!answer.ok || heard === null) {
    const unknown = `${answer.status} was answered, but not by chatprobe: does it run?`;
    throw new Error([heard?.error ?? unknown, ...(heard?.problems ?? [])].join("\n"));
  }
  return heard;
}

/** What a reload changes, or would change. */
function changes(answer) {
  const words = {
    started: "Start, or start anew",
    stopped: "Stop",
    kept: "Go on as they are",
    needs_restart: "Take effect when the service is started anew",
  };
  return Object.entries(words).map(([key, word]) => {
    const line = document.createElement("li");
    line.textContent = `${word}: ${answer[key].join(", ") || "none"}`;
    return line;
  });
}

// Buttons that give an order.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-post]");
  if (!button || button.ariaDisabled || (button.dataset.confirm && !confirm(button.dataset.confirm))) {
    return;
  }
  // One that is `disabled` would lose the focus.
  button.ariaDisabled = "true";
  try {
    const answer = await ask("POST", button.dataset.post, button.dataset.body);
    const place = document.getElementById(button.dataset.show);
    if (place) {
      place.replaceChildren(...changes(answer));
    }
    say(place ? "" : `${button.textContent}: done`);
  } catch (error) {
    say(error.message);
  }
  button.ariaDisabled = null;
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

// A form that makes a baseline of a run.
document.addEventListener("submit", async (event) => {
  const run = event.target.dataset.baseline;
  if (!run) {
    return;
  }
  event.preventDefault();
  const name = event.target.elements.baseline.value.trim();
  try {
    await ask("PUT", `/api/v1/baselines/${encodeURIComponent(name)}`, JSON.stringify({ run }));
    say(`It is the baseline ${name} now`);
  } catch (error) {
    say(error.message);
  }
});
