// How pages of the console reach the service: what they send, what they follow, and what they say while nobody
// answers.
"use strict";

const said = document.getElementById("said");
const reach = document.getElementById("reach");
/** In milliseconds. The service answers within 30 seconds, and a stream says something every 15. */
const MOST_TIME = 40_000;
/** Since when the service cannot be reached; null while it can. */
let unreachable = null;
/** When something was heard last on a stream. */
let heardAt = null;

/** Texts and elements. */
function say(...parts) {
  said.replaceChildren(...parts);
}

/** A time of this day, or with its day. */
function timeOf(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

function isUnreachable(since) {
  unreachable ??= since;
  const told = `chatprobe cannot be reached since ${timeOf(unreachable)}. What you see is not up to date; this page goes on by itself as soon as it can.`;
  // Said once, also to who hears it.
  if (reach.textContent !== told) {
    reach.textContent = told;
  }
}

function isReached() {
  reach.textContent = "";
  if (unreachable) {
    say(`chatprobe can be reached again. It could not from ${timeOf(unreachable)} to ${timeOf(new Date())}.`);
    unreachable = null;
  }
}

/** The service speaks JSON, if anything; a proxy that does not reach it has pages of its own. */
function understood(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return null;
  }
}

/** What the service refuses, in its words. */
class Refused extends Error {}

/** The service did not answer, but nobody or something else did. */
class Unanswered extends Error {}

/** What an answer says; throws if it is a refusal, or not of the service. */
async function heardOf(answer) {
  const heard = understood(await answer.text());
  if (heard === null) {
    throw new Unanswered(`something else answered in its place, with ${answer.status}`);
  }
  if (!answer.ok) {
    throw new Refused([heard.error ?? `${answer.status} was answered`, ...(heard.problems ?? [])].join("\n"));
  }
  return heard;
}

/** What the service answers, as an object. */
async function ask(method, path, body, type = "application/json") {
  const headers = body === undefined ? {} : { "content-type": type };
  const signal = AbortSignal.timeout(MOST_TIME);
  try {
    const answer = await fetch(path, { method, headers, body, signal, credentials: "same-origin" });
    const heard = await heardOf(answer);
    isReached();
    return heard;
  } catch (error) {
    if (error instanceof Refused) {
      isReached();
      throw error;
    }
    isUnreachable(new Date());
    const why = error instanceof Unanswered ? `: ${error.message}` : "";
    const since = `chatprobe cannot be reached since ${timeOf(unreachable)}${why}.`;
    const unknown = " Whether this was done is not known: look at it when chatprobe is back.";
    throw new Unanswered(since + (method === "GET" ? "" : unknown));
  }
}

/** An event of a stream, of its lines. */
function eventOf(lines) {
  const event = { kind: "message", data: [] };
  for (const line of lines.split("\n")) {
    const [, field, value] = line.match(/^([^:]*):? ?(.*)$/s);
    if (field === "event") {
      event.kind = value;
    } else if (field === "data") {
      event.data.push(value);
    } else if (field === "id") {
      event.id = value;
    }
  }
  return { ...event, data: event.data.join("\n") };
}

/**
 * Follows a stream of server-sent events until the service ends it. `last` is the id of the last event that is here.
 * Unlike an `EventSource`, it tells why there is no stream.
 */
async function listen(path, last, stop, hear) {
  const headers = { accept: "text/event-stream", ...(last === null ? {} : { "last-event-id": last }) };
  const signal = stop.signal;
  let silence = setTimeout(() => stop.abort(), MOST_TIME);
  try {
    const answer = await fetch(path, { headers, signal, credentials: "same-origin" });
    if (!answer.ok || !answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      await heardOf(answer);
      throw new Unanswered("something else answered in its place");
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), MOST_TIME);
      heardAt = new Date();
      isReached();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      events.filter((lines) => !lines.startsWith(":")).map(eventOf).forEach(hear);
    }
  } finally {
    clearTimeout(silence);
  }
}
