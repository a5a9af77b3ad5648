"use strict";
// Words for values. Whatever comes from the daemon becomes a text node, never markup.

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const TONES = {
  done: "good", running: "busy", waiting: "quiet", planned: "quiet", held: "warn", failed: "bad",
  cancelled: "quiet", undone: "quiet", shadow: "quiet", live: "good", approve: "warn", paused: "warn",
  error: "bad", warning: "warn", info: "quiet", refused: "bad", rejected: "bad", orphaned: "warn", retired: "quiet",
  mixed: "quiet", open: "warn", resolved: "good", yes: "busy", no: "quiet", unknown: "warn", true: "good", false: "quiet",
  already: "good", transient: "warn", permanent: "bad", superseded: "quiet", critical: "bad",
};

/** An element with attributes and children; a child that is no element becomes text, null and "" become nothing. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  for (const child of children) {
    if (child === null || child === undefined || child === "") continue;
    made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

/** Seconds as people say them: 0.4 s, 12 s, 5 min, 3 h, 2 d; an em dash when unknown. */
function span(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return "—";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  const [unit, size] = UNITS.find(([, length]) => seconds >= length);
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** A whole number with separators; an em dash when unknown. */
function count(number) {
  return Number.isFinite(number) ? number.toLocaleString("en") : "—";
}

/** A point in time, shown as how long ago; kept up to date by `tick`. */
function ago(iso) {
  if (!iso) return "—";
  const when = new Date(iso);
  const made = element("time", { datetime: iso, "data-ago": "", title: when.toLocaleString() });
  made.textContent = since(when);
  return made;
}

function since(when) {
  const seconds = (Date.now() - when) / 1000;
  return seconds < 1.5 ? "just now" : `${span(Math.floor(seconds)).replace(".0", "")} ago`;
}

/** Bring all times on the page up to date. */
function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const said = since(new Date(time.dateTime));
    if (time.textContent !== said) time.textContent = said;
  }
}

/** A word with a tone; the word alone says it all. */
function chip(word, tone = TONES[word] || "quiet") {
  return element("span", { class: `chip ${tone}` }, word);
}

/** A line with a smaller one below it. */
function two(line, below) {
  const made = document.createDocumentFragment();
  made.append(line instanceof Node ? line : String(line ?? "—"));
  if (below) made.append(element("span", { class: "sub" }, below));
  return made;
}

/** Something with the error that belongs to it, if there is one. */
function withError(something, error) {
  if (error) something.append(element("span", { class: "sub error" }, error));
  return something;
}

/** The address of a view: to("rule", "bold-qc"), to("effects", { state: "failed" }). */
function to(...path) {
  const query = typeof path.at(-1) === "object" ? new URLSearchParams(path.pop()).toString() : "";
  return `#/${path.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** A link to a view. */
function link(text, ...path) {
  return element("a", { href: to(...path) }, text);
}

/** A point in time in full, for stories. */
function moment(iso) {
  if (!iso) return "—";
  const when = new Date(iso);
  return element("time", { datetime: iso, title: since(when) }, when.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
}

/** A value of a document as one short line. */
function short(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === undefined ? "—" : text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

/** Names and values, side by side; those without a value are left out. */
function facts(...pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("dl", { class: "facts" }, ...shown.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** A button that runs something, and cannot be pressed again until that has ended. */
function button(text, run, kind = "") {
  const made = element("button", { type: "button", class: kind }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try { await run(made); } finally { made.disabled = false; }
  });
  return made;
}

/** Put text into a place; a live region speaks only of what is new. */
function say(id, text) {
  const place = document.getElementById(id);
  if (place.textContent !== text) place.textContent = text;
}
