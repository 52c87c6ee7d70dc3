// The right pane: the selected entry between what caused it and what it led to.

// RT apps must answer within 5 s; the real time of a turn is drawn against it.
const BUDGET_MS = 5000;

const NAMES = {
  asks: "Plivo asks", gets: "Plivo XML", tells: "Plivo tells", app: "RT turn", rest: "REST request",
  hears: "heard", does: "done", fetches: "fetched", dials: "dialled", leg: "leg", room: "room",
  records: "recording", listens: "listening", fault: "fault", expects: "expectation", ends: "end", problem: "problem",
};

function titleOf(entry) {
  switch (entry.kind) {
    case "asks": return `Callback ${entry.data.label ?? ""}`.trim();
    case "tells": return `Callback ${entry.data.name ?? ""}`.trim();
    case "app": return entry.turn === null ? "RT turn" : `RT turn ${entry.turn}`;
    default: return NAMES[entry.kind] ?? entry.kind;
  }
}

function isBad(entry) {
  const { data } = entry;
  switch (entry.kind) {
    case "expects": return data.ok === false;
    case "problem": return true;
    case "app": return Boolean(data.failure) || (data.status !== undefined && data.status !== 200);
    case "asks":
    case "tells":
    case "rest": return data.status !== undefined && !(data.status > 0 && data.status < 400);
    default: return false;
  }
}

// Changes with every request, or says what the label says.
const SAYS_LITTLE = new Set(["Event", "CallStatus", "SessionStart"]);

// What the list says about an entry, where its text says less than the page can.
function wordsOf(entry, previous) {
  if (entry.kind === "expects" && entry.data.expectation) return String(entry.data.expectation);
  if (entry.kind === "asks" && isObject(entry.data.form) && previous !== null) {
    const known = unchanged(entry, previous);
    const news = Object.entries(entry.data.form).filter(([name, value]) => value !== "" && !known.has(name) && !SAYS_LITTLE.has(name));
    if (news.length > 0) return [entry.data.label, ...news.map(([name, value]) => `${name}=${value}`)].join(" · ");
  }
  if (entry.kind !== "gets") return entry.text;
  const found = String(entry.data.xml ?? entry.detail).slice(0, 2000).match(/<(?!Response)[A-Z]\w*/g) ?? [];
  return [found.map((name) => name.slice(1)).join(", "), entry.text].filter(Boolean).join(" · ");
}

