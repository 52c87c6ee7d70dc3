// The sequence diagram: one strip per entry, so that it stands beside the entry and scrolls with it.

const ROW = 26;
const GAP = 18;
const MIDDLE = ROW / 2;

// People stand outside: callers on the left, whom they dialled on the right.
function lanesOf(entries) {
  const callers = new Map();
  const dialled = new Map();
  for (const entry of entries) {
    if (entry.call > 0 && !callers.has(entry.call)) callers.set(entry.call, "");
    if (entry.kind === "asks" && entry.leg === 0 && callers.get(entry.call) === "") {
      const { Direction: direction, From: from, To: to } = isObject(entry.data.form) ? entry.data.form : {};
      callers.set(entry.call, String((direction === "outbound" ? to : from) ?? ""));
    }
    const leg = dialledLeg(entry);
    if (leg > 0 && !dialled.has(`${entry.call}.${leg}`)) {
      dialled.set(`${entry.call}.${leg}`, { call: entry.call, leg, number: String(entry.data.number ?? "") });
    }
  }
  const several = callers.size > 1;
  const lanes = [...callers].map(([call, number]) => ({ key: `call ${call}`, label: several ? `call ${call}` : "caller", number, person: true }));
  lanes.push({ key: "plivo", label: "Plivo" }, { key: "bridge", label: "bridge" }, { key: "app", label: "app" });
  for (const { call, leg, number } of dialled.values()) {
    lanes.push({ key: `leg ${call}.${leg}`, label: several ? `leg ${call}.${leg}` : `leg ${leg}`, number, person: true });
  }
  const width = lanes.length <= 6 ? 52 : lanes.length <= 10 ? 44 : 34;
  lanes.forEach((lane, index) => { lane.x = Math.round(width * (index + 0.5)); });
  return { all: lanes, at: new Map(lanes.map((lane) => [lane.key, lane])), width: width * lanes.length, step: width };
}

function dialledLeg(entry) {
  const named = entry.kind === "dials" || entry.kind === "leg" ? Number(entry.data.leg) : 0;
  return named > 0 ? named : entry.leg;
}

function person(entry) {
  const leg = dialledLeg(entry);
  return leg > 0 ? `leg ${entry.call}.${leg}` : `call ${entry.call}`;
}

// Each lane's first and last row: outside of them its line is dotted.
function lives(entries, lanes) {
  const ended = new Set();
  const alive = new Map(lanes.all.map((lane) => [lane.key, lane.person ? null : [0, entries.length]]));
  entries.forEach((entry, index) => {
    for (const key of new Set([...touched(entry), ...(entry.call > 0 ? [person(entry)] : [])])) {
      if (!alive.has(key) || !lanes.at.get(key).person || ended.has(key)) continue;
      const life = alive.get(key) ?? [index, index];
      life[1] = index;
      alive.set(key, life);
    }
    if (entry.kind === "ends") ended.add(person(entry));
  });
  return alive;
}

function touched(entry) {
  const arrow = arrowOf(entry);
  return arrow === null ? [] : [arrow.from, arrow.to];
}

function arrowOf(entry) {
  switch (entry.kind) {
    case "asks":
    case "tells": return { from: "plivo", to: "bridge" };
    case "gets": return { from: "bridge", to: "plivo", reply: true };
    case "app": return { from: "bridge", to: "app", both: true };
    case "rest": return { from: "bridge", to: "plivo" };
    case "fetches": return { from: "plivo", to: "bridge", reply: true };
    case "hears": return { from: "plivo", to: person(entry) };
    case "does": return { from: person(entry), to: "plivo" };
    case "dials": return { from: "plivo", to: person(entry) };
    case "leg": return { from: person(entry), to: "plivo", reply: true };
    case "room": return entry.data.action === "exit" ? { from: "plivo", to: person(entry), reply: true } : { from: person(entry), to: "plivo", reply: true };
    case "ends": return { from: person(entry), to: "plivo", ends: true };
    default: return null;
  }
}

function strip(entry, index, lanes, alive, gap) {
  const top = gap ? GAP : 0;
  const height = top + ROW;
  const drawing = drawn("svg", { class: "strip", width: lanes.width, height, viewBox: `0 0 ${lanes.width} ${height}`, "aria-hidden": "true", focusable: "false" });
  let solid = "";
  let dotted = "";
  for (const lane of lanes.all) {
    const life = alive.get(lane.key);
    const during = life !== null && index >= life[0] && index <= life[1];
    if (gap) dotted += `M${lane.x} 0V${top}`;
    if (during) solid += `M${lane.x} ${index === life[0] && lane.person ? top + MIDDLE : top}V${index === life[1] && lane.person ? top + MIDDLE : height}`;
    else if (life !== null && index < life[0]) dotted += `M${lane.x} ${top}V${height}`;
  }
  if (dotted) drawing.append(drawn("path", { class: "life before", d: dotted }));
  if (solid) drawing.append(drawn("path", { class: "life", d: solid }));
  drawing.append(...mark(entry, lanes, top + MIDDLE));
  return drawing;
}

function mark(entry, lanes, y) {
  const plivo = lanes.at.get("plivo").x;
  const arrow = arrowOf(entry);
  if (arrow !== null) return arrowMark(arrow, lanes, y, entry.data.action);
  switch (entry.kind) {
    case "listens": return [drawn("circle", { class: "hollow", cx: plivo, cy: y, r: 3.5 })];
    case "records": return [drawn("circle", { class: "full", cx: plivo, cy: y, r: 4 })];
    case "fault": return [drawn("path", { class: "full", d: `M${plivo + 2} ${y - 8}l-7 9h5l-2 7 7-9h-5z` })];
    case "expects": return [
      drawn("path", { class: "across", d: `M18 ${y}H${lanes.width - 4}` }),
      drawn("path", { class: "tick", d: entry.data.ok ? `M4 ${y}l3 4 6-8` : `M4 ${y - 4}l8 8m0-8l-8 8` }),
    ];
    default: return [drawn("path", { class: "across", d: `M4 ${y}H${lanes.width - 4}` })];
  }
}

function arrowMark(arrow, lanes, y) {
  const from = lanes.at.get(arrow.from);
  const to = lanes.at.get(arrow.to);
  if (from === undefined || to === undefined) return [];
  const way = Math.sign(to.x - from.x);
  const head = (x, turned) => `M${x} ${y}l${-6 * turned} -3.5v7z`;
  const marks = [drawn("path", { class: arrow.reply ? "shaft dashed" : "shaft", d: `M${from.x + (arrow.both ? 6 * way : 0)} ${y}H${to.x - 6 * way}` })];
  marks.push(drawn("path", { class: arrow.reply ? "head open" : "head", d: head(to.x - way, way) }));
  if (arrow.both) marks.push(drawn("path", { class: "head", d: head(from.x + way, -way) }));
  if (arrow.ends) marks.push(drawn("path", { class: "cross", d: `M${from.x - 4} ${y - 4}l8 8m0-8l-8 8` }));
  else if (!arrow.both) marks.push(drawn("circle", { class: "foot", cx: from.x, cy: y, r: 2 }));
  return marks;
}
