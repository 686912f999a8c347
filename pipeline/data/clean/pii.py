"""Step `pii`: what names or reaches a person, and secrets, are masked; or the row is dropped; or nothing is done."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean import folding, message_texts
from pipeline.data.clean.masks.contacts import CREDENTIALS, EMAIL, EMAIL_IN_TITLES, IP
from pipeline.data.clean.masks.identity import ID_CARD, ID_CARD_IN_TITLES
from pipeline.data.clean.masks.numbers import BANK_CARD, BANK_CARD_IN_TITLES, IBAN
from pipeline.data.clean.masks.pattern import MANY_DIGITS, Pattern
from pipeline.data.clean.masks.phones import PHONE, PHONE_IN_TITLES
from pipeline.data.clean.masks.secrets import SECRETS
from pipeline.data.clean.message_texts import Bools
from pipeline.data.clean.settings import PiiSettings

# In this order: where two overlap, the first takes it.
KINDS: Mapping[str, Pattern] = {
    "secrets": SECRETS,
    "url_credentials": CREDENTIALS,
    "email": EMAIL,
    "iban": IBAN,
    "id_card": ID_CARD,
    "bank_card": BANK_CARD,
    "phone": PHONE,
    "ip": IP,
}
KINDS_IN_TITLES: Mapping[str, Pattern] = {
    **KINDS,
    "email": EMAIL_IN_TITLES,
    "id_card": ID_CARD_IN_TITLES,
    "bank_card": BANK_CARD_IN_TITLES,
    "phone": PHONE_IN_TITLES,
}
_ROUNDS = 10


def apply(batch: pa.RecordBatch, options: PiiSettings) -> pa.RecordBatch:
    """The contents of a batch, masked; rows rejected, by the kind's name, for what is to be dropped. Labels stay."""
    found = message_texts.contents(batch)
    hits: Bools = np.zeros(len(found.values), dtype=bool)
    for kinds, where in ((KINDS_IN_TITLES, found.lines & ~found.labels), (KINDS, ~found.lines)):
        if where.any():
            hits[where] = _suspicious(found.values.filter(pa.array(where)), options, kinds)
    titles = iter(found.lines[hits].tolist())
    dropped: dict[str, Bools] = {name: np.zeros(len(hits), dtype=bool) for name in KINDS}
    places = iter(np.flatnonzero(hits).tolist())

    def change(text: str) -> str:
        place = next(places)
        masked, held = scrub(text, options, title=next(titles))
        for name in held:
            dropped[name][place] = getattr(options, name) == "drop"
        return masked

    values = message_texts.rewrite(found.values, hits, change)
    if values is not found.values:
        batch = message_texts.put(batch, values)
    reasons = ((name, message_texts.rows_of(found, where, batch.num_rows)) for name, where in dropped.items())
    return message_texts.reject(batch, reasons)


def _suspicious(values: pa.Array, options: PiiSettings, kinds: Mapping[str, Pattern]) -> Bools:
    """Which values may hold something that is not kept: a pass of RE2 for each kind."""
    values = message_texts.rewrite(values, message_texts.matching(values, folding.WIDE), folding.same_length)
    digits = message_texts.matching(values, rf"(?:[0-9][^0-9]*){{{MANY_DIGITS}}}")  # few titles have so many
    with_digits = values.filter(pa.array(digits))
    hits: Bools = np.zeros(len(values), dtype=bool)
    for name, action in asdict(options).items():
        if action == "keep":
            continue
        if kinds[name].many_digits:
            hits[digits] |= message_texts.matching(with_digits, kinds[name].gate)
        else:
            hits |= message_texts.matching(values, kinds[name].gate)
    return hits


def scrub(text: str, options: PiiSettings, *, title: bool) -> tuple[str, set[str]]:
    """The text with a mark in place of everything that `options` does not keep, and the kinds that it held.

    A title is a classification's text: there, fewer numbers count as a person's than in prose.
    """
    kinds = KINDS_IN_TITLES if title else KINDS
    held = set()
    for _ in range(_ROUNDS):  # a mark may set free what stood too close to something else
        before = text
        for name, kind in kinds.items():
            if getattr(options, name) != "keep" and (masked := kind.replace(text)) != text:
                held.add(name)
                text = masked
        if text == before:
            break
    return text, held


def mask_text(text: str) -> str:
    """The text with everything masked, whatever the params say: what a report may show."""
    return scrub(text, PiiSettings(), title=False)[0]


def counts(values: pa.Array) -> dict[str, int]:
    """How many marks of each kind an array of texts holds; kinds without any are left out."""
    marked = values.filter(pc.match_substring(values, "]"))
    found = {}
    for name, kind in KINDS.items():
        mark = kind.mark.removeprefix(r"\1").removesuffix("@")
        count = pc.sum(pc.count_substring(marked, mark)).as_py() or 0
        if count:
            found[name] = count
    return found
