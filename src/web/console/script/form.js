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
  const text = JSON.stringify;
  // A number is sent with every digit; any other text is sent as text, which the service refuses.
  const typed = ({ value, dataset: { kind } }) =>
    kind === "boolean" || (kind === "number" && /^[-+.]?[\d.][-+.\deE]*$/.test(value)) ? value : text(value);
  // YAML, which takes load and thresholds as people write them.
  const request = () => {
    const value = (name) => form.elements[name].value.trim();
    const thresholds = value("thresholds").split("\n").filter((line) => line.trim());
    const inputs = fields().filter((field) => field.name.startsWith("input.") && field.value !== "");
    const pairs = inputs.map((field) => `${text(field.name.slice("input.".length))}: ${typed(field)}`);
    const { burst, mixed } = form.dataset;
    const chats = () => [
      `scenario: ${text(burst)}`,
      `target: ${text(value("target"))}`,
      `inputs: { ${pairs.join(", ")} }`,
    ];
    return [
      ...(mixed ? [`burst: ${text(mixed)}`] : chats()),
      `load: ${value("load")}`,
      ...(thresholds.length ? [`thresholds: [${thresholds.join(", ")}]`] : []),
    ].join("\n");
  };
  const send = (path) => ask("POST", path, request(), "application/yaml");
  const cost = document.getElementById("cost");
  const tell = (lines) => {
    cost.replaceChildren(...lines.map(([text, kind]) => {
      const line = document.createElement("p");
      line.className = kind;
      line.textContent = text;
      return line;
    }));
  };
  // Of a larger number that comes as JSON the last digits are not those that were sent.
  const EXACT = Number.MAX_SAFE_INTEGER;
  const digits = (number) => {
    const text = Math.min(number, EXACT).toLocaleString("en-US");
    return number > EXACT ? `more than ${text}` : text;
  };
  const counted = (number, noun) => `${digits(number)} ${noun}${number === 1 ? "" : "s"}`;
  /** A number of requests, which may depend on answers of the target. */
  const bounds = ({ least, most }) => {
    if (least === most || least > EXACT) {
      return counted(least, "request");
    }
    if (most === null || most > EXACT) {
      return least === 0 ? "any number of requests" : `at least ${counted(least, "request")}`;
    }
    return `${least === 0 ? "up to" : `${digits(least)} to`} ${counted(most, "request")}`;
  };
  const requests = ({ requests: all, requests_of_a_chat: each }) => {
    if (all === null) {
      return ` with ${bounds(each)} each`;
    }
    return ` and ${all.least === all.most && all.least <= EXACT ? "about " : ""}${bounds(all)}`;
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
      const chats = seen.chats === null ? "As many chats as the target allows" : counted(seen.chats, "chat");
      const graceful = seen.graceful_stop === null
        ? "" : `, and chats in flight are stopped ${spaced(seen.graceful_stop)} later`;
      const most = seen.most_at_once === null ? "" : `, at most ${digits(seen.most_at_once)} at once`;
      const rate = seen.starts_per_second === null ? "" : `, up to ${short(seen.starts_per_second)} starts a second`;
      tell([
        [`${chats}${requests(seen)}${most}${rate}; starts end after ${spaced(seen.duration)}${graceful}.`, ""],
        ...seen.refusals.map((text) => [`It would be refused: ${text}`, "note failed"]),
        ...seen.warnings.map((text) => [`Warning: ${text}`, "note"]),
      ]);
    } catch (error) {
      tell([[error.message, "note failed"]]);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Twice would be two bursts.
    if (busy.has(form)) {
      return;
    }
    busy.add(form);
    const values = Object.fromEntries(fields().map((field) => [field.name, field.value]));
    localStorage.setItem(memory, JSON.stringify(values));
    try {
      const run = await send("/api/v1/bursts");
      location.assign(`/runs/${run.id}`);
    } catch (error) {
      busy.delete(form);
      tell([[error.message, "note failed"]]);
    }
  });
  // A browser that goes back may have the page as it was left.
  addEventListener("pageshow", () => busy.delete(form));
}
