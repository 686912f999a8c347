"""The frame of every page: one file that loads nothing, for phone and desktop, light and dark."""

from html import escape

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; --accent: #0b6bcb;
  --good: #1a7f37; --bad: #d1242f; --unsure: #9a6700; }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: #6cb6ff;
  --good: #3fb950; --bad: #ff7b72; --unsure: #d29922; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.6rem; line-height: 1.25; }}
h2 {{ font-size: 1.2rem; margin-top: 2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }}
td:first-child {{ white-space: normal; }}
li {{ overflow-wrap: anywhere; }}
svg {{ width: 100%; height: auto; max-width: 40rem; }}
svg text {{ fill: currentColor; font-size: 12px; }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Args:
        title: plain text; it is escaped here.
        body: HTML, whatever came from data escaped already.
        style: CSS that only this page needs, lines with their final newline.
    """
    return _TEMPLATE.format(title=escape(title), body=body, style=style)
