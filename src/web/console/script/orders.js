// Buttons and forms that give orders. What they say is what the service answered, and not that something was sent.
/** In milliseconds, how often a run is asked for that is to be told of. */
const LOOK = 1000;
/** What was sent and is not answered yet: nothing is sent twice. */
const busy = new WeakSet();

function link(path, text) {
  const made = document.createElement("a");
  made.href = path;
  made.textContent = text;
  return made;
}

/** `3 chats`, `1 chat`. */
function chatsOf(count) {
  return count === 1 ? "1 chat" : `${count.toLocaleString("en-US")} chats`;
}

/** What a reload changes, or would change. */
function changes(answer) {
  const words = {
    started: "Start, or start anew",
    stopped: "Stop",
    kept: "Go on as they are",
    needs_restart: "Take effect when the service is started anew",
  };
  const lines = Object.entries(words).map(([key, word]) => {
    const line = document.createElement("li");
    line.textContent = `${word}: ${answer[key].join(", ") || "none"}`;
    return line;
  });
  document.getElementById("changes").replaceChildren(...lines);
}

/** How a run stands after an order, where that is not what was asked for. */
function otherwise({ state, ended_by: endedBy }) {
  if (state === "finishing" && endedBy === "threshold") {
    return "a threshold has ended it, and its chats are being ended";
  }
  const states = {
    setting_up: "the setup goes on, and it holds from the first chat on",
    finishing: "no chat starts any more in any case; those in progress finish",
    tearing_down: "its chats have ended already; the teardown goes on, and it ends by itself",
    ended: "it has ended",
  };
  return states[state] ?? `it is ${state}`;
}

/** What an order came to, by its name and what was answered: a text, or parts of one. */
const OUTCOMES = {
  "run pause": (run) =>
    run.state === "paused" ? `Paused: no chat starts, ${chatsOf(run.chats.in_progress)} in progress.` : `Paused: ${otherwise(run)}.`,
  "run resume": (run) => (run.state === "running" ? "Resumed: chats start again." : `Resumed: ${otherwise(run)}.`),
  "run stop": (run) =>
    run.state === "finishing" && run.ended_by === "operator"
      ? `Stopping: no chat starts any more, ${chatsOf(run.chats.in_progress)} in progress may finish.`
      : run.state === "setting_up"
        ? "Stopping: it ends after its setup, without a chat."
        : `Stop: ${otherwise(run)}.`,
  "run end": (run) =>
    run.state === "finishing"
      ? `Stopping now: ${chatsOf(run.chats.in_progress)} are being ended.`
      : run.state === "setting_up"
        ? "Stopping now: the setup is being ended."
        : `Stop now: ${otherwise(run)}.`,
  "probe pause": (probe) => `${probe.name}: paused${probe.running ? "; its run in progress goes on" : ""}.`,
  "probe resume": (probe) => `${probe.name}: ${probe.paused ? "still paused" : "resumed; it runs at its next slot"}.`,
  "probe run": (probe) => {
    followRun(probe.name, probe.latest_run);
    return [`${probe.name}: `, link(`/runs/${probe.latest_run}`, "its run"), " has started."];
  },
  "configuration preview": (answer) => {
    changes(answer);
    return "Nothing was changed: this is what a reload would change.";
  },
  "configuration reload": (answer) => {
    changes(answer);
    return `Reloaded: this configuration is in force since ${timeOf(new Date())}.`;
  },
};

/** Says that a run goes on, and then what it came to. */
async function followRun(name, id) {
  const tell = (text) => say(`${name}: `, link(`/runs/${id}`, "its run"), ` ${text}`);
  for (let told = false; ; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    try {
      const run = await ask("GET", `/api/v1/runs/${id}`);
      if (["ended", "interrupted"].includes(run.state)) {
        tell(`${run.verdict ?? run.state} after ${withUnit(run.elapsed_seconds, "s")}.`);
        return;
      }
      if (!told) {
        tell("is running.");
        told = true;
      }
    } catch (error) {
      if (error instanceof Refused) {
        tell(`has started, and is not known any more: ${error.message}`);
        return;
      }
    }
  }
}

/** Sends something unless it is on its way already, and says what came of it. */
async function give(from, words, send) {
  if (busy.has(from)) {
    return;
  }
  busy.add(from);
  // One that is `disabled` would lose the focus.
  from.ariaDisabled = "true";
  try {
    say(...[await send()].flat());
  } catch (error) {
    say(`${words}: ${error.message}`);
  } finally {
    busy.delete(from);
    from.ariaDisabled = null;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (!button || busy.has(button) || (button.dataset.confirm && !confirm(button.dataset.confirm))) {
    return;
  }
  const { post, body, order } = button.dataset;
  give(button, button.ariaLabel ?? button.textContent, async () => OUTCOMES[order](await ask("POST", post, body)));
});

// A form that changes the load of a run.
document.addEventListener("submit", (event) => {
  const path = event.target.dataset.patch;
  if (!path) {
    return;
  }
  event.preventDefault();
  const text = event.target.elements.change.value.trim();
  const change = /^\d+$/.test(text) ? { customers: Number(text) } : { rate: text };
  give(event.target, "Change", async () => {
    const run = await ask("PATCH", path, JSON.stringify(change));
    const waits = run.state === "paused" ? "; it is paused, and starts no chat until it is resumed" : "";
    return `Changed to ${text}${waits}.`;
  });
});

// A form that makes a baseline of a run.
document.addEventListener("submit", (event) => {
  const run = event.target.dataset.baseline;
  if (!run) {
    return;
  }
  event.preventDefault();
  const name = event.target.elements.baseline.value.trim();
  give(event.target, "Keep", async () => {
    const set = await ask("PUT", `/api/v1/baselines/${encodeURIComponent(name)}`, JSON.stringify({ run }));
    const before = set.taken_from ? [", in place of ", link(`/runs/${set.taken_from}`, "another run")] : [];
    return [`It is the baseline ${set.name} now`, ...before, "."];
  });
});
