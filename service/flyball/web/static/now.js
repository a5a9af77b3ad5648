// What is known of the daemon, and the view of the present: one honest state, then what needs people, then the rest.

const byId = (id) => document.getElementById(id);
const known = {
  readiness: null, status: null, rules: {}, now: [], held: [], failures: null, recent: [], alerts: [], weather: {},
  trouble: null, acting: null,
};

const number = (label, cell) => ({ label, kind: "number", cell: (row) => count(cell(row) || 0) });
const when = (label, field) => ({ label, kind: "narrow", cell: (row) => ago(row[field]) });
const ruleLink = (id) => (id ? link(id, "rule", id) : "—");
const targetLink = (target) => (target ? link(target.path || target.id, "target", target.id || target.path) : "—");
const pending = (e) => ["planned", "held", "waiting", "running"].reduce((total, state) => total + (e?.[state] || 0), 0);

/** An effect by its summary; its target below, when the summary does not name it. */
function effectName(effect) {
  const path = (effect.summary || "").includes(effect.target?.path) ? null : effect.target;
  return two(link(effect.summary || effect.kind || effect.id, "effect", effect.id), path && targetLink(path));
}

const effectLine = { label: "Effect", kind: "main", cell: effectName };
const effectWithError = { label: "Effect", kind: "main", cell: (e) => withReason(effectName(e), e) };

/** With what is said of its state: an error where it failed, else a reason or a note. */
function withReason(name, effect) {
  if (effect.error) name.append(element("span", { class: effect.state === "failed" ? "sub error" : "sub" }, effect.error));
  return name;
}

const ruleColumn = { label: "Rule", kind: "narrow", cell: (e) => ruleLink(e.rule) };
const stateColumn = { label: "State", kind: "narrow", cell: effectState };
const actsColumn = { label: "Act", kind: "acts", cell: actsOn };

function effectState(effect) {
  const state = effect.job_state ?? effect.outcome?.job_state;
  return element("span", {}, chip(effect.state), state ? element("span", { class: state === "failed" ? "sub error" : "sub" }, `job ${state}`) : null);
}

const alertColumns = [
  { label: "Alert", kind: "main", cell: (a) => two(a.title, a.target && targetLink(a.target)) },
  { label: "Severity", kind: "narrow", cell: (a) => chip(a.severity) },
  ruleColumn, when("Since", "since"), when("Last told", "last_sent"), number("Times told", (a) => a.count),
];

const ruleColumns = [
  { label: "Rule", kind: "main", cell: ruleName },
  { label: "Mode", kind: "narrow", cell: (r) => chip(r.rejected ? "refused" : r.mode || "live") },
  number("Yes", (r) => r.decisions?.yes), number("No", (r) => r.decisions?.no), number("Unknown", (r) => r.decisions?.unknown),
  number("Done", (r) => r.effects?.done), number("Pending", (r) => pending(r.effects)), number("Failed", (r) => r.effects?.failed),
];

function ruleName(rule) {
  const name = two(link(rule.title || rule.id, "rule", rule.id), rule.title && rule.title !== rule.id ? rule.id : "");
  return withError(name, rule.rejected || rule.last_error);
}

/** What failed and why, with one of the effects as an example. */
function failureName(group) {
  const words = { job: `${group.gear}: failed on the site`, launch: `${group.gear}: not launched` }[group.kind] || group.kind;
  const made = withError(two(words), group.reason);
  if (group.effects.length) made.append(element("span", { class: "sub" }, "for example ", link(group.targets[0] || `effect ${group.effects[0]}`, "effect", group.effects[0])));
  return made;
}

const failureColumns = [
  { label: "What failed", kind: "main", cell: failureName },
  { label: "Rules", kind: "narrow", cell: (f) => element("span", {}, ...f.rules.slice(0, 3).flatMap((id) => [ruleLink(id), " "]), f.rules.length > 3 ? `and ${f.rules.length - 3} more` : null) },
  number("Times", (f) => f.count), when("First", "first"), when("Last", "last"),
];

const tables = {
  now: new Table(byId("now"), "Being done now", [effectLine, ruleColumn, when("Since", "updated"), number("Attempt", (e) => e.attempts)]),
  held: new Table(byId("held"), "Waiting for approval", [effectWithError, { label: "Id", kind: "narrow", cell: (e) => e.id }, ruleColumn, when("Since", "created"), actsColumn]),
  failures: new Table(byId("failures"), "What failed, and why", failureColumns),
  alerts: new Table(byId("alerts"), "Open alerts", alertColumns),
  rules: new Table(byId("rules"), "Rules", ruleColumns),
  recent: new Table(byId("recent"), "Latest effects", [effectWithError, stateColumn, ruleColumn, when("When", "updated")]),
};

/** Whether a site does not answer; one that was never asked is none of these. */
const silent = (site) => Boolean(site.error || (site.ok === false && site.last_poll));
const late = (site) => !site.sweeping && site.lag_s > Math.max(300, 3 * (site.poll_every_s || 0));

