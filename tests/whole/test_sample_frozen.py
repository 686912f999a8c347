"""tests/sample: what the tests run on, also where a team has long moved on to data of its own."""

import pytest

from tests.conftest import ROOT, SAMPLE, is_as_shipped

FROZEN = sorted(path.relative_to(SAMPLE) for path in SAMPLE.rglob("*") if path.is_file())


@pytest.mark.skipif(not is_as_shipped(), reason="this repository holds a team's own increments")
@pytest.mark.parametrize("name", FROZEN, ids=str)
def test_frozen_sample_is_what_is_shipped(name: str) -> None:
    assert (SAMPLE / name).read_bytes() == (ROOT / name).read_bytes()
