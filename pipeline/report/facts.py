"""What a report is made of: the contents of the files that the gate reads, as plain mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Content = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that report.md and report.html show. The same facts give the same bytes.

    What may be missing is an empty mapping or text: its section is then left out.
    """

    verdict: Content  # verdict.json: verdict, decision, reasons, warnings, override, checks, undecided
    metrics: Content  # metrics.json: candidate, parent and anchor (or null), truncated, robustness, chain
    release: str | None  # the parent; None before the first release
    increment: str  # its name, without folders
    prepared: Content  # data/prepared/report.json
    assembled: Content  # data/assembled/report.json
    training: Content  # training.json
    anchor: str | None = None  # the release pinned by gate.anchor
    gate: Content = field(default_factory=dict)  # section `gate` of params.yaml; its confidence is shown
    predictions: Content = field(default_factory=dict)  # predictions.json; its `params`, too: {"candidate", "parent"}
    details: Content = field(default_factory=dict)  # details.json: labels, confusion, calibration, robustness
    changes: Content = field(default_factory=dict)  # changes.json: what differs from what the parent was judged by
    matrix: Content = field(default_factory=dict)  # matrix.json: accuracy of each release on each slice
    texts: Mapping[str, str] = field(default_factory=dict)  # of the items that `examples.shown` names, by id
    curve: str = ""  # plots/loss.csv: step, loss, learning_rate, gradient_norm
    rates: str = ""  # plots/learning_rate.csv: learning_rate, loss; rows only where the rate was tested
