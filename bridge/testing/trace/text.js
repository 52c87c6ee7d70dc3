// Elements, and text made readable: JSON, XML and forms as coloured tokens.

// More tokens than this are not coloured: a body of 100 KB must not freeze the page.
const MOST_TOKENS = 8000;
const LONGEST_TAG = 60;
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Controls and direction overrides could make text look like something else, so they are spelt out.
function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (found) => "\\u" + found.charCodeAt(0).toString(16).padStart(4, "0"));
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function plural(count, one, many = one + "s") {
  return `${count} ${count === 1 ? one : many}`;
}

function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

// --- tokens: pairs of a class and a text ---

// `quiet` names the keys of the outermost object that did not change and step back.
function jsonTokens(value, quiet = new Set()) {
  const tokens = [];
  const write = (item, indent, faded) => {
    const put = (kind, text) => tokens.push([faded ? "quiet" : kind, text]);
    if (Array.isArray(item) || isObject(item)) {
      const [open, close] = Array.isArray(item) ? "[]" : "{}";
      const names = Object.keys(item);
      if (names.length === 0) return put("", open + close);
      put("", open + "\n");
      names.forEach((name, position) => {
        const fades = faded || (indent === "" && quiet.has(name));
        tokens.push(["", indent + "  "]);
        if (!Array.isArray(item)) tokens.push([fades ? "quiet" : "name", JSON.stringify(name)], [fades ? "quiet" : "", ": "]);
        write(item[name], indent + "  ", fades);
        tokens.push(["", position < names.length - 1 ? ",\n" : "\n"]);
      });
      return put("", indent + close);
    }
    return put(typeof item === "string" ? "string" : "literal", JSON.stringify(item));
  };
  write(value, "", false);
  return tokens;
}

// Gives null for what is not well-formed enough to be indented; it is then shown as it came.
function xmlTokens(text) {
  const part = /<!--[^]*?-->|<!\[CDATA\[[^]*?\]\]>|<\?[^]*?\?>|<\/?[^\s<>\/="']+(?:\s+[^\s<>\/="']+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*\/?>|[^<]+/y;
  const parts = [];
  while (part.lastIndex < text.length) {
    const found = part.exec(text);
    if (found === null) return null;
    parts.push(found[0]);
  }
  const tokens = [];
  let depth = 0;
  let inline = false;
  for (const [index, piece] of parts.entries()) {
    if (!piece.startsWith("<")) {
      if (piece.trim() !== "") {
        tokens.push(...quietFragment("", piece.trim()));
        inline = true;
      }
      continue;
    }
    const closes = piece.startsWith("</");
    if (closes) depth -= 1;
    if (depth < 0) return null;
    // An element that holds only text stays on one line.
    const empty = closes && parts[index - 1].startsWith("<") && !parts[index - 1].startsWith("</") && !parts[index - 1].endsWith("/>");
    if (tokens.length > 0 && !inline && !empty) tokens.push(["", "\n" + "  ".repeat(depth)]);
    inline = false;
    tagTokens(piece, "  ".repeat(depth + 1), tokens);
    if (!closes && !piece.endsWith("/>") && !/^<[!?]/.test(piece)) depth += 1;
    if (closes) inline = false;
  }
  return depth === 0 ? tokens : null;
}

function tagTokens(piece, indent, tokens) {
  if (/^<[!?]/.test(piece)) {
    tokens.push(["quiet", piece]);
    return;
  }
  const [, open, rest, close] = /^(<\/?[^\s\/>]+)([^]*?)(\/?>)$/.exec(piece);
  const attributes = rest.match(/[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*')/g) ?? [];
  const between = piece.length > LONGEST_TAG && attributes.length > 1 ? "\n" + indent : " ";
  tokens.push(["tag", open]);
  for (const attribute of attributes) {
    const split = attribute.indexOf("=");
    const value = attribute.slice(split + 1);
    tokens.push(["", between], ["name", attribute.slice(0, split)], ["", "="], ...quietFragment("string", value));
  }
  tokens.push(["tag", close]);
}

// Retry settings follow a URL as its fragment; they are configuration and step back.
function quietFragment(kind, text) {
  const [, before, fragment, after] = /^([^]*?)(#(?:ct|rt|tt|rc|rp|er)=[^"'<\s]*)?(["']?)$/.exec(text) ?? [null, text, "", ""];
  return [[kind, before], ["quiet", fragment ?? ""], [kind, after]].filter(([, part]) => part !== "");
}

// Each line is a block of its own, so that what does not fit hangs below the line's own indent.
function code(tokens) {
  const shown = element("pre", { class: "code", tabindex: "0" });
  let current = null;
  for (const [kind, text] of tokens.slice(0, MOST_TOKENS)) {
    for (const [position, piece] of text.split("\n").entries()) {
      if (position > 0 || current === null) {
        current = element("span", { class: "code-line" });
        shown.append(current);
      }
      const indent = current.hasChildNodes() ? 0 : piece.length - piece.trimStart().length;
      // The policy allows no style attributes; the object model is allowed.
      if (indent > 0) current.style.setProperty("--indent", `${Math.min(indent, 24)}ch`);
      const rest = visible(piece.slice(indent));
      if (rest !== "") current.append(kind === "" ? rest : element("span", { class: kind }, rest));
    }
  }
  if (tokens.length > MOST_TOKENS) shown.append(visible(tokens.slice(MOST_TOKENS).map(([, text]) => text).join("")));
  return shown;
}

function jsonCode(value, quiet) {
  return code(jsonTokens(value, quiet));
}

function xmlCode(text) {
  return code(xmlTokens(text) ?? [["", text]]);
}

function textCode(text) {
  return code([["", text]]);
}

// `quiet` as for JSON.
function form(fields, quiet = new Set()) {
  const names = Object.keys(fields);
  if (names.length === 0) return element("p", { class: "none" }, "an empty form");
  return element("dl", { class: "form" }, ...names.flatMap((name) =>
    [element("dt", { class: quiet.has(name) && "quiet" }, visible(name)), element("dd", { class: quiet.has(name) && "quiet", dir: "auto" }, written(fields[name]))]));
}

function written(value) {
  if (value === "") return element("span", { class: "none" }, "empty");
  if (typeof value === "number") return String(Number(value.toFixed(3)));
  return visible(typeof value === "string" ? value : JSON.stringify(value));
}
