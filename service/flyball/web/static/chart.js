// Small charts of a site's last half hour, as drawings with a sentence for those who do not see them.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 32;

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function frame(samples, title, ...shapes) {
  const base = drawn("path", { class: "base", d: `M0 ${HEIGHT}H${samples}` });
  return drawn("svg", { viewBox: `0 0 ${samples} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title, class: "chart" }, base, ...shapes);
}

/** Bars on the right edge of `samples` places. */
function bars(values, samples, top, kind) {
  const start = samples - values.length;
  const shape = values.map((value, index) => {
    const high = value ? Math.max(1.5, (value / top) * HEIGHT) : 0;
    return high ? `M${start + index} ${HEIGHT}v${-high.toFixed(2)}h.8v${high.toFixed(2)}z` : "";
  }).join("");
  return drawn("path", { class: kind, d: shape });
}

const rate = (number, seconds) => {
  const each = number / seconds;
  return `${each >= 10 || each === 0 ? Math.round(each) : each.toFixed(1)}/s`;
};

const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
const SAMPLES = 180;

/** One chart with its heading: requests, those throttled and failed marked in them. */
function requestsChart(weather) {
  const { every_s: every, requests, throttled, failed } = weather;
  const most = Math.max(1, ...requests);
  const now = rate(requests.at(-1) || 0, every);
  const words = `${now} now, at most ${rate(most, every)}`;
  const title = `Requests over the last ${span(requests.length * every)}: ${words}, ${count(sum(failed))} failed`;
  return captioned("Requests", words, frame(SAMPLES, title,
    bars(requests, SAMPLES, most, "calm"), bars(failed, SAMPLES, most, "bad")));
}

function throttledChart({ every_s: every, throttled }) {
  const all = sum(throttled);
  const words = all ? `${count(all)} in ${span(throttled.length * every)}` : "none";
  return captioned("Throttled", words,
    frame(SAMPLES, `Requests that the site put off: ${words}`, bars(throttled, SAMPLES, Math.max(4, ...throttled), "warn")));
}

function lagChart({ every_s: every, lag_s: lag }) {
  const known = lag.filter(Number.isFinite);
  const worst = known.length ? Math.max(...known) : NaN;
  const words = known.length ? `at most ${span(worst)}` : "not known yet";
  const top = Math.max(60, worst || 0);
  return captioned("Behind", words,
    frame(SAMPLES, `How far behind over the last ${span(lag.length * every)}: ${words}`, bars(lag, SAMPLES, top, worst > 300 ? "warn" : "calm")));
}

function captioned(name, words, chart) {
  return element("figure", {}, element("figcaption", {}, element("b", {}, name), ` ${words}`), chart);
}
