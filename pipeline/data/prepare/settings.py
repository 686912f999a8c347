"""Settings of the stage `prepare`."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.clean.settings import CleaningSettings, NormalizeSettings, PiiSettings, QualitySettings


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareSettings:
    """Section `prepare` of params.yaml."""

    max_reject_share: float = 0.2  # of the rows read
    max_bytes: int = 500_000_000  # of one file, decompressed
    max_line: int = 1 << 20  # characters of a row
    min_chars: int = 3  # of a classification's text
    max_chars: int = 2000
    near_duplicates: float | None = 0.95  # share of 4-character pieces in common; None: near ones stay
    conflicts: str = "drop"
    normalize: NormalizeSettings = field(default_factory=NormalizeSettings)
    pii: PiiSettings = field(default_factory=PiiSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)

    def cleaning(self, tokenizer: Path | None = None) -> CleaningSettings:
        """The part that `data/clean` works by."""
        return CleaningSettings(
            min_chars=self.min_chars,
            max_chars=self.max_chars,
            normalize=self.normalize,
            pii=self.pii,
            quality=self.quality,
            tokenizer=tokenizer,
        )
