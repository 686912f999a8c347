"""The share of the catalogue's value that stands in a wrong category: a fridge there costs more than a book."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

with Path(__file__).with_name("prices.csv").open(encoding="utf-8", newline="") as _file:
    PRICES = {row["category"]: float(row["price"]) for row in csv.DictReader(_file)}  # median of each category
TYPICAL = sorted(PRICES.values())[len(PRICES) // 2]  # of a category without a price


def price_error(item: Mapping[str, Any]) -> tuple[float, float]:
    """1 for a wrong category, else 0, weighted by the price that is usual in the right one."""
    if item["kind"] != "classification":
        return 0.0, 0.0  # counts for nothing
    return float(item["predicted"] != item["label"]), PRICES.get(item["label"], TYPICAL)
