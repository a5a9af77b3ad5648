// The way from an address to a view, the stream that everything live comes by, and the start.

let view = null; // the view that is open beside the overview: {title, place, refresh?, once?, focus?}
let heard = null; // when the daemon spoke last

/** The address as {parts, params}: `#/effects?state=failed` is effects with state failed. */
function whereabouts() {
  const [path, query] = location.hash.slice(1).split("?");
  const parts = path.split("/").filter(Boolean).map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { parts, params: Object.fromEntries(new URLSearchParams(query || "")) };
}

function viewAt({ parts: [name, id], params }) {
  if (name === "rule" && id) return ruleView(id);
  if (name === "effect" && id) return effectView(id);
  if (name === "target" && id) return targetView(id);
  if (name === "why") return whyView(params);
  return Object.hasOwn(lists, name || "") ? lists[name](params) : null;
}

const overviewOnly = ["rules"]; // an address that shows one part of the overview

function route(event) {
  if (location.hash && !location.hash.startsWith("#/")) return; // a place in the page, not a view
  const where = whereabouts();
  const [name] = where.parts;
  view = viewAt(where);
  const place = byId("view");
  place.hidden = !view;
  byId("overview").hidden = Boolean(view);
  byId("overview").dataset.only = !view && overviewOnly.includes(name) ? name : "";
  place.replaceChildren(...(view ? [view.place] : []));
  if (view?.refresh) refreshView();
  view?.once?.();
  const tab = { rule: "rules", effect: "effects", decisions: "rules", target: "" }[name] ?? name ?? "";
  for (const one of byId("nav").children) {
    if (one.hash === `#/${tab}` && name !== "target") one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  entitle();
  if (!event) return; // the start: focus stays where the browser put it
  window.scrollTo(0, 0);
  (view?.focus || place.querySelector(".title") || byId("main")).focus();
}

/** The window's title: trouble first, then the view. */
function entitle() {
  const tone = document.body.dataset.tone;
  const line = byId("headline").textContent;
  document.title = `${tone === "good" || tone === "quiet" ? "" : "! "}${view ? `${view.title} · ` : ""}${line} · Flyball`;
}

let refreshing = false;
let again = false;

async function refreshView() {
  if (!view?.refresh) return;
  if (refreshing) { again = true; return; }
  refreshing = true;
  const mine = view;
  try {
    await mine.refresh();
  } catch (error) {
    if (!(error instanceof Said)) throw error;
    if (mine === view) byId("view").replaceChildren(heading(mine.title), element("p", { class: "wrong", role: "alert" }, error.message), element("p", {}, link("Back to the overview")));
  } finally {
    refreshing = false;
    if (again) { again = false; refreshView(); }
  }
}

const REST = 3000; // milliseconds between two readings of the open view
let waiting = null;

/** Read the open view again in a moment; not while nobody looks. */
function refreshSoon() {
  if (!view?.refresh || waiting) return;
  waiting = setTimeout(() => { waiting = null; if (!document.hidden) refreshView(); }, REST);
}

/** Take in a message of the stream: the parts that changed. */
function take(part) {
  const { rules, at, ...rest } = part;
  Object.assign(known, rest);
  for (const [id, one] of Object.entries(rules || {})) {
    if (one === null) delete known.rules[id];
    else known.rules[id] = one;
  }
  const first = !heard;
  heard = Date.now();
  document.body.classList.remove("lost");
  byId("sign-out").hidden = known.acting !== "token";
  show(part);
  if (first && view) route(); // its suggestions and its buttons can be made now
  else if (["recent", "alerts", "rules", "held", "now"].some((name) => name in part)) refreshSoon();
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

byId("sift").addEventListener("input", () => { rulesAtOnce = SHORT; rulesShown(); });
byId("more-rules").addEventListener("click", () => { rulesAtOnce += 100; rulesShown(); });
byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
byId("jump").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = byId("jump-to").value.trim();
  if (wanted) location.hash = to("target", wanted).slice(1);
});
setInterval(() => {
  tick();
  if (heard && Date.now() - heard > SILENT && stream.readyState === EventSource.OPEN) { lost(); connect(); }
}, 1000);
window.addEventListener("hashchange", route);
listenToDialog();
route();
connect();