function siteState(site) {
  if (silent(site)) return chip("no answer", "bad");
  if (site.paused_s > 0) return chip(`asks us to wait ${span(site.paused_s)}`, "warn");
  if (late(site)) return chip("late", "warn");
  return site.last_poll ? chip("answers", "good") : chip("not asked yet");
}

function siteCard([name, site]) {
  const weather = known.weather?.[name];
  return element("article", { class: "card", "aria-label": `Site ${name}` },
    element("div", { class: "head" }, element("h3", {}, name), siteState(site), element("span", { class: "sub" }, site.address)),
    site.error ? element("p", { class: "sub error" }, site.error) : null,
    facts(["Last poll", ago(site.last_poll)], ["Behind", span(site.lag_s)], ["Polls", count(site.polls)],
      ["Requests", count(site.requests)], ["Throttled", count(site.throttled)],
      ["Reading", site.sweeping && `all of ${site.sweeping}`]),
    weather ? element("div", { class: "charts" }, requestsChart(weather), throttledChart(weather), lagChart(weather)) : null,
    ...(site.findings || []).map((one) => element("p", { class: "sub" }, one)));
}

const RECENT = 12; // effects that were changed last, below the rest
const MOST = 8; // troubles that are spelled out on top

/** What needs attention: [[subject, text]]. */
function troubles() {
  const checks = known.readiness?.checks || {};
  const found = [];
  if (known.trouble) found.push(["Ledger", known.trouble]);
  else if (checks.store?.ok === false) found.push(["Ledger", checks.store.error || "cannot be reached"]);
  for (const [name, error] of Object.entries(checks.services || {})) found.push([`Part “${name}”`, `fails and is started again: ${error}`]);
  for (const [name, site] of Object.entries({ ...known.status?.sites, ...checks.sites })) {
    const whole = { ...known.status?.sites?.[name], ...site };
    if (silent(whole)) found.push([`Site ${name}`, whole.error || "does not answer"]);
    else if (late(whole)) found.push([`Site ${name}`, `nothing was read for ${span(whole.lag_s)}`]);
  }
  if (known.status?.heartbeat?.error) found.push(["Heartbeat", `is not heard: ${known.status.heartbeat.error}`]);
  for (const [id, one] of Object.entries(known.rules)) if (one.rejected) found.push([`Rule ${id}`, one.rejected]);
  return found.length <= MOST ? found : [...found.slice(0, MOST), ["And", `${found.length - MOST} more; see the lists below.`]];
}

/** The one line that says how things are: [tone, line, line below]. */
function judge(found) {
  const status = known.readiness?.status;
  const failed = known.status?.effects?.failed || 0;
  const { held = 0, alerts = 0, idle } = known.status || {};
  const jobs = sum((known.failures?.groups || []).filter((one) => one.kind === "job").map((one) => one.count));
  const more = [jobs && `${count(jobs)} ${jobs === 1 ? "job" : "jobs"} failed on the site.`, held && `${count(held)} ${held === 1 ? "waits" : "wait"} for approval.`, alerts && `${count(alerts)} open ${alerts === 1 ? "alert" : "alerts"}.`].filter(Boolean);
  if (status === "starting") return ["quiet", "Starting", "Sites and rules are being read."];
  if (status === "stopping") return ["warn", "Stopping", "What is under way is being finished."];
  if (found.some(([subject]) => subject === "Ledger")) return ["bad", "The ledger cannot be used", "The daemon keeps trying; what is shown may be old."];
  const sites = found.filter(([subject]) => subject.startsWith("Site"));
  if (sites.length) return ["bad", sites.length === 1 ? `${sites[0][0]} is not being read` : `${sites.length} sites are not being read`, ["The rest goes on.", ...more].join(" ")];
  if (found.length || status === "degraded") return ["warn", "Something needs attention", ["The rest goes on.", ...more].join(" ")];
  if (failed) return ["warn", `Running, but ${count(failed)} ${failed === 1 ? "effect" : "effects"} failed`, ["The reasons are below.", ...more].join(" ")];
  if (!Object.keys(known.rules).length) return ["quiet", "Running without rules", "No rule is loaded, so nothing is done."];
  return ["good", "All is well", [idle ? "Nothing is due." : "At work.", ...more].join(" ")];
}

function figures() {
  const status = known.status || {};
  const effects = status.effects || {};
  const lags = Object.values(status.sites || {}).map((site) => site.lag_s).filter(Number.isFinite);
  const due = (status.due?.looks || 0) + (status.due?.effects || 0);
  const rows = [
    ["Furthest behind", span(Math.max(...lags)), ""],
    ["Due now", count(due), "", null],
    ["Running", count(effects.running), "", { state: "running" }],
    ["Planned or waiting", count((effects.planned || 0) + (effects.waiting || 0)), "", { state: "planned,waiting" }],
    ["For approval", count(status.held), status.held ? "warn" : "", { state: "held" }],
    ["Failed", count(effects.failed), effects.failed ? "bad" : "", { state: "failed" }],
    ["Open alerts", count(status.alerts), status.alerts ? "warn" : "", "alerts"],
    ["Effects done", count(effects.done), "", { state: "done" }],
  ];
  byId("figures").replaceChildren(...rows.map(([name, value, tone, where]) =>
    element("div", tone ? { class: tone } : {}, element("dt", {}, where ? link(name, ...(where === "alerts" ? ["alerts"] : ["effects", where])) : name), element("dd", {}, value))));
}

