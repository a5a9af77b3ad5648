// Long lists: page after page as people ask for more, newest first; what is new comes in at the top by itself.

const PAGE = 50;

class Pages {
  /**
   * @param caption for those who do not see the heading
   * @param columns as of Table
   * @param path    of the API's list
   * @param params  its filters
   * @param empty   what is said when there is nothing
   * @param size    rows a page
   */
  constructor(caption, columns, path, params, empty, size = PAGE) {
    this.path = path;
    this.params = { ...params, limit: size };
    this.rows = new Map();
    this.next = null;
    const inner = element("div", { "data-empty": empty });
    this.table = new Table(inner, caption, columns);
    this.older = button("Show older", () => this.more());
    this.older.hidden = true;
    this.trouble = element("p", { class: "wrong", role: "alert" });
    this.trouble.hidden = true;
    this.place = element("div", { class: "pages" }, inner, this.trouble, element("p", { class: "older" }, this.older));
  }

  /** Read the newest page; rows that were read before stay, unless there is a gap between them and the new ones. */
  async refresh() {
    await this.tryTo(async () => {
      const page = await get(this.path, this.params);
      const first = page.results.map((row) => [row.id, row]);
      const meets = !page.next || first.some(([id]) => this.rows.has(id));
      const older = meets && page.next ? [...this.rows].filter(([id]) => Number(id) < Number(first.at(-1)[0])) : [];
      if (!older.length) this.next = page.next;
      this.rows = new Map([...first, ...older]);
    });
  }

  async more() {
    await this.tryTo(async () => {
      const page = await get(this.path, { ...this.params, after: this.next });
      for (const row of page.results) this.rows.set(row.id, row);
      this.next = page.next;
    });
  }

  async tryTo(read) {
    try {
      await read();
      this.trouble.hidden = true;
    } catch (error) {
      if (!(error instanceof Said)) throw error;
      this.trouble.textContent = error.message;
      this.trouble.hidden = false;
    }
    this.older.hidden = !this.next;
    this.table.show([...this.rows]);
    if (!this.trouble.hidden && !this.rows.size) this.table.nothing.hidden = true;
  }
}

/** A field that narrows a list: a choice, or free words with suggestions. It changes the address, which is the filter. */
function filter(label, name, params, choices, free = false) {
  const id = `filter-${name}`;
  const field = free
    ? element("input", { id, type: "search", list: `${id}-known`, autocomplete: "off", value: params[name] || "" })
    : element("select", { id }, element("option", { value: "" }, "any"), ...choices.map((one) => element("option", { value: one }, one)));
  if (!free) {
    if (params[name] && !choices.includes(params[name])) field.append(element("option", { value: params[name] }, params[name].replaceAll(",", " or ")));
    field.value = params[name] || "";
  }
  field.addEventListener("change", () => {
    const { parts, params: now } = whereabouts();
    const wanted = { ...now, [name]: field.value.trim() };
    location.hash = to(...parts, Object.fromEntries(Object.entries(wanted).filter(([, value]) => value))).slice(1);
  });
  const known = free ? element("datalist", { id: `${id}-known` }, ...choices.slice(0, 500).map((one) => element("option", { value: one }))) : null;
  return element("span", { class: "filter" }, element("label", { for: id }, label), field, known);
}

const STATES = ["planned", "held", "waiting", "running", "done", "failed", "cancelled", "undone", "shadow"];
const ruleIds = () => Object.keys(known.rules).sort();
const pathColumn = (label) => ({ label, kind: "main", cell: (row) => targetLink(row.target) });

/** A view of one list of the API with its filters. */
function listed(title, path, columns, filters, params, empty) {
  const pages = new Pages(title, columns, path, params, empty);
  const place = element("div", {}, heading(title), element("div", { class: "filters", role: "search", "aria-label": `Narrow ${title.toLowerCase()}` }, ...filters), pages.place);
  return { title, place, refresh: () => pages.refresh() };
}

function heading(title, ...more) {
  return element("div", { class: "head" }, element("h2", { tabindex: "-1", class: "title" }, title), ...more);
}

const lists = {
  effects: (params) => listed("Effects", "/api/effects",
    [effectWithError, stateColumn, ruleColumn, when("When", "updated"), number("Attempts", (e) => e.attempts), actsColumn],
    [filter("State", "state", params, STATES), filter("Rule", "rule", params, ruleIds(), true), filter("Target", "target", params, [], true)],
    params, "No effect is like this."),
  alerts: (params) => listed("Alerts", "/api/alerts",
    [...alertColumns.slice(0, 1), { label: "Status", kind: "narrow", cell: (a) => chip(a.status) }, ...alertColumns.slice(1)],
    [filter("Status", "state", params, ["open", "resolved"]), filter("Rule", "rule", params, ruleIds(), true), filter("Target", "target", params, [], true)],
    params, "No alert is like this."),
  events: (params) => listed("Events", "/api/events",
    [{ label: "What was seen", kind: "main", cell: (e) => two(targetLink(e.target), detailOf(e)) }, { label: "Kind", kind: "narrow", cell: (e) => chip(e.kind, "quiet") },
      { label: "Level", kind: "narrow", cell: (e) => e.target.level }, { label: "By", kind: "narrow", cell: (e) => e.source }, { label: "Site", kind: "narrow", cell: (e) => e.site }, when("When", "seen")],
    [filter("Kind", "kind", params, ["new", "changed", "gone", "hidden", "job", "own", "webhook", "startup", "schedule"]),
      filter("By", "source", params, ["poll", "sweep", "baseline", "webhook", "startup", "schedule", "effect"]), filter("Target", "target", params, [], true)],
    params, "Nothing like this was seen."),
  decisions: (params) => listed("Decisions", "/api/decisions",
    [{ label: "Target", kind: "main", cell: (d) => two(targetLink(d.target), becauseLine(d)) }, { label: "Says", kind: "narrow", cell: (d) => chip(d.decision) },
      ruleColumn, when("Decided", "decided"), { label: "", kind: "acts", cell: (d) => link("why", "why", { rule: d.rule, target: d.target.id }) }],
    [filter("Says", "state", params, ["yes", "no", "unknown"]), filter("Rule", "rule", params, ruleIds(), true), filter("Target", "target", params, [], true)],
    params, "No decision is like this."),
};

/** What an event tells beside its kind. */
function detailOf(event) {
  return Object.entries(event.detail || {}).filter(([name, value]) => value !== null && name !== "modified" && name !== "revision")
    .map(([name, value]) => `${name} ${short(value)}`).join(", ");
}

/** The first conditions of a decision on one line. */
function becauseLine(decision) {
  const lines = decision.because || [];
  const said = lines.slice(0, 2).map((line) => `${line.expr}: ${line.note || line.result}`).join("; ");
  return lines.length > 2 ? `${said}; …` : said;
}
