// The page itself: what it knows, how it is shown, and the stream that it comes by.

const byId = (id) => document.getElementById(id);
const known = { readiness: null, status: null, rules: {}, now: [], held: [], failed: [], recent: [], alerts: [], trouble: null };
let heard = null; // when the daemon spoke last

const target = (effect) => (effect.summary || "").includes(effect.target?.path) ? "" : effect.target?.path;
const effect = (e) => two(link(e.summary || e.kind || e.id, "api", "effects", e.id), target(e));
const what = { label: "Effect", kind: "main", cell: effect };
const whatAndWhy = { label: "Effect", kind: "main", cell: (e) => withError(effect(e), e.error) };
const whatAndReason = { label: "Effect", kind: "main", cell: (e) => two(effect(e), e.error) };
const ident = { label: "Id", kind: "narrow", cell: (e) => e.id };
const rule = { label: "Rule", kind: "narrow", cell: (e) => e.rule };
const when = (label, field) => ({ label, kind: "narrow", cell: (e) => ago(e[field]) });
const number = (label, cell) => ({ label, kind: "number", cell: (row) => count(cell(row)) });
const pending = (e) => ["planned", "held", "waiting", "running"].reduce((sum, state) => sum + (e?.[state] || 0), 0);

const tables = {
  sites: new Table("sites", "Sites", [
    { label: "Site", kind: "main", cell: (s) => two(s.name, s.address) },
    { label: "State", kind: "narrow", cell: (s) => siteState(s) },
    { label: "Last poll", kind: "narrow", cell: (s) => ago(s.last_poll) },
    { label: "Behind", kind: "number", cell: (s) => span(s.lag_s) },
    number("Polls", (s) => s.polls),
    number("Requests", (s) => s.requests),
    number("Throttled", (s) => s.throttled),
  ]),
  now: new Table("now", "Being done now", [what, rule, when("Since", "updated"), number("Attempt", (e) => e.attempts)]),
  held: new Table("held", "Waiting for approval", [whatAndReason, ident, rule, when("Since", "created")]),
  failed: new Table("failed", "Failed effects", [whatAndWhy, ident, rule, when("When", "updated"), number("Attempts", (e) => e.attempts)]),
  alerts: new Table("alerts", "Open alerts", [
    { label: "Alert", kind: "main", cell: (a) => two(a.title, a.target?.path) },
    { label: "Severity", kind: "narrow", cell: (a) => chip(a.severity) },
    rule, when("Since", "since"), when("Last told", "last_sent"), number("Times told", (a) => a.count),
  ]),
  rules: new Table("rules", "Rules", [
    { label: "Rule", kind: "main", cell: ruleName },
    { label: "Mode", kind: "narrow", cell: (r) => chip(r.rejected ? "refused" : r.mode || "live") },
    number("Yes", (r) => r.decisions?.yes), number("No", (r) => r.decisions?.no), number("Unknown", (r) => r.decisions?.unknown),
    number("Done", (r) => r.effects?.done), number("Pending", (r) => pending(r.effects)), number("Failed", (r) => r.effects?.failed),
  ]),
  recent: new Table("recent", "Latest effects", [whatAndWhy, { label: "State", kind: "narrow", cell: effectState }, rule, when("When", "updated")]),
};

function ruleName(rule) {
  const name = two(link(rule.title || rule.id, "api", "rules", rule.id), rule.title && rule.title !== rule.id ? rule.id : "");
  return withError(name, rule.rejected || rule.last_error);
}

/** Whether a site does not answer; one that was never asked is none of these. */
const silent = (site) => Boolean(site.error || (site.ok === false && site.last_poll));

function siteState(site) {
  if (silent(site)) return chip("no answer", "bad");
  if (site.paused_s > 0) return chip(`asked to wait ${span(site.paused_s)}`, "warn");
  return site.last_poll ? chip("answers", "good") : chip("not asked yet");
}

function effectState(effect) {
  const job = effect.job_state ? element("span", { class: "sub" }, `job ${effect.job_state}`) : null;
  return element("span", {}, chip(effect.state), job);
}

const MOST = 8; // troubles that are spelled out on top

/** What needs attention: [[subject, text]]. */
function troubles() {
  const checks = known.readiness?.checks || {};
  const found = [];
  if (known.trouble) found.push(["Ledger", known.trouble]);
  else if (checks.store?.ok === false) found.push(["Ledger", checks.store.error || "cannot be reached"]);
  for (const [name, site] of Object.entries({ ...known.status?.sites, ...checks.sites })) {
    if (silent(site)) found.push([`Site ${name}`, site.error || "does not answer"]);
  }
  for (const [id, one] of Object.entries(known.rules)) if (one.rejected) found.push([`Rule ${id}`, one.rejected]);
  return found.length <= MOST ? found : [...found.slice(0, MOST), ["And", `${found.length - MOST} more; see the lists below.`]];
}

