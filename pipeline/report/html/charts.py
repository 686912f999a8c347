"""Charts as inline SVG: they load nothing, scale with the page, and take the page's colours in light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Any

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 400, 220  # of a chart in its own units, about pixels on a phone
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 40  # room around the plot: tick labels and names of the axes
MOST = 400  # points of a curve
TICKS = 5  # about so many on an axis
STYLE = """\
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.charts figure { flex: 1 1 20rem; max-width: 28rem; margin: 0; }
figcaption { font-weight: 600; }
svg.chart text { font-size: 11px; }
svg.chart .grid { stroke: var(--line); stroke-width: .5; }
svg.chart .axis { stroke: var(--line); fill: none; }
svg.chart .curve { stroke: var(--accent); stroke-width: 2; fill: none; stroke-linejoin: round; }
svg.chart .dot { fill: var(--accent); }
svg.chart .guide { stroke: currentColor; stroke-dasharray: 3 4; opacity: .5; }
svg.interval { width: 8rem; min-width: 8rem; height: 1.2rem; vertical-align: middle; }
svg.interval .zero { stroke: currentColor; opacity: .5; }
svg.interval .margin { stroke: var(--bad); stroke-dasharray: 2 2; }
svg.interval .span { stroke: var(--accent); stroke-width: 3; stroke-linecap: round; }
svg.interval circle { fill: var(--accent); }
svg.interval.fail .span, svg.interval.fail circle { stroke: var(--bad); fill: var(--bad); }
"""


def curve(title: str, points: Iterable[tuple[float, float]], *, across: str, log: bool = False) -> str:
    """One quantity over another, with grid and ticks; values that are no numbers are left out.

    Args:
        title: what the quantity is; plain text.
        points: (x, y), x growing; for a logarithmic axis above 0.
        across: what x is; plain text.
        log: whether the x axis is logarithmic.

    Returns:
        A figure as HTML; empty without points.
    """
    kept = thinned([(x, y) for x, y in points if isfinite(x) and isfinite(y) and (x > 0 or not log)])
    if not kept:
        return ""
    xs, ys = [x for x, _ in kept], [y for _, y in kept]
    x_axis = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=log)
    low, high = min(0.0, *ys), max(0.0, *ys)
    y_axis = _Axis(low, high, HEIGHT - BOTTOM, TOP, round_up=True)
    label = f"{title} over {across}, from {_tick(ys[0])} to {_tick(ys[-1])}; lowest {_tick(min(ys))}, "
    label += f"highest {_tick(max(ys))}"
    line = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in kept)
    drawn = f'<polyline class="curve" points="{line}"/>' if len(kept) > 1 else _dot(x_axis.at(xs[0]), y_axis.at(ys[0]))
    return _figure(title, label, _frame(x_axis, y_axis, across) + drawn)


def reliability(bins: Iterable[Mapping[str, Any]]) -> str:
    """Confidence against accuracy in bins; on the dashed line a model is as often right as it says.

    Args:
        bins: calibration of details.json: items, mean confidence and accuracy, both 0..1, null without items.
    """
    filled = [found for found in bins if found["items"]]
    most = max((found["items"] for found in filled), default=0)
    if not filled:
        return ""
    x_axis, y_axis = _Axis(0, 1, LEFT, WIDTH - RIGHT), _Axis(0, 1, HEIGHT - BOTTOM, TOP)
    guide = f'<line class="guide" x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{TOP}"/>'
    dots = [
        _dot(x_axis.at(found["confidence"]), y_axis.at(found["accuracy"]), 3 + 6 * (found["items"] / most) ** 0.5)
        for found in filled
    ]
    title = "accuracy over confidence"
    label = f"{title}, in {len(filled)} bins; the table below holds the numbers"
    return _figure(title, label, _frame(x_axis, y_axis, "confidence") + guide + "".join(dots))


def interval(check: Mapping[str, Any], reach: float, *, lower_is_better: bool) -> str:
    """A check's difference and its bounds on a line from -reach to +reach; the margin is dashed, zero is drawn.

    The numbers stand beside it, so a screen reader skips it.
    """
    low, middle, high = (check.get(name) for name in ("low", "difference", "high"))
    if not reach or low is None or high is None or middle is None:
        return ""
    axis = _Axis(-reach, reach, 4, 124)
    marks = f'<line class="zero" x1="{axis.at(0):.1f}" y1="1" x2="{axis.at(0):.1f}" y2="19"/>'
    if margin := check.get("margin"):
        edge = axis.at(margin if lower_is_better else -margin)
        marks += f'<line class="margin" x1="{edge:.1f}" y1="1" x2="{edge:.1f}" y2="19"/>'
    marks += f'<line class="span" x1="{axis.at(low):.1f}" y1="10" x2="{axis.at(high):.1f}" y2="10"/>'
    marks += f'<circle cx="{axis.at(middle):.1f}" cy="10" r="4"/>'
    kind = "fail" if check["status"] == "fail" else ""
    return f'<svg class="interval {kind}" viewBox="0 0 128 20" aria-hidden="true">{marks}</svg>'


def reach(checks: Iterable[Mapping[str, Any]]) -> float:
    """How far from zero the bounds of several checks go: one scale for all of their intervals."""
    edges = [check.get(name) for check in checks for name in ("low", "high", "margin")]
    return max((abs(edge) for edge in edges if edge is not None and isfinite(edge)), default=0.0)


def ticks(low: float, high: float) -> list[float]:
    """About `TICKS` round numbers from low to high: 1, 2 or 5 times a power of ten apart."""
    if not high > low:
        return [low]
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(place * step, 12 - floor(log10(step))) for place in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from low to high; where they are fewer than two, 2 and 5 times them, too."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [value for value in found if low * 0.999 <= value <= high * 1.001]
        if len(found) > 1:
            return found
    return [low, high] if high > low else [low]


def thinned(points: Points) -> Points:
    """At most `MOST` points, evenly chosen, first and last among them."""
    if len(points) <= MOST:
        return points
    return [points[round(place * (len(points) - 1) / (MOST - 1))] for place in range(MOST)]


class _Axis:
    """Values low..high laid on pixels start..end."""

    def __init__(
        self, low: float, high: float, start: float, end: float, *, log: bool = False, round_up: bool = False
    ) -> None:
        self.ticks = log_ticks(low, high) if log else ticks(low, high)
        if round_up and len(self.ticks) > 1 and self.ticks[-1] < high:  # the curve ends below the last tick
            self.ticks.append(self.ticks[-1] * 2 - self.ticks[-2])
            high = self.ticks[-1]
        self._value = log10 if log else float
        self._low, self._high = self._value(low), self._value(high)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Pixel of a value; of a range of no width the middle."""
        width = self._high - self._low
        part = (self._value(value) - self._low) / width if width else 0.5
        return self._start + part * (self._end - self._start)


def _frame(x_axis: _Axis, y_axis: _Axis, across: str) -> str:
    """Grid, tick labels and the name of the x axis; the y axis has the figure's title."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="axis" d="M{LEFT},{TOP}V{bottom}H{right}"/>']
    for value in y_axis.ticks:
        y = y_axis.at(value)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>')
    for value in x_axis.ticks:
        x = x_axis.at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{_tick(value)}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>')
    return "\n".join(parts)


def _figure(title: str, label: str, drawn: str) -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>\n"
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">\n'
        f"{drawn}\n</svg></figure>"
    )


def _dot(x: float, y: float, radius: float = 4) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'


def _tick(value: float) -> str:
    """Short: 1,500, 0.25, 2e-6."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    shown = f"{value:.3g}"
    mantissa, mark, exponent = shown.partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else shown