const SHORT = 20; // rules that are shown at first, those with trouble on top
let rulesAtOnce = SHORT;

function rulesShown() {
  const rows = Object.entries(known.rules).map(([id, one]) => ({ ...one, id }));
  const sift = byId("sift");
  sift.hidden = rows.length <= 12;
  const wanted = sift.hidden ? "" : sift.value.trim().toLowerCase();
  const chosen = rows.filter((one) => `${one.id} ${one.title || ""} ${one.site || ""} ${one.mode || ""}`.toLowerCase().includes(wanted));
  const rank = (one) => (one.rejected ? 0 : one.effects?.failed || one.last_error ? 1 : one.effects?.held ? 2 : 3);
  chosen.sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const shown = chosen.slice(0, rulesAtOnce);
  byId("more-rules").hidden = shown.length === chosen.length;
  say("sifted", sift.hidden ? "" : `${count(shown.length)} of ${count(chosen.length)}${wanted ? " found" : ""}`);
  tables.rules.show(shown.map((one) => [one.id, one]));
}

function headline(tone, line, below) {
  document.body.dataset.tone = tone;
  say("headline", line);
  say("subline", below);
  entitle();
}

function show(part) {
  if ("status" in part || "weather" in part) {
    const sites = Object.entries(known.status?.sites || {});
    byId("sites").replaceChildren(...(sites.length ? sites.map(siteCard) : [element("p", { class: "empty" }, "No site is configured.")]));
  }
  if ("status" in part) {
    const { version, uptime_s: up, replicas } = known.status || {};
    say("about", [version && `version ${version}`, up !== undefined && `up ${span(up)}`, replicas > 1 && `${replicas} replicas`].filter(Boolean).join(" · "));
    figures();
  }
  if ("rules" in part) rulesShown();
  for (const name of ["now", "held", "recent", "alerts"]) if (name in part) {
    tables[name].show((part[name] || []).slice(0, name === "recent" ? RECENT : undefined).map((row) => [row.id, row]));
  }
  if ("failures" in part) tables.failures.show((known.failures?.groups || []).map((row) => [`${row.kind} ${row.gear} ${row.reason}`, row]));
  notes();
  const found = troubles();
  const data = JSON.stringify(found);
  const list = byId("troubles");
  if (list.dataset.shown !== data) {
    list.dataset.shown = data;
    list.hidden = !found.length;
    list.replaceChildren(...found.map(([subject, text]) => element("li", {}, element("strong", {}, subject), " ", text)));
  }
  headline(...judge(found));
}

/** The lines beside the headings: how much more there is, and how to act where this page cannot. */
function notes() {
  const held = known.status?.held || 0;
  const open = known.status?.alerts || 0;
  byId("held").parentElement.hidden = !known.held.length;
  byId("failures").parentElement.hidden = !known.failures?.groups.length;
  const rest = (all, shown, ...path) => (all > shown ? [`the newest ${shown} of ${count(all)}; `, link("all", ...path)] : []);
  const byHand = canAct() || !known.acting ? [] : ["Set http.token to act from here, or use ", element("code", {}, "flyball approve ID"), " and ", element("code", {}, "flyball reject ID"), ". "];
  fill("held-note", [...byHand, ...rest(held, known.held.length, "effects", { state: "held" })]);
  const more = known.failures?.more;
  fill("failures-note", [more ? `and ${count(more)} more groups; ` : null, known.status?.effects?.failed ? link("all failed effects", "effects", { state: "failed" }) : null]);
  const { silence = 0, digest = 0, group = 0 } = known.status?.messages || {};
  const kept = [[silence, "a silence"], [digest, "the digest"], [group, "their group"]].filter(([number]) => number)
    .map(([number, what]) => `${count(number)} ${number === 1 ? "message waits" : "messages wait"} for ${what}. `);
  fill("alerts-note", [...kept, ...rest(open, known.alerts.length, "alerts")]);
  silences(known.status?.silences || []);
}

/** What people want to hear nothing of for a while; the alerts stay open all the same. */
function silences(rows) {
  const place = byId("silences");
  place.hidden = !rows.length;
  redraw(place, rows, () => rows.map((one) => element("li", {}, chip("silenced"), " ",
    one.rule ? ruleLink(one.rule) : one.project, " until ", moment(one.until), `: ${one.because}`)));
}

function fill(id, parts) {
  const made = element("p", {}, ...parts);
  const place = byId(id);
  if (place.textContent !== made.textContent) place.replaceChildren(...made.childNodes);
}
