"""Charts as inline SVG: they load nothing, scale with the page, and take the page's colours in light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import ceil, floor, isfinite, log10
from typing import Any

from markupsafe import Markup

from pipeline.report.parts import markup

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 400, 220  # of a chart in its own units, about pixels on a phone
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 40  # room around the plot: tick labels and names of the axes
MOST = 400  # points of a curve
TICKS = 5  # about so many on an axis
_part = partial(markup.render, "html/templates/charts.html")


def curve(title: str, points: Iterable[tuple[float, float]], *, across: str, log: bool = False) -> Markup:
    """One quantity over another, with grid and ticks; values that are no numbers are left out.

    Args:
        title: what the quantity is; plain text.
        points: (x, y), x growing; for a logarithmic axis above 0.
        across: what x is; plain text.
        log: whether the x axis is logarithmic.

    Returns:
        A figure; empty without points.
    """
    kept = thinned([(x, y) for x, y in points if isfinite(x) and isfinite(y) and (x > 0 or not log)])
    if not kept:
        return Markup()
    xs, ys = [x for x, _ in kept], [y for _, y in kept]
    x_axis = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=log)
    low, high = min(0.0, *ys), max(0.0, *ys)
    y_axis = _Axis(low, high, HEIGHT - BOTTOM, TOP, round_up=True)
    label = f"{title} over {across}, from {_tick(ys[0])} to {_tick(ys[-1])}; lowest {_tick(min(ys))}, "
    label += f"highest {_tick(max(ys))}"
    points = [(x_axis.at(x), y_axis.at(y)) for x, y in kept]
    drawn = _part("polyline", points) if len(kept) > 1 else _dot(*points[0])
    return _figure(title, label, _frame(x_axis, y_axis, across), drawn)


def reliability(bins: Iterable[Mapping[str, Any]]) -> Markup:
    """Confidence against accuracy in bins; on the dashed line a model is as often right as it says.

    Args:
        bins: calibration of details.json: items, mean confidence and accuracy, both 0..1, null without items.
    """
    filled = [found for found in bins if found["items"]]
    most = max((found["items"] for found in filled), default=0)
    if not filled:
        return Markup()
    x_axis, y_axis = _Axis(0, 1, LEFT, WIDTH - RIGHT), _Axis(0, 1, HEIGHT - BOTTOM, TOP)
    guide = _part("guide", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, TOP)
    dots = [
        _dot(x_axis.at(found["confidence"]), y_axis.at(found["accuracy"]), 3 + 6 * (found["items"] / most) ** 0.5)
        for found in filled
    ]
    title = "accuracy over confidence"
    label = f"{title}, in {len(filled)} bins; the table below holds the numbers"
    return _figure(title, label, _frame(x_axis, y_axis, "confidence"), guide, *dots)


def interval(check: Mapping[str, Any], reach: float, *, lower_is_better: bool) -> Markup:
    """A check's difference and its bounds on a line from -reach to +reach; the margin is dashed, zero is drawn.

    The numbers stand beside it, so a screen reader skips it.
    """
    low, middle, high = (check.get(name) for name in ("low", "difference", "high"))
    if not reach or low is None or high is None or middle is None:
        return Markup()
    axis = _Axis(-reach, reach, 4, 124)
    margin = check.get("margin")
    edge = axis.at(margin if lower_is_better else -margin) if margin else None
    kind = "fail" if check["status"] == "fail" else ""
    return _part("interval", kind, axis.at(0), edge, axis.at(low), axis.at(middle), axis.at(high))


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


def _frame(x_axis: _Axis, y_axis: _Axis, across: str) -> Markup:
    """Grid, tick labels and the name of the x axis; the y axis has the figure's title."""
    ys, xs = ([(axis.at(value), _tick(value)) for value in axis.ticks] for axis in (y_axis, x_axis))
    return _part("frame", LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, HEIGHT, ys, xs, across)


def _figure(title: str, label: str, *drawn: Markup) -> Markup:
    return _part("figure", title, label, WIDTH, HEIGHT, drawn)


def _dot(x: float, y: float, radius: float = 4) -> Markup:
    return _part("dot", x, y, radius)


def _tick(value: float) -> str:
    """Short: 1,500, 0.25, 2e-6."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    shown = f"{value:.3g}"
    mantissa, mark, exponent = shown.partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else shown