function budget(entry) {
  const share = Math.min(1, entry.ms / BUDGET_MS);
  const level = share >= 1 ? "over" : share >= 0.6 ? "near" : "well";
  // An SVG, because the page's policy allows no style attributes.
  return drawn("svg", { class: `budget ${level}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": `${milliseconds(entry.ms)} of the 5 s an app may take` },
    drawn("rect", { class: "whole", width: 100, height: 6 }),
    drawn("rect", { class: "part", width: Math.max(1, 100 * share), height: 6 }));
}

function contentOf(entry, { previous, main }) {
  const { data } = entry;
  switch (entry.kind) {
    case "gets": return [xmlCode(String(data.xml ?? entry.detail))];
    case "asks":
    case "tells": return callback(entry, previous);
    case "app": return turnContent(entry, previous, main);
    case "rest": return [
      line(`${data.method ?? ""} ${data.path ?? ""}`),
      ...part("Request", data.body),
      ...part(`Reply ${data.status ?? ""}`.trim(), data.reply),
    ];
    default: return [
      ...(Object.keys(data).length > 0 ? [form(data)] : []),
      ...(entry.detail ? [textCode(entry.detail)] : []),
    ];
  }
}

function callback(entry, previous) {
  const { data } = entry;
  const notes = [data.status ? `status ${data.status}` : "no reply"];
  if (data.attempt > 1) notes.push(`attempt ${data.attempt}`);
  if (data.reason) notes.push(String(data.reason));
  return [
    line(`${data.method ?? ""} ${data.url ?? ""}`),
    ...(data.status === undefined ? [] : [element("p", { class: isBad(entry) ? "note bad" : "note" }, visible(notes.join(" · ")))]),
    ...(isObject(data.form) ? [form(data.form, unchanged(entry, previous))] : []),
    ...(entry.detail ? [textCode(entry.detail)] : []),
  ];
}

// In its own card a turn shows all; as a cause its reply matters, as an effect its request.
function turnContent(entry, previous, main) {
  const { data } = entry;
  const reply = isObject(data.reply) ? jsonCode(data.reply) : data.body ? textCode(String(data.body)) : null;
  const status = data.status === null ? "no reply" : data.status === undefined || data.status === 200 ? "Reply" : `Reply, status ${data.status}`;
  return [
    ...(data.failure ? [element("p", { class: "note bad", dir: "auto" }, visible(String(data.failure)))] : []),
    ...(data.request === undefined ? [] : [folded("Request", main !== "cause", jsonCode(data.request, unchanged(entry, previous)))]),
    ...(reply === null ? [] : [folded(status, true, reply)]),
    ...(entry.detail ? [textCode(entry.detail)] : []),
  ];
}

// Which fields of a request are as they were in the request before it, of the same sort and call.
function unchanged(entry, previous) {
  const sent = ({ data }) => data.request ?? data.form;
  if (previous === null || !isObject(sent(entry)) || !isObject(sent(previous))) return new Set();
  const [now, before] = [sent(entry), sent(previous)];
  return new Set(Object.keys(now).filter((name) => JSON.stringify(now[name]) === JSON.stringify(before[name])));
}

function previousOnes(entries) {
  const sorts = { app: "turn", asks: "callback", tells: "callback" };
  const last = new Map();
  return new Map(entries.map((entry) => {
    const sort = `${sorts[entry.kind]} ${entry.call}`;
    const previous = last.get(sort) ?? null;
    if (entry.kind in sorts) last.set(sort, entry);
    return [entry, previous];
  }));
}

function part(title, value) {
  if (value === undefined || value === null || value === "") return [];
  return [element("h4", {}, title), typeof value === "string" ? textCode(value) : jsonCode(value)];
}

function folded(title, open, content) {
  return element("details", { open }, element("summary", {}, title), content);
}

function line(text) {
  return element("p", { class: "line" }, visible(text.trim()));
}

function rawOf(entry) {
  const { data } = entry;
  if (entry.kind === "gets") return String(data.xml ?? entry.detail);
  if (entry.kind === "asks" || entry.kind === "tells") return isObject(data.form) ? new URLSearchParams(data.form).toString() : entry.detail;
  return Object.keys(data).length > 0 ? JSON.stringify(data, null, 2) : entry.detail || entry.text;
}

function card(role, entry, context) {
  const heads = { cause: context.during ? "during" : "because of", main: "selected", effect: "led to" };
  const title = element("h3", {},
    element("span", { class: "role" }, heads[role]),
    role === "main" ? titleOf(entry) : element("button", { type: "button", class: "link", click: () => context.go(entry) }, titleOf(entry)));
  return element("article", { class: `card ${role} kind-${entry.kind}${isBad(entry) ? " bad" : ""}` },
    element("header", {}, title,
      element("span", { class: "at" }, `${entry.at.toFixed(1)} s`),
      element("button", { type: "button", class: "copy", "aria-label": `Copy ${titleOf(entry)}`, click: (event) => context.copy(event.currentTarget, rawOf(entry)) }, "Copy")),
    element("div", { class: "content" }, ...contentOf(entry, { previous: context.previous(entry), main: role })));
}

function inspect(pane, entry, context) {
  const facts = [`entry ${entry.n + 1} of ${context.count}`, `${entry.at.toFixed(3)} virtual s`];
  if (entry.call > 0) facts.push(`call ${entry.call}` + (entry.leg > 0 ? `, leg ${entry.leg}` : ""));
  if (entry.ms !== null && entry.kind !== "app") facts.push(milliseconds(entry.ms));
  const parts = [
    element("h2", { dir: "auto", id: "selected-title" }, visible(wordsOf(entry, context.previous(entry)) || titleOf(entry))),
    element("p", { class: "facts" }, facts.join(" · ")),
  ];
  if (entry.kind === "app" && entry.ms !== null) {
    parts.push(element("div", { class: "budget-line" }, budget(entry), element("span", {}, `${milliseconds(entry.ms)} of 5 s`)));
  }
  if (context.failure !== null) {
    parts.push(element("div", { class: "alert" }, element("strong", {}, "The test failed here"), context.failure ? element("pre", { dir: "auto" }, visible(context.failure)) : null));
  }
  for (const violation of context.violations) {
    parts.push(element("div", { class: `alert ${violation.severity}` }, element("strong", {}, visible(violation.code)), element("p", { dir: "auto" }, visible(violation.sentence))));
  }
  const cards = [["cause", context.cause], ["main", entry], ["effect", context.effect]].filter(([, shown]) => shown !== null);
  parts.push(element("div", { class: `cards of-${cards.length}` }, ...cards.map(([role, shown]) => card(role, shown, context))));
  pane.replaceChildren(...parts);
  pane.scrollTop = 0;
}
