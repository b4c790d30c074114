"use strict";

// Lines that are kept.
const MOST_LINES = 500;

const at = (id) => document.getElementById(id);
let socket = null;
let room = null;
let said = 0;
// Ids of messages of this tab begin so.
const tab = Math.random().toString(36).slice(2, 10);

function show(text, kind) {
  const line = document.createElement("li");
  line.textContent = text;
  line.className = kind;
  at("messages").append(line);
  while (at("messages").children.length > MOST_LINES) at("messages").firstChild.remove();
  line.scrollIntoView({ block: "nearest" });
}

function state(text, joined) {
  at("state").textContent = text;
  for (const id of ["text", "send", "leave"]) at(id).disabled = !joined;
}

function message(frame) {
  const own = frame.id.startsWith(tab + "-");
  show(`${frame.name}: ${frame.text}`, own ? "own" : frame.role);
}

const receivers = {
  joined(frame) {
    room = frame.room;
    at("messages").replaceChildren();
    state(`In ${frame.room} as ${frame.name}, ${frame.members} present`, true);
    send({ type: "history", room, limit: 50 });
    at("text").focus();
  },
  left() {
    room = null;
    state("Left", false);
  },
  said: message,
  history(frame) {
    frame.messages.forEach(message);
  },
  presence(frame) {
    show(frame.came ? `${frame.came} came, ${frame.members} present` : `${frame.went} went, ${frame.members} present`, "notice");
  },
  queued(frame) {
    show(`Waiting for an agent, number ${frame.position} in the queue`, "notice");
  },
  agent_joined(frame) {
    show(`${frame.agent} joined`, "notice");
  },
  agent_left(frame) {
    show(`${frame.agent} left (${frame.reason})`, "notice");
  },
  error(frame) {
    show(frame.detail, "notice");
  },
};

function send(frame) {
  socket.send(JSON.stringify(frame));
}

// Calls `then` once there is a socket.
function connected(then) {
  if (socket && socket.readyState === WebSocket.OPEN) {
    then();
    return;
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/websocket`);
  state("Connecting", false);
  socket.onopen = then;
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (Object.hasOwn(receivers, frame.type)) receivers[frame.type](frame);
  };
  socket.onclose = (event) => {
    socket = null;
    room = null;
    state(`Not connected (code ${event.code})`, false);
  };
}

function enter(frame) {
  connected(() => {
    if (room) send({ type: "leave", room });
    send(frame);
  });
}

at("join").addEventListener("submit", (event) => {
  event.preventDefault();
  enter({ type: "join", room: at("room").value, name: at("name").value, watch: true });
});

at("support").addEventListener("click", () => {
  if (at("name").reportValidity()) enter({ type: "support", name: at("name").value });
});

at("leave").addEventListener("click", () => send({ type: "leave", room }));

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value;
  if (!text || !room) return;
  said += 1;
  send({ type: "say", room, id: `${tab}-${said}`, text });
  at("text").value = "";
});
