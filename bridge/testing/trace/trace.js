// The page: head, list, search, filters and keys. Text from the trace is only ever set as text.

const trace = JSON.parse(document.getElementById("trace").textContent);
const { entries } = trace;
const at = (id) => document.getElementById(id);
const list = at("list");
const search = at("search");
const inspector = at("inspector");

const lanes = lanesOf(entries);
const alive = lives(entries, lanes);
const previous = previousOnes(entries);
const state = { selected: -1, query: "", kinds: new Set(), call: 0, shown: [] };
const PAGE = 15;
// What did not come from a document, but happened while it ran.
const DURING = new Set(["expects", "fault", "problem"]);
// A pause that is worth seeing, in virtual s.
const PAUSE = 1;

const violationsAt = new Map();
for (const violation of trace.violations) {
  if (violation.entry !== null) violationsAt.set(violation.entry, [...(violationsAt.get(violation.entry) ?? []), violation]);
}
const bad = entries.map((entry, index) => isBad(entry) || (violationsAt.get(index) ?? []).some((violation) => violation.severity !== "warning"));

// --- the head ---

function fillHead() {
  document.title = `${trace.outcome}: ${trace.title}`;
  at("outcome").textContent = trace.outcome;
  at("outcome").classList.add(trace.outcome);
  at("title").textContent = visible(trace.title);
  const { counts } = trace;
  const took = Date.parse(trace.ended) - Date.parse(trace.started);
  const facts = [
    ["seed", trace.seed ?? "none"],
    ["calls", counts.calls],
    ["turns", counts.turns],
    ["callbacks", counts.requests],
    ["REST", counts.rest],
    ["expectations", counts.failed > 0 ? `${counts.passed} passed, ${counts.failed} failed` : `${counts.passed} passed`],
    ["virtual", `${counts.virtual_seconds.toFixed(1)} s`],
    ...(Number.isFinite(took) ? [["real", milliseconds(took)]] : []),
    ...(trace.started === null ? [] : [["started", trace.started.replace("T", " ").replace(/\.\d+/, "").replace("+00:00", " UTC")]]),
    ...Object.entries(trace.versions),
  ];
  at("facts").append(...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, visible(String(name))), " ", element("dd", {}, visible(String(value))))));
  at("reproduce").hidden = trace.command === "";
  at("command").textContent = visible(trace.command);
  at("copy").addEventListener("click", (event) => copy(event.currentTarget, trace.command));
  at("failure").hidden = trace.failure === "";
  const [first, ...more] = visible(trace.failure).trim().split("\n");
  at("failure-first").textContent = first;
  at("failure-text").textContent = more.join("\n");
  at("failure-text").hidden = more.length === 0;
  fillViolations();
}

function fillViolations() {
  const box = at("violations");
  const { errors, warnings } = trace.counts;
  box.hidden = trace.violations.length === 0;
  box.open = trace.violations.length <= 3;
  box.querySelector("summary").textContent = "The app broke the protocol: "
    + [errors && plural(errors, "error"), warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
  box.querySelector("ul").append(...trace.violations.map((violation) => {
    const where = violation.turn === null ? null : `turn ${violation.turn}`;
    const link = where === null ? null : violation.entry === null ? element("span", {}, where)
      : element("button", { type: "button", class: "link", click: () => reveal(violation.entry) }, where);
    return element("li", { class: violation.severity, dir: "auto" }, element("code", {}, visible(violation.code)), " ", visible(violation.sentence), " ", link);
  }));
}

async function copy(button, text) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Older browsers have no clipboard for pages from disk.
    const field = element("textarea", { class: "off-screen" });
    field.value = text;
    document.body.append(field);
    field.select();
    done = document.execCommand("copy");
    field.remove();
    button.focus();
  }
  const label = button.textContent;
  button.textContent = done ? "Copied" : "Not allowed";
  setTimeout(() => { button.textContent = label; }, 1200);
}

// --- the list ---

function waited(entry) {
  return `waited ${Number(entry.data.waited ?? 0).toFixed(1)} s`;
}

