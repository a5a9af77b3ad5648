// Tables whose rows have keys: a row is made anew only when its data changed, so that focus and selection stay.

class Table {
  /**
   * @param place   the element that the table goes into; its `data-empty` is said when there are no rows
   * @param caption for those who do not see the heading
   * @param columns [{label, kind, cell(row)}]; kind: main, number, narrow, acts
   */
  constructor(place, caption, columns) {
    this.place = place;
    this.columns = columns;
    this.rows = new Map();
    this.body = element("tbody", { role: "rowgroup" });
    const heads = columns.map(({ label, kind }) => element("th", { scope: "col", role: "columnheader", class: kind },
      kind === "acts" ? element("span", { class: "unseen" }, label) : label));
    // Roles are said outright: on a narrow screen the rows are laid out as blocks, which would take them away.
    const table = element("table", { role: "table" }, element("caption", { class: "unseen" }, caption),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)), this.body);
    this.sheet = element("div", { class: "sheet", role: "group", tabindex: "0", "aria-label": caption }, table);
    this.sheet.hidden = true;
    this.nothing = element("p", { class: "empty" }, "Not known yet.");
    this.place.append(this.sheet, this.nothing);
  }

  /** Show rows: [[key, row]] in order. */
  show(rows) {
    const kept = new Map();
    let place = this.body.firstChild;
    for (const [key, row] of rows) {
      const data = JSON.stringify(row);
      const known = this.rows.get(key);
      const line = known && known.data === data ? known.line : this.line(row);
      kept.set(key, { data, line });
      if (line === place) place = place.nextSibling;
      else this.body.insertBefore(line, place);
    }
    for (const [key, { line }] of this.rows) if (kept.get(key)?.line !== line) line.remove();
    this.rows = kept;
    this.sheet.hidden = rows.length === 0;
    this.nothing.hidden = rows.length !== 0;
    this.nothing.textContent = this.place.dataset.empty || "None.";
  }

  line(row) {
    const cells = this.columns.map(({ label, kind, cell }, index) => {
      const head = index === 0;
      const made = element(head ? "th" : "td", head ? { scope: "row", role: "rowheader" } : { role: "cell" });
      made.className = kind;
      const said = cell(row);
      if (said === null || said === undefined || said === "") return made;
      if (!head && kind !== "main" && kind !== "acts") made.dataset.label = label;
      if (said === "0") made.classList.add("zero");
      made.append(said);
      return made;
    });
    return element("tr", { role: "row" }, ...cells);
  }
}