/** The one line that says how things are: [tone, line, line below]. */
function judge(found) {
  const status = known.readiness?.status;
  const failed = known.status?.effects?.failed || 0;
  const held = known.status?.held || 0;
  if (status === "starting") return ["quiet", "Starting", "Sites and rules are being read."];
  if (status === "stopping") return ["warn", "Stopping", "What is under way is being finished."];
  if (found.some(([subject]) => subject === "Ledger")) return ["bad", "The ledger cannot be used", "The daemon keeps trying; what is shown may be old."];
  if (found.length || status === "degraded") return ["warn", "Something needs attention", "The rest goes on."];
  if (failed) return ["warn", `Running, but ${count(failed)} ${failed === 1 ? "effect" : "effects"} failed`, "The reasons are below."];
  if (!Object.keys(known.rules).length) return ["quiet", "Running without rules", "No rule is loaded, so nothing is done."];
  const more = held ? ` ${count(held)} ${held === 1 ? "waits" : "wait"} for approval.` : "";
  return ["good", "All is well", (known.status?.idle ? "Nothing is due." : "At work.") + more];
}

function figures() {
  const status = known.status || {};
  const effects = status.effects || {};
  const lags = Object.values(status.sites || {}).map((site) => site.lag_s).filter(Number.isFinite);
  const rows = [
    ["Furthest behind", span(Math.max(...lags)), ""],
    ["Effects done", count(effects.done), ""],
    ["Running", count(effects.running), ""],
    ["Planned or waiting", count(effects.planned + effects.waiting), ""],
    ["For approval", count(status.held), status.held ? "warn" : ""],
    ["Failed", count(effects.failed), effects.failed ? "bad" : ""],
    ["Open alerts", count(status.alerts), status.alerts ? "warn" : ""],
    ["Targets settling", count(status.settling), ""],
  ];
  byId("figures").replaceChildren(...rows.map(([name, value, tone]) =>
    element("div", tone ? { class: tone } : {}, element("dt", {}, name), element("dd", {}, value))));
}

const SHORT = 60; // rules that are shown at once, those with trouble first
let whole = false;

function rulesShown() {
  const rows = Object.entries(known.rules).map(([id, one]) => ({ ...one, id }));
  const sift = byId("sift");
  sift.hidden = rows.length <= 12;
  const wanted = sift.hidden ? "" : sift.value.trim().toLowerCase();
  const chosen = rows.filter((one) => `${one.id} ${one.title || ""} ${one.site || ""}`.toLowerCase().includes(wanted));
  const rank = (one) => (one.rejected ? 0 : one.effects?.failed || one.last_error ? 1 : 2);
  chosen.sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const shown = whole ? chosen : chosen.slice(0, SHORT);
  byId("all").hidden = shown.length === chosen.length;
  say("sifted", sift.hidden ? "" : `${count(shown.length)} of ${count(rows.length)}`);
  tables.rules.show(shown.map((one) => [one.id, one]));
}

function say(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text; // a live region speaks only of what is new
}

function headline(tone, line, below) {
  document.body.dataset.tone = tone;
  say("headline", line);
  say("subline", below);
  document.title = `${tone === "good" || tone === "quiet" ? "" : "! "}${line} · Flyball`;
}

function show(part) {
  const keyed = (list) => (list || []).map((row) => [row.id, row]);
  if ("status" in part) {
    tables.sites.show(Object.entries(known.status?.sites || {}).map(([name, site]) => [name, { ...site, name }]));
    const { version, uptime_s: up, replicas } = known.status || {};
    say("about", [version && `version ${version}`, up !== undefined && `up ${span(up)}`, replicas > 1 && `${replicas} replicas`].filter(Boolean).join(" · "));
    figures();
  }
  if ("rules" in part) rulesShown();
  for (const name of ["now", "held", "failed", "recent", "alerts"]) if (name in part) tables[name].show(keyed(part[name]));
  for (const name of ["held", "failed"]) byId(name).parentElement.hidden = !known[name].length;
  const found = troubles();
  const data = JSON.stringify(found);
  const list = byId("troubles");
  if (list.dataset.shown !== data) {
    list.dataset.shown = data;
    list.hidden = !found.length;
    list.replaceChildren(...found.map(([subject, text]) => element("li", {}, element("strong", {}, subject), text)));
  }
  headline(...judge(found));
}

function take(part) {
  const { rules, ...rest } = part;
  Object.assign(known, rest);
  for (const [id, one] of Object.entries(rules || {})) {
    if (one === null) delete known.rules[id];
    else known.rules[id] = one;
  }
  heard = Date.now();
  document.body.classList.remove("lost");
  show(part);
}

function lost() {
  document.body.classList.add("lost");
  const last = heard ? `What is shown is from ${new Date(heard).toLocaleTimeString()}.` : "It may be starting, or stopped.";
  headline("bad", "The daemon does not answer", `${last} Trying again …`);
}

const SILENT = 45000; // milliseconds; the daemon gives a sign of life every 15 s
let stream = null;

function connect() {
  stream?.close();
  stream = new EventSource("/events/stream");
  stream.onmessage = (message) => take(JSON.parse(message.data));
  stream.onerror = async () => {
    lost();
    if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    try {
      if ((await fetch("/status", { method: "HEAD" })).status === 401) return location.reload(); // to the sign-in form
    } catch { /* still nobody there */ }
    setTimeout(connect, 3000);
  };
}

byId("sift").addEventListener("input", rulesShown);
byId("all").addEventListener("click", () => { whole = true; rulesShown(); byId("sift").focus(); });
setInterval(() => {
  tick();
  if (heard && Date.now() - heard > SILENT && stream.readyState === EventSource.OPEN) { lost(); connect(); }
}, 1000);
connect();