function row(entry, index) {
  const pause = index > 0 ? entry.at - entries[index - 1].at : 0;
  const gap = pause >= PAUSE;
  const failed = index === trace.marker;
  const again = index > 0 && entry.at === entries[index - 1].at;
  const classes = ["row", `kind-${entry.kind}`, gap && "gap", again && "again", bad[index] && "bad", entry.kind === "expects" && entry.data.ok && "good", failed && "marker"].filter(Boolean);
  const last = entry.kind === "expects" ? waited(entry) : entry.ms === null ? "" : milliseconds(entry.ms);
  return element("li", { id: `entry-${index}`, class: classes.join(" "), role: "option", "aria-selected": "false" },
    element("span", { class: "at" }, gap ? element("span", { class: "pause" }, `+${pause.toFixed(1)}`) : null, entry.at.toFixed(1)),
    strip(entry, index, lanes, alive, gap),
    element("span", { class: "kind" }, entry.kind),
    element("span", { class: "what", dir: "auto" },
      entry.turn === null ? null : element("span", { class: "turn" }, `turn ${entry.turn}`),
      element("bdi", { class: "words" }, visible(wordsOf(entry, previous.get(entry)).replace(/\s+/g, " ")))),
    failed ? element("strong", { class: "here" }, "failed here") : null,
    // Colour and drawing say it to those who see them.
    entry.kind === "expects" || bad[index] ? element("span", { class: "off-screen" }, bad[index] ? "failed" : "passed") : null,
    element("span", { class: "ms" }, last, entry.kind === "app" && entry.ms !== null ? budget(entry) : null));
}

function fillList() {
  at("lanes").append(...lanes.all.map((lane) =>
    element("span", { title: `${lane.label} ${lane.number ?? ""}`.trim() }, lane.label,
      lane.number ? element("small", {}, "…" + lane.number.replace(/^sip:|@.*$/g, "").slice(-4)) : null)));
  // The policy allows no style attributes; rules of the object model are allowed.
  document.documentElement.style.setProperty("--lanes", `${lanes.width}px`);
  document.documentElement.style.setProperty("--lane", `${lanes.step}px`);
  list.append(...entries.map(row));
  list.addEventListener("click", (event) => {
    const clicked = event.target.closest(".row");
    if (clicked !== null) select(Number(clicked.id.slice(6)));
  });
}

function select(index, where = "nearest") {
  if (index < 0 || index >= entries.length) return;
  const before = list.children[state.selected];
  before?.classList.remove("selected");
  before?.setAttribute("aria-selected", "false");
  state.selected = index;
  const now = list.children[index];
  now.classList.add("selected");
  now.setAttribute("aria-selected", "true");
  list.setAttribute("aria-activedescendant", now.id);
  now.scrollIntoView({ block: where, inline: "nearest" });
  const entry = entries[index];
  inspect(inspector, entry, {
    count: entries.length,
    cause: entry.cause === null ? null : entries[entry.cause],
    effect: entry.effect === null ? null : entries[entry.effect],
    failure: index === trace.marker ? trace.failure.trim() : null,
    during: DURING.has(entry.kind),
    violations: violationsAt.get(index) ?? [],
    previous: (other) => previous.get(other),
    go: (other) => reveal(entries.indexOf(other)),
    copy,
  });
  highlight();
  remember();
}

// Going to an entry that a filter hides takes the filters away.
function reveal(index) {
  if (index === null || index < 0) return;
  if (!state.shown.includes(index)) {
    clearFilters();
    apply();
  }
  select(index, "center");
  list.focus({ preventScroll: true });
}

function move(steps) {
  const { shown } = state;
  if (shown.length === 0) return;
  const here = shown.indexOf(state.selected);
  // From a hidden entry the first step goes to its nearest visible neighbour.
  const before = shown.filter((index) => index < state.selected).length;
  const target = here >= 0 ? here + steps : before + steps - (steps > 0 ? 1 : 0);
  select(shown[Math.min(Math.max(target, 0), shown.length - 1)]);
}

// --- search and filters ---

