import json

import pytest

from pipeline.common.errors import GraftError
from pipeline.evaluation import predictions
from tests.gate import made

ITEM = made.said(1, ["winter"], True, True)
FOUND = made.predictions([ITEM])


def test_what_is_written_is_what_is_read(tmp_path):
    predictions.write(tmp_path / "predictions.json", FOUND)
    assert predictions.read(tmp_path / "predictions.json") == FOUND


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no JSON: Expecting value"),
        (b"\xff\xfe{", "no JSON: "),
        (b"[]", "no JSON object"),
        ({"version": 7}, "version 7, and this Graft reads 1"),
        ({"items": {}}, "items: no list"),
        ({"models": None}, "models: what was compared is not named"),
        ({"items": ["a"]}, "items, item 1: no object"),
        ({"items": [ITEM, ITEM]}, "items, item 2: its id stands there twice"),
        ({"items": [ITEM | {"slices": "winter"}]}, "items, item 1: slices: no list of names"),
        ({"items": [ITEM | {"parent": "Toy"}]}, "items, item 1: parent: no object"),
        ({"items": [ITEM | {"id": 3, "kind": None}]}, "items, item 1: id: no text; items, item 1: kind: no text"),
        ({"robustness": [ITEM]}, "robustness, item 1: source: no text"),
    ],
)
def test_a_damaged_file_is_refused_and_says_where(content, problem):
    text = content if isinstance(content, bytes) else json.dumps(FOUND | content).encode()
    with pytest.raises(GraftError) as error:
        predictions.parse(text, "v1.0.0: predictions.json")
    assert error.value.message.startswith(f"v1.0.0: predictions.json: {problem}")
    assert error.value.help
