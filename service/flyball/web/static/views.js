// One rule, one target with its whole story, one effect with its attempts.

/** Fill a place anew if its data changed, so that what is open or has the focus stays. */
function redraw(place, data, make) {
  const text = JSON.stringify([data, known.acting]);
  if (place.shownData === text) return;
  place.shownData = text;
  place.replaceChildren(...make());
}

const lasted = (milliseconds) => (milliseconds < 1000 ? `${milliseconds} ms` : span(milliseconds / 1000));

/** A rule: what it is, what it says, what it did. */
function ruleView(id) {
  const top = element("div", {}, element("p", { class: "empty" }, "Asking the daemon …"));
  const effects = new Pages("Effects of this rule", [effectWithError, stateColumn, when("When", "updated"), actsColumn], "/api/effects", { rule: id }, "It has asked for nothing yet.", 25);
  const decisions = new Pages("What it says of each target", [
    { label: "Target", kind: "main", cell: (d) => two(targetLink(d.target), becauseLine(d)) }, { label: "Says", kind: "narrow", cell: (d) => chip(d.decision) },
    when("Decided", "decided"), { label: "Why", kind: "acts", cell: (d) => link("why", "why", { rule: d.rule, target: d.target.id }) },
  ], "/api/decisions", { rule: id, current: "true" }, "It has decided on nothing yet.", 25);
  const parts = element("div", {},
    element("section", {}, element("div", { class: "head" }, element("h3", {}, "Effects"), link("all, with filters", "effects", { rule: id })), effects.place),
    element("section", {}, element("div", { class: "head" }, element("h3", {}, "What it says of each target"), link("all, with filters", "decisions", { rule: id })), decisions.place));
  const refresh = async () => {
    const rule = await get(`/api/rules/${encodeURIComponent(id)}`);
    redraw(top, rule, () => ruleTop(id, rule));
    parts.hidden = Boolean(rule.rejected && !rule.version); // refused from the start: it did nothing
    if (!parts.hidden) await Promise.all([effects.refresh(), decisions.refresh()]);
  };
  return { title: `Rule ${id}`, place: element("div", {}, heading(`Rule ${id}`), top, parts), refresh };
}

function ruleTop(id, rule) {
  const counts = (of, name, key) => Object.entries(of || {}).filter(([, number]) => number)
    .flatMap(([word, number]) => [link(`${count(number)} ${word}`, name, { rule: id, [key]: word, ...(name === "decisions" ? { current: "true" } : {}) }), " "]);
  const acting = canAct() && !rule.rejected && ["live", "approve", "shadow", "paused"].includes(rule.mode)
    ? (rule.mode === "paused"
      ? button("Resume", () => act(`${id} goes on`, "rules", id, "resume"), "strong")
      : button("Pause", () => act(`${id} is paused`, "rules", id, "pause")))
    : "";
  return [
    element("div", { class: "head" }, chip(rule.rejected ? "refused" : rule.mode), element("p", {}, rule.title && rule.title !== id ? rule.title : ""), acting, link("Why? Ask about a target", "why", { rule: id })),
    rule.rejected ? element("p", { class: "wrong" }, rule.rejected) : "",
    rule.last_error ? element("p", { class: "wrong" }, rule.last_error) : "",
    facts(["Looks at each", rule.each], ["Site", rule.site], ["Written in", rule.place], ["Version", rule.version && element("code", {}, rule.version)],
      ["Says now", element("span", {}, ...orNone(counts(rule.decisions, "decisions", "state")))],
      ["Effects", element("span", {}, ...orNone(counts(rule.effects, "effects", "state")))],
      ["Cells", rule.cells && element("span", {}, ...rule.cells.slice(0, 40).flatMap((cell) => [ruleLink(cell), " "]), rule.cells.length > 40 ? `and ${rule.cells.length - 40} more` : null)]),
  ];
}

const orNone = (parts) => (parts.length ? parts : ["none"]);

/** An effect: what, for whom, how it went, attempt by attempt. */
function effectView(id) {
  const place = element("div", {}, element("p", { class: "empty" }, "Asking the daemon …"));
  const title = heading(`Effect ${id}`);
  const tries = element("div", { "data-empty": "It was not tried yet." });
  const table = new Table(tries, "Attempts", [
    { label: "Attempt", kind: "narrow", cell: (t) => String(t.number) },
    { label: "Ended", kind: "narrow", cell: (t) => (t.outcome ? chip(t.outcome) : "under way") },
    { label: "What was said", kind: "main", cell: (t) => t.error || "—" },
    { label: "Began", kind: "narrow", cell: (t) => moment(t.started) },
    { label: "Took", kind: "number", cell: (t) => (t.ended ? lasted(new Date(t.ended) - new Date(t.started)) : "—") },
  ]);
  const refresh = async () => {
    const effect = await get(`/api/effects/${encodeURIComponent(id)}`);
    redraw(place, effect, () => effectTop(effect));
    table.show(effect.tries.map((one) => [one.number, one]));
  };
  return { title: `Effect ${id}`, place: element("div", {}, title, place, element("section", {}, element("h3", {}, "Attempts"), tries)), refresh };
}

