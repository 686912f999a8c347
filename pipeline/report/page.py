"""reports/report.html: the report and the loss curve as one page."""

import csv
import io

from markdown_it import MarkdownIt

from pipeline.report import frame

WIDTH, HEIGHT = 640, 200  # of the loss curve, in its own units: it scales with the page


def html(markdown: str, loss_csv: str) -> str:
    """The page: the report's Markdown (any HTML in it is shown, not obeyed) and the loss curve, if there is one."""
    body = MarkdownIt("js-default").render(markdown)
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    points = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(io.StringIO(loss_csv))]
    title = markdown.partition("\n")[0].removeprefix("# ")
    return frame.page(title, body + (_curve(points) if points else ""))


def _curve(points: list[tuple[int, float]]) -> str:
    """Loss over steps as inline SVG."""
    last, highest = points[-1][0], max(loss for _, loss in points)
    line = " ".join(f"{step / last * WIDTH:.1f},{HEIGHT - loss / (highest or 1) * HEIGHT:.1f}" for step, loss in points)
    return f"""<h2>Loss</h2>
<svg viewBox="-45 -15 {WIDTH + 60} {HEIGHT + 40}" role="img" aria-label="loss over {last} steps">
<path d="M0,0V{HEIGHT}H{WIDTH}" fill="none" stroke="var(--line)"/>
<polyline points="{line}" fill="none" stroke="var(--accent)" stroke-width="2"/>
<text x="-6" y="4" text-anchor="end">{highest:.2f}</text>
<text x="-6" y="{HEIGHT}" text-anchor="end">0</text>
<text x="{WIDTH}" y="{HEIGHT + 18}" text-anchor="end">step {last}</text>
</svg>
"""