const haystacks = new Array(entries.length);

function haystack(index) {
  if (haystacks[index] === undefined) {
    const entry = entries[index];
    const parts = [entry.text, entry.kind, entry.detail, titleOf(entry), JSON.stringify(entry.data, null, 2)];
    // Escapes hide line breaks and quotes from a search, so such texts are searched as they are too.
    const add = (value) => {
      if (typeof value === "string") /["\\\n\t]/.test(value) && parts.push(value);
      else if (value !== null && typeof value === "object") Object.values(value).forEach(add);
    };
    add(entry.data);
    parts.push(...(violationsAt.get(index) ?? []).map((violation) => `${violation.code} ${violation.sentence}`));
    haystacks[index] = parts.join("\n").toLowerCase();
  }
  return haystacks[index];
}

function apply() {
  const query = state.query.trim().toLowerCase();
  state.shown = [];
  entries.forEach((entry, index) => {
    const shown = (state.kinds.size === 0 || state.kinds.has(entry.kind))
      && (state.call === 0 || entry.call === state.call || entry.call === 0)
      && (query === "" || haystack(index).includes(query));
    list.children[index].hidden = !shown;
    if (shown) state.shown.push(index);
  });
  const filtered = query !== "" || state.kinds.size > 0 || state.call !== 0;
  at("count").textContent = filtered ? `${state.shown.length} of ${plural(entries.length, "entry", "entries")}` : plural(entries.length, "entry", "entries");
  at("nothing").hidden = state.shown.length > 0 || entries.length === 0;
  for (const chip of at("kinds").children) chip.setAttribute("aria-pressed", String(state.kinds.has(chip.dataset.kind)));
  at("call").value = String(state.call);
  search.value = state.query;
  highlight();
  remember();
}

function searchFor(query) {
  state.query = query;
  apply();
  if (state.shown.length === 0) return;
  if (!state.shown.includes(state.selected)) select(state.shown[0]);
  else list.children[state.selected].scrollIntoView({ block: "nearest" });
}

function clearFilters() {
  state.query = "";
  state.kinds.clear();
  state.call = 0;
}

// Matches are marked without touching the document, where the browser can do that.
function highlight() {
  if (typeof Highlight === "undefined") return;
  const query = state.query.trim().toLowerCase();
  CSS.highlights.delete("found");
  if (query === "") return;
  const found = new Highlight();
  const places = [inspector, ...state.shown.slice(0, 2000).map((index) => list.children[index].querySelector(".words"))];
  for (const place of places) {
    const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    while (texts.nextNode() && found.size < 5000) {
      const text = texts.currentNode.data.toLowerCase();
      // Some letters change length in lower case; a wrong mark would be worse than none.
      if (text.length !== texts.currentNode.data.length) continue;
      for (let start = text.indexOf(query); start >= 0; start = text.indexOf(query, start + query.length)) {
        const range = new Range();
        range.setStart(texts.currentNode, start);
        range.setEnd(texts.currentNode, start + query.length);
        found.add(range);
      }
    }
  }
  CSS.highlights.set("found", found);
}

function fillFilters() {
  const counts = new Map();
  for (const entry of entries) counts.set(entry.kind, (counts.get(entry.kind) ?? 0) + 1);
  at("kinds").append(...Object.keys(NAMES).filter((kind) => counts.has(kind)).map((kind) =>
    element("button", { type: "button", class: `chip kind-${kind}`, "data-kind": kind, "aria-pressed": "false", click: () => {
      if (!state.kinds.delete(kind)) state.kinds.add(kind);
      searchFor(state.query);
    } }, kind, element("small", {}, String(counts.get(kind))))));
  const calls = [...new Set(entries.map((entry) => entry.call).filter((call) => call > 0))].sort((one, other) => one - other);
  at("call-filter").hidden = calls.length < 2;
  at("call").append(element("option", { value: "0" }, "all"), ...calls.map((call) =>
    element("option", { value: String(call) }, `${call} ${lanes.at.get(`call ${call}`).number}`.trim())));
  at("call").addEventListener("change", () => {
    state.call = Number(at("call").value);
    searchFor(state.query);
  });
  search.addEventListener("input", () => searchFor(search.value));
}

// --- the address keeps the view, so that a link shows the same ---

let mayRemember = false;

function remember() {
  if (!mayRemember) return;
  const view = new URLSearchParams();
  if (state.selected >= 0) view.set("entry", String(entries[state.selected].n + 1));
  if (state.query) view.set("q", state.query);
  if (state.kinds.size > 0) view.set("kinds", [...state.kinds].join(","));
  if (state.call > 0) view.set("call", String(state.call));
  try {
    history.replaceState(null, "", `#${view}`);
  } catch {
    // Some browsers limit how often, or refuse it for pages from disk; the page works without.
  }
}

function recall() {
  const view = new URLSearchParams(location.hash.slice(1));
  state.query = view.get("q") ?? "";
  state.kinds = new Set((view.get("kinds") ?? "").split(",").filter((kind) => Object.hasOwn(NAMES, kind)));
  state.call = lanes.at.has(`call ${view.get("call")}`) ? Number(view.get("call")) : 0;
  return entries.findIndex((entry) => entry.n + 1 === Number(view.get("entry")));
}

// --- keys and the divider ---

const keys = {
  j: () => move(1),
  k: () => move(-1),
  "[": () => reveal(entries[state.selected]?.cause ?? null),
  "]": () => reveal(entries[state.selected]?.effect ?? null),
  "/": () => { search.focus(); search.select(); },
  f: () => reveal(trace.marker ?? bad.indexOf(true)),
  d: () => toggleDiagram(),
  "?": () => at("help").showModal(),
};
const listKeys = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(PAGE),
  PageUp: () => move(-PAGE),
  Home: () => move(-entries.length),
  End: () => move(entries.length),
  Enter: () => inspector.focus(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  const { target } = event;
  if (target === search) {
    if (event.key === "Escape") {
      if (state.query === "") list.focus();
      else searchFor("");
    } else if (event.key === "Enter" || event.key === "ArrowDown") list.focus();
    else return;
    event.preventDefault();
    return;
  }
  if (target.matches("select, input, textarea")) return;
  if (event.key === "Escape" && inspector.contains(target)) list.focus();
  else if (target === at("divider") && event.key.startsWith("Arrow")) divide(Number(target.getAttribute("aria-valuenow")) + (event.key === "ArrowLeft" || event.key === "ArrowUp" ? -2 : 2));
  else if (event.key in keys) keys[event.key]();
  else if (event.key in listKeys && (target === list || target === document.body)) listKeys[event.key]();
  else return;
  event.preventDefault();
}

function toggleDiagram() {
  const hidden = at("viewer").classList.toggle("no-diagram");
  at("to-diagram").setAttribute("aria-pressed", String(!hidden));
}

function divide(percent) {
  const share = Math.min(80, Math.max(20, Math.round(percent)));
  at("divider").setAttribute("aria-valuenow", String(share));
  document.documentElement.style.setProperty("--left", `${share}%`);
}

function listen() {
  document.addEventListener("keydown", onKey);
  at("to-failure").hidden = trace.marker === null && !bad.includes(true);
  at("to-failure").addEventListener("click", keys.f);
  at("to-diagram").addEventListener("click", toggleDiagram);
  at("to-help").addEventListener("click", keys["?"]);
  const divider = at("divider");
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const { left, width } = at("panes").getBoundingClientRect();
    divide(100 * (event.clientX - left) / width);
  });
}

function show(byDefault) {
  const linked = recall();
  apply();
  if (entries.length > 0) select(linked >= 0 ? linked : byDefault, "center");
}

function start() {
  fillHead();
  fillList();
  fillFilters();
  listen();
  at("viewer").hidden = false;
  show(trace.marker ?? Math.max(0, bad.indexOf(true)));
  mayRemember = true;
  addEventListener("hashchange", () => show(Math.max(0, state.selected)));
  list.focus({ preventScroll: true });
}

start();
