from collections.abc import Callable
from functools import cache

import pytest

from pipeline.report.facts import Facts
from tests.report.made import HOSTILE, facts

TWO = {"2026-01-winter": 430, "2026-02-spring": 420, "golden-best": 28}
MANY = tuple(f"Category {n % 99} > Leaf {n}" for n in range(10_000))
SIGNS = "<&|@#*_`" * 30
CHINESE = "苹果 iPhone 15 蓝色钛金属"
CASES: dict[str, Callable[[], Facts]] = {
    "pass": lambda: facts(TWO, anchor=True, parent_right=0.925),
    "first": lambda: facts({"2026-01-winter": 212}, parent_right=None),
    "fail": lambda: facts(TWO, right=0.6),
    "tiny": lambda: facts({"2026-01-winter": 20, "golden-best": 9}),
    "sixty": lambda: facts({f"2025-{place:02}-increment-of-a-long-name": 60 for place in range(60)}, anchor=True),
    "labels": lambda: facts({"a": 1000, "b": 500}, labels=MANY),
    "chinese": lambda: facts({"2026-一月": 120}, labels=("手机", "平板电脑"), titles=(CHINESE,)),
    "hostile": lambda: facts(
        {f"{text[:200]}{place}": 60 for place, text in enumerate(HOSTILE)},
        labels=HOSTILE, right=0.8, titles=HOSTILE, increment=HOSTILE[0],
    ),
    "huge": lambda: facts(
        {f"{place}{SIGNS}": 40 for place in range(60)}, labels=tuple(f"{SIGNS}{n}" for n in range(30)),
        right=0.5, titles=(SIGNS,), anchor=True,
    ),
    "empty": lambda: facts({}, parent_right=None, curve="", rates="", details={}, matrix={}, predictions={}),
}  # fmt: skip


@cache
def candidate(name: str) -> Facts:
    """Facts of a sort of candidate."""
    return CASES[name]()


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest) -> Facts:
    """Facts of each sort of candidate."""
    return candidate(request.param)
