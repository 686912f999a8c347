"""The sample increments: three drops of a small shop's products, title -> category.

Clean rows first, then a few per cent of the dirt of real life.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from examples.titles import KINDS, WORDS, Dice, title

FIRST, NEW = KINDS[:10], KINDS[10:12]  # the shop's categories; NEW come with the second increment
ROWS = 1500  # of each increment, dirt included


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a drop, before it is written in some format."""

    title: str
    category: str
    price: str
    broken: bool = False  # to be written as a line that no reader can take


def clean(count: int, categories: Sequence[str], dice: Dice) -> list[Row]:
    """Rows with distinct titles; the shop does not sell as much of each category."""
    titles: dict[str, str] = {}
    while len(titles) < count:
        kind = dice.pick(categories) if dice.chance(0.7) else categories[dice.below(len(categories) // 2)]
        titles.setdefault(title(kind, dice), kind)
    return [Row(title=text, category=kind, price=price(kind, dice)) for text, kind in titles.items()]


def price(kind: str, dice: Dice) -> str:
    """A price such as 129.90, among those of its kind; most products are cheap ones."""
    low, high = WORDS["kinds"][kind]["price"]
    return f"{low + min(dice.below(high - low), dice.below(high - low))}.{dice.pick(('00', '50', '90', '95', '99'))}"


def dirty(rows: list[Row], dice: Dice) -> list[Row]:
    """The rows with a few per cent of each kind of dirt, in another order."""
    count = len(rows)
    rows = [noisy(row, dice) for row in rows]
    copies = [dice.pick(rows) for _ in range(count * 15 // 1000)]
    near = [replace(row, title=nearly(row.title, dice)) for row in (dice.pick(rows) for _ in range(count * 25 // 1000))]
    conflicts = [replace(row, category=dice.pick(FIRST)) for row in (dice.pick(rows) for _ in range(count * 6 // 1000))]
    broken = [replace(dice.pick(rows), broken=True) for _ in range(count // 100)]
    blank = [blanked(dice.pick(rows), dice) for _ in range(count * 7 // 1000)]
    return dice.shuffled([*rows, *copies, *near, *conflicts, *broken, *blank])


def blanked(row: Row, dice: Dice) -> Row:
    """The row without its title or without its category."""
    return replace(row, title="") if dice.chance(0.5) else replace(row, category="")


def noisy(row: Row, dice: Dice) -> Row:
    """The row, sometimes with contact data or garbled characters in its title."""
    if dice.chance(0.012):
        return replace(row, title=f"{row.title} {contact(dice)}")
    if dice.chance(0.012):
        return replace(row, title=mojibake(row.title))
    return row


def contact(dice: Dice) -> str:
    """An e-mail address or a phone number, of the ranges that are reserved for fiction."""
    name = dice.pick(("sales", "info", "anna.berg", "li.wei", "shop", "orders"))
    return dice.pick(
        (
            f"{name}@{dice.pick(('example.com', 'example.org', 'shop.example'))}",
            f"call +44 20 7946 0{100 + dice.below(900)}",
            f"tel. (555) 010-{100 + dice.below(100)}",
            f"咨询电话 010-5555-01{10 + dice.below(90)}",
            f"contact {name}@example.net",
        )
    )


def mojibake(text: str) -> str:
    """UTF-8 read as Windows-1252, as happens between two shops' systems."""
    if text.isascii():
        text = text.replace(" ", "\N{NO-BREAK SPACE}", 1) + " – new"
    return text.encode().decode("cp1252", "replace")


def nearly(text: str, dice: Dice) -> str:
    """The same title as another seller types it."""
    change: Callable[[str], str] = dice.pick(
        (str.lower, lambda t: t + "!", lambda t: t.replace(" ", "  ", 1), lambda t: t + " new", lambda t: t + ".")
    )
    return change(text)


def shuffled_labels(rows: list[Row], dice: Dice) -> list[Row]:
    """The bad drop: somebody sorted one column and not the other."""
    labels = dice.shuffled([row.category for row in rows])
    return [replace(row, category=label) for row, label in zip(rows, labels, strict=True)]


def as_csv(rows: list[Row], prefix: str, delimiter: str = ",") -> str:
    """CSV with a header; a broken row has lost its columns or gained one."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["id", "title", "price", "category"])
    for number, row in enumerate(rows, start=1):
        cells = [f"{prefix}{number:05d}", row.title, row.price, row.category]
        if row.broken:
            cells = cells[:2] if number % 2 else [*cells, "see other listing", ""]
        writer.writerow(cells)
    return text.getvalue()


def as_jsonl(rows: list[Row], prefix: str) -> str:
    """One JSON object a line; a broken row is cut off, or lacks its title."""
    lines = []
    for number, row in enumerate(rows, start=1):
        value = {"id": f"{prefix}{number:05d}", "title": row.title, "price": float(row.price), "category": row.category}
        if row.broken and number % 2:
            del value["title"]
        line = json.dumps(value, ensure_ascii=False)
        lines.append(line[: len(line) // 2] if row.broken and not number % 2 else line)
    return "\n".join(lines) + "\n"


def increments() -> dict[str, str]:
    """Every file of the sample increments, by its path below examples/."""
    share = 943 * ROWS // 1000  # the dirt adds the rest
    winter = clean(share, FIRST, Dice(202601))
    dice = Dice(202602)
    again = [dice.pick(winter) for _ in range(ROWS // 50)]  # listed before, so seen before
    moved = [replace(dice.pick(winter), category=dice.pick(NEW)) for _ in range(ROWS // 250)]  # against history
    spring = dirty(clean(share - len(again) - len(moved), (*NEW, *NEW, *FIRST), dice) + again + moved, dice)
    dice = Dice(202603)
    bad = shuffled_labels(dirty(clean(share, (*FIRST, *NEW), dice), dice), dice)
    most = len(spring) * 4 // 5
    return {
        "increments/2026-01-winter/products.csv": as_csv(dirty(winter, Dice(202611)), "W"),
        "increments/2026-02-spring/products.jsonl": as_jsonl(spring[:most], "S"),
        "increments/2026-02-spring/partner.csv": as_csv(spring[most:], "P", delimiter=";"),
        "increments/2026-03-shuffled/products.csv": as_csv(bad, "B"),
    }
