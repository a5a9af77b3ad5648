"""Plots as SVG, by matplotlib: the only door to it. Imported late, in a process of its own: it costs 60 MB.

The pictures have no time stamp and no chance in them, so that equal data give equal bytes. Their colours are names of
the page's style sheet (`var(--ink)`), so that they follow its light and dark scheme: matplotlib is given stand-ins, and
these are replaced in what it writes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from flyball.reports.cells import plain
from flyball.reports.content import Bars, Figure, Histogram, Matrix, Trend
from flyball.reports.statistics import running_median

# Stand-ins: colours that nobody would choose, and what they become.
_STANDINS: Final[Mapping[str, str]] = {
    "#010101": "--ink",
    "#010102": "--soft",
    "#010103": "--line",
    "#010104": "--sheet",
    "#010111": "--c1",
    "#010112": "--c2",
    "#010113": "--c3",
    "#010114": "--c4",
    "#010115": "--c5",
    "#010116": "--c6",
    "#010121": "--good",
    "#010122": "--warn",
    "#010123": "--bad",
    "#010124": "--busy",
    "#010125": "--mute",
}
_COLOURS: Final = {name.removeprefix("--"): standin for standin, name in _STANDINS.items()}
_GROUPS: Final = tuple(_COLOURS[f"c{number}"] for number in range(1, 7))
_TONES: Final = {tone: _COLOURS[tone] for tone in ("good", "warn", "bad", "busy")} | {
    "": _COLOURS["c1"],
    "faint": _COLOURS["c6"],
}
_WIDTH: Final = 4.6  # inches: still readable where a phone shows it at three quarters
_AGES: Final = 4e9  # seconds either side of 1970: a time beyond is a mistake
_RUNNING: Final = 20  # times or more, for a running median
_MANY: Final = 1500  # points; more are drawn as a picture inside of the picture
_SQUARES: Final = (260, 160)  # of two pixels, across such a picture and up
_ARROWS: Final = 200  # of one direction
_DAY: Final = 86_400  # seconds; matplotlib counts days since 1970
_WEEK: Final = 7
_ROWS_NAMED: Final = 45
_SHORT: Final = 20  # characters of a label beside which something else needs room
_FILLED: Final = to_rgba("#3f7fbf")
_TWICE: Final = to_rgba("#d98324")
_SETTINGS: Final[Any] = {
    "svg.hashsalt": "flyball",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.edgecolor": _COLOURS["line"],
    "axes.labelcolor": _COLOURS["soft"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": _COLOURS["ink"],
    "xtick.color": _COLOURS["line"],
    "ytick.color": _COLOURS["line"],
    "xtick.labelcolor": _COLOURS["ink"],
    "ytick.labelcolor": _COLOURS["ink"],
    "grid.color": _COLOURS["line"],
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


def svg(figure: Figure, number: int) -> str:
    """A figure as an SVG element that may stand in a page.

    Args:
        figure: what to draw.
        number: of the figure on its page; keeps the names inside of it apart from other figures'.
    """
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels in scripts that the measuring font lacks: the browser has others
        canvas = _draw(figure)
        out = io.StringIO()
        canvas.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}, dpi=150)
    return _for_page(out.getvalue(), figure, number)


def _draw(figure: Figure) -> Canvas:
    plot = figure.plot
    match plot:
        case Histogram():
            canvas, axes = _canvas(2.7)
            _histogram(axes, plot)
            if len(plot.groups) > 1:
                canvas.legend(loc="outside upper left", ncols=3, handlelength=1, columnspacing=1)
        case Bars():
            canvas, axes = _canvas(0.75 + 0.29 * max(len(plot.values), 1))
            _bars(axes, plot)
        case Trend():
            canvas = _trend(plot)
        case Matrix():
            canvas = _matrix(plot)
    return canvas


def _canvas(height: float, width: float = _WIDTH) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(width, height), layout="constrained")
    return canvas, canvas.add_subplot()


def _histogram(axes: Axes, plot: Histogram) -> None:
    values = [list(some) for some in plot.groups.values()]
    everything = [value for some in values for value in some]
    edges = _edges(everything)
    colours = [_GROUPS[index % len(_GROUPS)] for index in range(len(values))]
    axes.hist(
        values,
        bins=edges,
        stacked=True,
        color=colours,
        label=[_label(name, _SHORT) for name in plot.groups],
        rwidth=0.92,
    )
    axes.set_xlabel(plot.label)
    axes.set_ylabel("subjects")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _edges(values: Sequence[float]) -> Any:
    """Edges of bars: whole years where ages spread over some, at most 30 bars."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        return np.array([low - 0.5, low + 0.5])
    step = next((one for one in (1, 2, 5, 10) if (high - low) / one <= 30 and high - low >= 4 * one), None)
    if step is None:
        return np.linspace(low, high, 13)
    first = np.floor(low / step) * step
    return np.arange(first, high + step, step)


