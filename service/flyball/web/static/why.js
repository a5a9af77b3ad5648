// `why`: a rule, a target, and the decision condition by condition.

function whyView(params) {
  const rule = element("input", { id: "why-rule", list: "why-rules", required: "", autocomplete: "off", spellcheck: "false", value: params.rule || "" });
  const target = element("input", { id: "why-target", required: "", autocomplete: "off", spellcheck: "false", value: params.target || "", placeholder: "id, or group/project/subject/session/…" });
  const form = element("form", { class: "why" },
    element("span", { class: "filter" }, element("label", { for: "why-rule" }, "Rule"), rule, element("datalist", { id: "why-rules" }, ...ruleIds().slice(0, 500).map((id) => element("option", { value: id })))),
    element("span", { class: "filter grow" }, element("label", { for: "why-target" }, "Target"), target),
    element("button", { type: "submit", class: "strong" }, "Ask"));
  const result = element("div", { "aria-live": "polite" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = to("why", { rule: rule.value.trim(), target: target.value.trim() });
    if (location.hash === wanted) ask();
    else location.hash = wanted.slice(1);
  });
  const ask = async () => {
    result.replaceChildren(element("p", { class: "empty" }, "The target is read on the site …"));
    try {
      const said = await get("/api/why", { rule: rule.value.trim(), target: target.value.trim() });
      result.replaceChildren(...explained(said));
    } catch (error) {
      if (!(error instanceof Said)) throw error;
      result.replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message));
    }
  };
  const hint = params.rule && params.target ? null : element("p", { class: "soft" }, "A rule’s decision on one target, condition by condition, with the values that were read.");
  return { title: "Why", place: element("div", {}, heading("Why"), form, hint, result), once: params.rule && params.target ? ask : undefined, focus: params.rule ? target : rule };
}

const ANSWERS = { yes: "The condition holds.", no: "The condition does not hold.", unknown: "It cannot be said: something that is needed could not be read." };

function explained(said) {
  const lines = (title, items) => (items?.length ? element("section", {}, element("h3", {}, title), element("ul", { class: "lines" }, ...items.map((one) => element("li", {}, one)))) : "");
  const recorded = said.recorded;
  const same = recorded && recorded.decision === said.decision;
  return [
    element("div", { class: "head verdict" }, chip(said.decision || "not yet"), element("p", { class: "lead" }, ANSWERS[said.decision] || "The rule does not decide on it now."),
      element("span", {}, ruleLink(said.rule), " on ", targetLink(said.target))),
    lines("What holds it back", said.held_by),
    element("section", {}, element("h3", {}, "Condition by condition"), conditions(said.because)),
    said.decision === "yes" ? "" : lines("It would say yes if this were otherwise", said.would_fire_if),
    lines("It would now ask for", said.effects?.map((one) => one.summary)),
    said.made?.length ? element("section", {}, element("h3", {}, "It has asked for"), madeTable(said.made)) : "",
    recorded ? element("p", { class: "soft" }, `On record: ${recorded.decision}, decided `, moment(recorded.decided), same ? "." : "; it is different now.") : element("p", { class: "soft" }, "No decision is on record yet."),
  ];
}

function madeTable(made) {
  const place = element("div", {});
  new Table(place, "It has asked for", [effectWithError, stateColumn, when("When", "updated"), actsColumn]).show(made.map((one) => [one.id, one]));
  return place;
}
