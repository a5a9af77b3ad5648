// Asking the daemon, and telling it what to do. The token is kept in this script alone, until the page is left.

class Said extends Error {} // what the daemon answered, in words for people

/** The JSON of an address; throws `Said` with the daemon's own words. */
async function get(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value)).toString();
  return answer(() => fetch(query ? `${path}?${query}` : path, { headers: { Accept: "application/json" } }), true);
}

async function answer(send, reading) {
  let response;
  try {
    response = await send();
  } catch {
    throw new Said("The daemon does not answer.");
  }
  if (response.status === 401 && reading) location.reload(); // signed out: to the sign-in form
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  const error = new Said(said.error?.message || `The daemon answered ${response.status}.`);
  error.status = response.status;
  throw error;
}

const asked = {}; // how the dialog answers: { with: function } while it is open
let token = null;

/** The token: what was typed once, or what the dialog gets now; null when it is closed without one. */
function askToken(wrong) {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  document.getElementById("token-wrong").hidden = !wrong;
  field.value = "";
  return new Promise((resolve) => {
    asked.with = (value) => { asked.with = null; field.value = ""; dialog.close(); resolve(value); };
    dialog.showModal();
    field.focus();
  });
}

function listenToDialog() {
  const dialog = document.getElementById("token-dialog");
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    asked.with?.(document.getElementById("token").value.trim() || null);
  });
  document.getElementById("token-cancel").addEventListener("click", () => asked.with?.(null));
  dialog.addEventListener("cancel", () => asked.with?.(null));
}

/** Whether people can act from this page at all. */
const canAct = () => known.acting === "token" || known.acting === "free";

/** Tell the daemon: POST below /api. Says how it went; whether it was done. */
async function act(done, ...path) {
  let wrong = false;
  for (;;) {
    if (known.acting === "token" && token === null) token = await askToken(wrong);
    if (known.acting === "token" && token === null) return false;
    try {
      const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
      const address = `/api/${path.map(encodeURIComponent).join("/")}`;
      await answer(() => fetch(address, { method: "POST", headers, credentials: "omit" }), false);
      tell(done);
      refreshSoon();
      return true;
    } catch (error) {
      if (error.status === 401) { token = null; wrong = true; continue; }
      tell(error.message, "bad");
      return false;
    }
  }
}

let silence = null;

/** A line at the foot of the window, for a while. */
function tell(text, tone = "good") {
  const place = document.getElementById("told");
  place.className = `told ${tone}`;
  place.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { place.textContent = ""; }, tone === "bad" ? 15000 : 6000);
}

/** The buttons that an effect's state allows. */
function actsOn(effect) {
  if (!canAct()) return "";
  const name = effect.summary || effect.id;
  const named = (made, verb) => { made.setAttribute("aria-label", `${verb}: ${name}`); return made; };
  const one = (verb, done, kind) =>
    named(button(verb, () => act(`${done}: ${name}`, "effects", effect.id, verb.toLowerCase()), kind), verb);
  if (effect.state === "held") return element("span", { class: "acts" }, one("Approve", "Approved", "strong"), one("Reject", "Rejected"));
  if (effect.state === "failed") return element("span", { class: "acts" }, one("Retry", "Will be tried again"));
  return "";
}