def _bars(axes: Axes, plot: Bars) -> None:
    names, counts = list(plot.values), list(plot.values.values())
    places = range(len(names))
    most = plot.most or max([1, *counts])
    axes.barh(places, [most] * len(names), color=_COLOURS["mute"], height=0.66)
    colours = [_TONES[plot.tones.get(name, "")] for name in names]
    if plot.grouped:
        colours = [_GROUPS[index % len(_GROUPS)] for index in range(len(names))]
    axes.barh(places, counts, color=colours, height=0.66)
    for place, count in zip(places, counts, strict=True):
        axes.annotate(f"{count:,}", (most, place), (4, 0), textcoords="offset points", va="center", fontsize=9.5)
    axes.set_yticks(list(places), [_label(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, most * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel(plot.label)
    axes.spines["left"].set_visible(False)


def _trend(plot: Trend) -> Canvas:
    canvas = Canvas(figsize=(_WIDTH, 2.6), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True, width_ratios=[4, 1])
    groups: dict[str, list[Any]] = {}
    for point in plot.points:
        groups.setdefault(point.group, []).append(point)
    values = [point.value for point in plot.points]
    low, high = _window(values, [*plot.lines.values()])
    order = sorted(groups, key=lambda name: (-len(groups[name]), name))
    for index, name in enumerate(order):
        dated = [point for point in groups[name] if point.time is not None and abs(point.time) < _AGES]
        _scatter(
            left, dated, _GROUPS[min(index, 5)], name if index < 5 else "others" if index == 5 else None, (low, high)
        )
    for word, limit in plot.lines.items():
        for axes in (left, right):
            axes.axhline(limit, color=_TONES["bad" if word == "fail" else "warn"], linewidth=1, linestyle=(0, (4, 3)))
    _middle(left, plot, values)
    bars = min(25, 9 + len(values) // 10)
    stacks = [[min(max(point.value, low), high) for point in groups[name]] for name in order[:5]]
    rest = [min(max(point.value, low), high) for name in order[5:] for point in groups[name]]
    stacks += [rest] if rest else []
    right.hist(
        stacks,
        bins=np.linspace(low, high, bars),
        orientation="horizontal",
        stacked=True,
        color=list(_GROUPS[: len(stacks)]),
    )
    right.spines[["bottom", "left"]].set_visible(False)
    right.set_xticks([])
    right.tick_params(axis="y", length=0)
    left.set_ylabel(plot.label)
    left.set_ylim(low, high)
    locator = AutoDateLocator(minticks=2, maxticks=5)  # type: ignore[no-untyped-call] # matplotlib's
    left.xaxis.set_major_locator(locator)
    left.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # likewise
    left.grid(axis="y", linewidth=0.5)
    left.set_axisbelow(True)
    days = {point.time / _DAY for point in plot.points if point.time is not None and abs(point.time) < _AGES}
    if not days:
        left.set_xticks([], [])  # with labels of its own: the formatter of dates fails on none
    elif len(days) == 1:  # else the axis would show years
        left.set_xlim(min(days) - _WEEK, min(days) + _WEEK)
    if len(order) > 1:
        canvas.legend(loc="outside upper left", ncols=2, handletextpad=0.2, columnspacing=1)
    return canvas


def _middle(axes: Axes, plot: Trend, values: Sequence[float]) -> None:
    """The running median, so that a drift shows; where there are few scans, the median of all."""
    dated = [(point.time, point.value) for point in plot.points if point.time is not None and abs(point.time) < _AGES]
    running = running_median(dated)
    if len(running) < _RUNNING:
        axes.axhline(float(np.median(values)), color=_COLOURS["soft"], linewidth=0.9)
        return
    days, middles = np.array(running).T
    axes.plot(days / _DAY, middles, color=_COLOURS["ink"], linewidth=1.1)


def _window(values: Sequence[float], lines: Sequence[float]) -> tuple[float, float]:
    """What the axis shows: all values, unless a few lie so far out that the rest would be one line."""
    rising = np.sort(np.asarray(values, dtype=float))
    low, high = float(rising[0]), float(rising[-1])
    q1, q3 = (float(value) for value in np.quantile(rising, [0.25, 0.75]))
    reach = 12 * (q3 - q1)
    if reach > 0:
        low, high = max(low, q1 - reach), min(high, q3 + reach)
    near = [line for line in lines if low - (high - low) <= line <= high + (high - low)]
    low, high = min([low, *near]), max([high, *near])
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _scatter(axes: Axes, points: Sequence[Any], colour: str, name: str | None, window: tuple[float, float]) -> None:
    """The points of one group; what is marked has a ring, what lies outside of the window an arrow at its edge."""
    low, high = window
    for tone, size in (("", 9), ("warn", 26), ("bad", 26)):
        mine = [point for point in points if point.tone == tone]
        if not mine and tone:
            continue
        days = np.array([point.time for point in mine], dtype=float) / _DAY
        values = np.array([point.value for point in mine], dtype=float)
        inside = np.clip(values, low, high)
        many = len(mine) > _MANY
        shown = _apart(days, inside, window) if many else slice(None)
        axes.scatter(
            days[shown],
            inside[shown],
            s=size,
            color=colour,
            edgecolors=_COLOURS[tone] if tone else "none",
            linewidths=1.4 if tone else 0,
            label=_label(name, _SHORT) if name and not tone else None,
            rasterized=many,
        )
        for beyond, edge, arrow in ((values < low, low, "v"), (values > high, high, "^")):
            far = days[beyond][:_ARROWS]
            axes.plot(far, np.full(len(far), edge), arrow, color=_COLOURS["bad"], markersize=6, clip_on=False)


def _apart(days: Any, values: Any, window: tuple[float, float]) -> Any:
    """The places of points that can be told apart: one for each square of two pixels of the picture, the first."""
    low, high = window
    across = _squares(days, float(days.min()), float(days.max()), _SQUARES[0])
    up = _squares(values, low, high, _SQUARES[1])
    _, first = np.unique(up * (_SQUARES[0] + 1) + across, return_index=True)
    return np.sort(first)


def _squares(values: Any, low: float, high: float, number: int) -> Any:
    return ((values - low) / ((high - low) or 1.0) * number).astype(int)


def _matrix(plot: Matrix) -> Canvas:
    few = len(plot.rows) <= _ROWS_NAMED
    tall = 0.2 * len(plot.rows) if few else 6.5
    longest = max(len(label) for label in plot.columns)
    canvas, axes = _canvas(max(tall, 0.4) + 0.075 * min(longest, 34) + 0.45, 2 * _WIDTH if plot.wide else _WIDTH)
    counts = np.asarray(plot.counts)
    picture = np.zeros((*counts.shape, 4))
    picture[counts == 1] = _FILLED
    picture[counts > 1] = _TWICE
    axes.imshow(picture, aspect="auto", interpolation="none")
    axes.set_xticks(range(len(plot.columns)), [_label(label) for label in plot.columns], rotation=90, fontsize=9)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    if few:
        axes.set_yticks(range(len(plot.rows)), [_label(row, _SHORT) for row in plot.rows], fontsize=9)
        axes.set_yticks(np.arange(-0.5, len(plot.rows)), minor=True)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_ylabel("session, in the order of the CSV")
    axes.set_xticks(np.arange(-0.5, len(plot.columns)), minor=True)
    axes.grid(which="minor", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.6)
    return canvas


def _label(text: str | None, most: int = 34) -> str:
    """A label as a plot shows it: one line, not too long, no markup; an empty one would hide its entry."""
    shown = plain(text or "").strip() or "(no label)"
    shown = "".join(character for character in shown if character not in "\ufffe\uffff")
    shown = f"{shown[: most - 1]}…" if len(shown) > most else shown
    return f" {shown}" if shown.startswith("_") else shown  # matplotlib leaves such out of legends


_ID: Final = re.compile(r'(\bid="|url\(#|xlink:href="#)')
_HEAD: Final = re.compile(r"^.*?<svg ([^>]*)>", re.DOTALL)
_SIZE: Final = re.compile(r'viewBox="[^"]*"')
_META: Final = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)


def _for_page(written: str, figure: Figure, number: int) -> str:
    head = _HEAD.match(written)
    size = _SIZE.search(head.group(1)) if head else None
    if head is None or size is None:
        raise ValueError("matplotlib wrote no SVG")
    body = _META.sub("", written[head.end() :])
    body = _ID.sub(lambda found: f"{found.group(1)}f{number}-", body)
    for standin, name in _STANDINS.items():
        body = body.replace(standin, f"var({name})")
    title = f'<title id="f{number}-title">{escape(figure.title)}</title>'
    about = f'{title}<desc id="f{number}-desc">{escape(figure.alt)}</desc>'
    names = f'role="img" aria-labelledby="f{number}-title f{number}-desc"'
    return f'<svg {size.group(0)} xmlns:xlink="http://www.w3.org/1999/xlink" {names}>{about}{body}'.strip()