function effectTop(effect) {
  const json = (title, value) => (value && Object.keys(value).length
    ? element("details", {}, element("summary", {}, title), element("pre", { tabindex: "0", "aria-label": title }, JSON.stringify(value, null, 2))) : "");
  return [
    element("div", { class: "head" }, effectState(effect), element("p", { class: "lead" }, effect.summary), actsOn(effect)),
    effect.error ? element("p", { class: effect.state === "failed" ? "wrong" : "note-line" }, effect.error) : "",
    facts(["Rule", ruleLink(effect.rule)], ["Target", targetLink(effect.target)], ["Kind", effect.kind], ["Site", effect.site],
      ["Asked for", moment(effect.created)], ["Last changed", moment(effect.updated)], ["Due", effect.due && moment(effect.due)],
      ["Held for", effect.held_for], ["Once-key", element("code", {}, effect.once_key)], ["Rule’s version", effect.rule_version]),
    effect.decision ? element("section", {}, element("h3", {}, "Because"), conditions(effect.decision.because)) : "",
    json("What was asked for", effect.params), json("What came of it", effect.outcome),
  ];
}

/** Conditions with their results and values. */
function conditions(because) {
  const place = element("div", { "data-empty": "It has no condition." });
  const table = new Table(place, "Conditions", [
    { label: "Condition", kind: "main", cell: (c) => element("code", {}, c.expr) },
    { label: "Result", kind: "narrow", cell: (c) => chip(c.result) },
    { label: "What was read", kind: "main", cell: (c) => readValues(c) },
  ]);
  table.show((because || []).map((one, index) => [index, one]));
  return place;
}

function readValues(condition) {
  const lines = Object.entries(condition.values || {}).map(([name, value]) => element("span", { class: "value" }, element("code", {}, name), ` = ${value === null ? "missing" : short(value)}`));
  if (condition.note) lines.push(element("span", { class: "sub" }, condition.note));
  return lines.length ? element("span", {}, ...lines) : "—";
}

/** A target: what was seen, decided, done and told, in order, newest first. */
function targetView(target) {
  const sources = ["events", "decisions", "effects", "alerts"].map((name) => new Source(name, target));
  const list = element("ol", { class: "story" });
  const trouble = element("p", { class: "wrong", role: "alert" });
  const top = element("div", { class: "head" });
  trouble.hidden = true;
  const draw = () => {
    const horizon = Math.max(...sources.map((one) => one.horizon()));
    const items = sources.flatMap((one) => one.items()).filter((one) => one.time >= horizon).sort((a, b) => b.time - a.time || a.rank - b.rank);
    redraw(list, items.map((one) => one.row), () =>
      (items.length ? items.map((one) => one.line()) : [element("li", { class: "empty" }, "Nothing is on record about it yet.")]));
    older.hidden = !sources.some((one) => one.next);
    const named = items.map((one) => one.target).find((one) => one?.path);
    if (named) redraw(top, named, () => [chip(named.level, "quiet"), element("p", { class: "lead" }, named.path), element("code", {}, named.id), link("Why? Ask a rule about it", "why", { target: named.id })]);
  };
  const older = button("Show older", async () => {
    const horizon = Math.max(...sources.map((one) => one.horizon()));
    await attempt(async () => { for (const one of sources) if (one.next && one.horizon() >= horizon) await one.more(); });
  });
  const attempt = async (read) => {
    try {
      await read();
      trouble.hidden = true;
      draw();
    } catch (error) {
      if (!(error instanceof Said)) throw error;
      trouble.textContent = error.message;
      trouble.hidden = false;
      older.hidden = true;
    }
  };
  const refresh = () => attempt(async () => { for (const one of sources) await one.refresh(); });
  return { title: "Target", place: element("div", {}, heading("Target"), top, trouble, list, element("p", { class: "older" }, older)), refresh };
}

/** One of the four lists that a target's story is woven of. */
class Source {
  constructor(name, target) {
    this.name = name;
    this.target = target;
    this.rows = new Map();
    this.next = null;
  }

  async refresh() {
    const page = await get(`/api/${this.name}`, { target: this.target, limit: PAGE });
    const known = page.results.some((row) => this.rows.has(row.id));
    if (!known) { this.rows.clear(); this.next = page.next; }
    for (const row of page.results) this.rows.set(row.id, row);
  }

  async more() {
    const page = await get(`/api/${this.name}`, { target: this.target, limit: PAGE, after: this.next });
    for (const row of page.results) this.rows.set(row.id, row);
    this.next = page.next;
  }

  /** Before this time the list is not known yet. */
  horizon() {
    return this.next ? Math.min(...this.items().map((one) => one.time)) : -Infinity;
  }

  items() {
    return [...this.rows.values()].map((row) => ({ ...STORY[this.name](row), row }));
  }
}

function told(iso, rank, target, kind, ...text) {
  const line = () => element("li", {}, element("span", { class: "at" }, moment(iso)), element("span", { class: "kind" }, kind), element("span", { class: "what" }, ...text));
  return { time: new Date(iso).getTime(), rank, target, line };
}

const STORY = {
  events: (e) => told(e.seen, 3, e.target, "seen", `${e.kind}, by ${e.source}`, element("span", { class: "sub" }, detailOf(e))),
  decisions: (d) => told(d.decided, 2, d.target, "decided", ruleLink(d.rule), " says ", chip(d.decision), " ", link("why", "why", { rule: d.rule, target: d.target.id }), element("span", { class: "sub" }, becauseLine(d))),
  effects: (e) => told(e.created, 1, e.target, "asked for", link(e.summary || e.kind, "effect", e.id), " ", effectState(e), e.error ? element("span", { class: "sub error" }, e.error) : null),
  alerts: (a) => told(a.since, 0, a.target, "alert", chip(a.severity), ` ${a.title} `, chip(a.status), element("span", { class: "sub" }, `told ${count(a.count)} ${a.count === 1 ? "time" : "times"}, by rule ${a.rule}`)),
};
