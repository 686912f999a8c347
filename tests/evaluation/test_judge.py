import csv
import io
import json
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common import files, schema, yaml
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record
from pipeline.evaluation import predictions
from pipeline.evaluation.llm_judge import endpoint, judge, judged, ratings
from pipeline.evaluation.metrics import slice_metrics
from pipeline.evaluation.settings import EvaluateSettings
from tests.conftest import ROOT
from tests.judge_server import Reply, serving

KEY = "sk-very-secret-0123456789"
MODEL = {
    "model": "prometheus", "url": "http://127.0.0.1:9/v1", "prompt": "metrics/judge.txt", "scale": [1, 5],
    "max_tokens": 16, "key_from": "JUDGE_KEY",
}  # fmt: skip
PEOPLE = {"ratings": "metrics/ratings.csv", "scale": [1, 5]}


def record(number: int, *more: dict) -> Record:
    messages = [*more, {"role": "user", "content": f"What is item {number}?"},
                {"role": "assistant", "content": f"Item {number} is a lamp."}]  # fmt: skip
    return Record(id=records.content_id(messages), kind="sft", messages=messages, increment="winter",
                  file="raw/a.jsonl", line=number + 1)  # fmt: skip


def said(text: str, **more) -> dict:
    return {"key": judged.keys.digest(text), "nats": 1.0, "tokens": 3, "truncated": False, "text": text, **more}


def told(items: list[Record], parent: bool = True) -> dict:
    return {
        "version": predictions.VERSION, "models": {"candidate": {}, "parent": {} if parent else None, "anchor": None},
        "labels": [], "releases": {"parent": None, "anchor": None}, "robustness": [],
        "items": [
            {"id": one.id, "kind": "sft", "slices": ["winter"], "answer": one.answer, "anchor": None,
             "candidate": said(f"ours {one.line}"), "parent": said(f"theirs {one.line}") if parent else None}
            for one in items
        ],
    }  # fmt: skip


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A tree with four evaluated items, answered by candidate and parent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr(endpoint, "PAUSE", 0.01)
    monkeypatch.setattr(sys, "argv", ["judge"])
    Path("metrics").mkdir()
    Path("metrics/judge.txt").write_bytes((ROOT / "metrics/judge.txt").read_bytes())
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    items = sorted((record(number) for number in range(4)), key=lambda one: one.id)
    arrow.write_records(judge.SLICES / "winter.arrow", items)
    predictions.write(judge.PREDICTIONS, told(items))
    return items


def asks(**asked) -> dict:
    document = yaml.load_unchecked(Path("params.yaml"))
    document["evaluate"]["judge"] = asked
    yaml.dump(Path("params.yaml"), document)
    return asked


def lines() -> list[dict]:
    return [json.loads(line) for line in judged.JUDGEMENTS.read_text().splitlines()]


def stopped(match: str | None = None) -> str:
    with pytest.raises(GraftError, match=match) as caught:
        judge.main()
    return str(caught.value)


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in files.files_below(folder))


# params


@pytest.mark.parametrize(
    ("asked", "good"),
    [
        pytest.param(None, True, id="nobody"),
        pytest.param(PEOPLE, True, id="people"),
        pytest.param(MODEL, True, id="model"),
        pytest.param(MODEL | {"key_from": None}, True, id="no-key"),
        pytest.param(MODEL | {"url": "https://judge.example/v1"}, True, id="https"),
        pytest.param(MODEL | {"url": "http://localhost:8000/v1"}, True, id="localhost"),
        pytest.param(MODEL | {"url": "http://[::1]:8000"}, True, id="ipv6"),
        pytest.param(MODEL | {"url": "http://judge.example/v1"}, False, id="http-elsewhere"),
        pytest.param(MODEL | {"url": "http://localhost.example/v1"}, False, id="like-localhost"),
        pytest.param(MODEL | {"url": "http://127.0.0.1@judge.example/v1"}, False, id="user"),
        pytest.param(MODEL | {"url": "https://me:pass@judge.example/v1"}, False, id="password"),
        pytest.param(MODEL | {"url": "https://judge.example/v1?key=1"}, False, id="query"),
        pytest.param(MODEL | {"url": "file:///etc/passwd"}, False, id="file"),
        pytest.param(MODEL | {"prompt": "/etc/passwd"}, False, id="prompt-elsewhere"),
        pytest.param(MODEL | {"prompt": "metrics/../a.txt"}, False, id="prompt-above"),
        pytest.param(MODEL | {"max_tokens": 0}, False, id="no-tokens"),
        pytest.param(PEOPLE | MODEL, False, id="both"),
        pytest.param({"scale": [1, 5]}, False, id="neither"),
        pytest.param(PEOPLE | {"scale": [1]}, False, id="half-a-scale"),
        pytest.param(PEOPLE | {"extra": 1}, False, id="unknown-key"),
    ],
)
def test_schema_of_params(asked, good):
    params = yaml.load(ROOT / "params.yaml", "params")
    params["evaluate"]["judge"] = asked
    assert (schema.problems(params, "params") == []) == good


def test_a_scale_upside_down_is_refused(work):
    asks(**PEOPLE | {"scale": [5, 1]})
    stopped(r"\$\.evaluate\.judge\.scale: \[5, 1\]: the lowest score comes first")


def test_it_is_off_unless_asked_for(work):
    assert EvaluateSettings().judge is None
    stopped(r"\$\.evaluate\.judge: null")


def test_without_answers_there_is_nothing_to_judge(work):
    predictions.write(judge.PREDICTIONS, told([]))
    asks(**PEOPLE)
    stopped("holds no generated answer")


@pytest.mark.parametrize(("text", "what"), [(None, "is not there"), ("Grade it.", r"has no \{answer\}")])
def test_a_prompt_that_shows_no_answer_is_refused(work, text, what):
    Path("metrics/judge.txt").unlink() if text is None else Path("metrics/judge.txt").write_text(text)
    with pytest.raises(GraftError, match=what):
        judged.load(MODEL)


# a model that judges


def test_every_answer_is_judged_once_and_what_it_said_is_kept(work, capsys):
    with serving(lambda asked, number: Reply(content=str(1 + number % 5))) as server:
        asks(**MODEL | {"url": server.url})
        judge.main()
        assert len(server.asked) == 8
        first = judged.JUDGEMENTS.read_bytes()
        judge.main()
        assert len(server.asked) == 8
    assert judged.JUDGEMENTS.read_bytes() == first
    assert {one["path"] for one in server.asked} == {"/v1/chat/completions"}
    assert {one["key"] for one in server.asked} == {f"Bearer {KEY}"}
    body = {name: value for name, value in server.asked[0]["body"].items() if name != "messages"}
    assert body == {"model": "prometheus", "temperature": 0, "max_tokens": 16}
    assert sum("What is item 2?" in prompt and "Item 2 is a lamp." in prompt for prompt in server.prompts) == 2
    assert "8 of 8 answers have a score; 0 to ask" in capsys.readouterr().out


def test_one_new_answer_is_one_question(work):
    with serving(lambda asked, number: Reply()) as server:
        asks(**MODEL | {"url": server.url})
        judge.main()
        found = told(work)
        found["items"][0]["candidate"]["text"] = "something new"
        predictions.write(judge.PREDICTIONS, found)
        judge.main()
    assert len(server.asked) == 9
    assert "something new" in server.prompts[-1]


def test_the_same_answer_of_two_models_is_judged_once(work):
    found = told(work)
    for item in found["items"]:
        item["parent"] = item["candidate"]
    predictions.write(judge.PREDICTIONS, found)
    with serving(lambda asked, number: Reply()) as server:
        asks(**MODEL | {"url": server.url})
        judge.main()
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "changed", ["model", "template", "scale", "max_tokens", "question", "reference", "answer", "url", "key_from"]
)
def test_a_key_holds_all_that_a_score_follows_from_and_nothing_else(work, changed):
    one, text, asked = record(1), "a lamp", dict(MODEL)
    before = judged.load(asked).key(one, text)
    if changed == "model":
        asked["model"] = "another"
    elif changed == "template":
        Path("metrics/judge.txt").write_text("Grade {answer}")
    elif changed == "scale":
        asked["scale"] = [1, 10]
    elif changed == "max_tokens":
        asked["max_tokens"] = 17
    elif changed == "question":
        one = replace(one, messages=[{"role": "user", "content": "?"}, one.messages[-1]])
    elif changed == "reference":
        one = replace(one, messages=[*one.prompt, {"role": "assistant", "content": "?"}])
    elif changed == "answer":
        text = "a lamp."
    elif changed == "url":
        asked["url"] = "https://judge.example/v1"
    else:
        asked["key_from"] = None
    assert (judged.load(asked).key(one, text) == before) == (changed in ("url", "key_from"))


def test_braces_in_texts_are_no_places_of_the_prompt(work):
    Path("metrics/judge.txt").write_text("{question}|{reference}|{answer}|{low}|{high}|{else}")
    one = record(1, {"role": "system", "content": "Be brief. {answer}"})
    assert judged.load(MODEL).prompt(one, "{reference}") == (
        "system: Be brief. {answer}\n\nuser: What is item 1?|Item 1 is a lamp.|{reference}|1|5|{else}"
    )


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("4", 4.0), (" 4.5\n", 4.5), ("It names the lamp.\n\n3", 3.0), ("5", 5.0), ("1", 1.0),
        ("6", None), ("0", None), ("-1", None), ("4/5", None), ("Score: 4", None), ("four", None), ("", None),
        ("4\nbecause it is good", None), ("nan", None), ("inf", None), ("1e0", None), ("٤", None), (None, None),
    ],
)  # fmt: skip
def test_only_a_number_on_the_scale_in_the_last_line_is_a_score(reply, score):
    assert endpoint.number(reply, (1.0, 5.0)) == score


def test_an_answer_without_a_number_is_missing_and_named_and_the_others_are_kept(work):
    with serving(lambda asked, number: Reply(content="I cannot" if "ours 1" in str(asked["body"]) else "2")) as server:
        asks(**MODEL | {"url": server.url})
        message = stopped("1 of 8 answers got no number, and count as not judged")
    assert "the judge ended with 'I cannot'" in message
    assert [line["score"] for line in lines()] == [2.0] * 7


def test_an_answer_cut_off_is_no_score(work):
    with serving(lambda asked, number: Reply(content="1", finish="length")) as server:
        asks(**MODEL | {"url": server.url})
        assert "longer than max_tokens, 16" in stopped("got no number")
    assert not judged.JUDGEMENTS.exists()


def test_a_judge_that_says_no_number_time_and_again_is_asked_no_further(work):
    predictions.write(judge.PREDICTIONS, told([record(number) for number in range(40)]))
    arrow.write_records(judge.SLICES / "winter.arrow", [record(number) for number in range(40)])
    with serving(lambda asked, number: Reply(content="Sure!")) as server:
        asks(**MODEL | {"url": server.url})
        stopped("answers in a row got no number; asked no further")
    assert len(server.asked) < 20


# faults


def fault(reply: Reply, *options: str, monkeypatch) -> tuple[str, int]:
    """What `make judge` says, and how often it asked."""
    monkeypatch.setattr(sys, "argv", ["judge", "--parallel", "1", *options])
    with serving(lambda asked, number: reply) as server:
        asks(**MODEL | {"url": server.url})
        return stopped(), len(server.asked)


@pytest.mark.parametrize(
    ("reply", "said", "asked"),
    [
        pytest.param(Reply(status=500, body=b"<html>oops</html>"), "answers 500, 4 times", 4, id="500"),
        pytest.param(Reply(status=503, body=b""), "answers 503, 4 times", 4, id="503"),
        pytest.param(Reply(status=429, body=b"{}", headers={"retry-after": "0"}), "answers 429, 4 times", 4, id="429"),
        pytest.param(Reply(status=401, body=b'{"error": {"message": "no such key"}}'), "answers 401: no such key", 1,
                     id="401"),
        pytest.param(Reply(status=404, body=b'{"error": "no such model"}'), "answers 404: no such model", 1, id="404"),
        pytest.param(Reply(status=307, body=b"", headers={"location": "http://127.0.0.1:9/"}), "answers 307", 1,
                     id="redirect"),
        pytest.param(Reply(body=b"<html>hello</html>"), "answers no chat completion", 1, id="html"),
        pytest.param(Reply(body=b'{"choices": []}'), "answers no chat completion", 1, id="no-choices"),
        pytest.param(Reply(body=b"[1]"), "answers no chat completion", 1, id="list"),
        pytest.param(Reply(body=b"\xff\xfe\x00"), "answers no chat completion", 1, id="binary"),
        pytest.param(Reply(body=b" " * (endpoint.LONGEST + 9)), "more than a chat completion may be", 1, id="flood"),
    ],
)  # fmt: skip
def test_a_server_that_fails_is_one_clear_error(work, monkeypatch, reply, said, asked):
    message, count = fault(reply, monkeypatch=monkeypatch)
    assert said in message
    assert "the judge prometheus at http://127.0.0.1:" in message
    assert "docs/how-to/judge.md" in message
    assert count == asked
    assert not judged.JUDGEMENTS.exists()


def test_a_server_that_drips_is_given_up(work, monkeypatch):
    message, count = fault(Reply(drip=0.05), "--timeout", "0.3", "--attempts", "2", monkeypatch=monkeypatch)
    assert "was not done after 0.3 seconds, 2 times" in message
    assert count == 2


def test_a_server_that_is_down_is_one_clear_error(work):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        asks(**MODEL | {"url": f"http://127.0.0.1:{free.getsockname()[1]}/v1"})
        assert "cannot be reached (ConnectError), 4 times" in stopped()


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/v1", "https://[::g/v1", "https://:1/"])
def test_an_address_that_is_none_is_one_clear_error(work, monkeypatch, url):
    monkeypatch.setattr(sys, "argv", ["judge", "--attempts", "1"])
    asks(**MODEL | {"url": url})
    assert f"the judge prometheus at {url} " in stopped()


def test_a_server_that_recovers_is_asked_again(work):
    with serving(lambda asked, number: Reply(status=502 if number < 2 else 200)) as server:
        asks(**MODEL | {"url": server.url})
        judge.main()
    assert len(lines()) == 8


def test_what_was_judged_before_a_fault_is_kept_and_not_asked_again(work, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["judge", "--parallel", "2"])
    with serving(lambda asked, number: Reply(status=401 if number == 5 else 200)) as server:
        asks(**MODEL | {"url": server.url})
        stopped("answers 401")
        kept = len(lines())
        assert 4 <= kept <= 5
        judge.main()
    assert len(lines()) == 8
    assert len(server.asked) == 6 + 8 - kept


@pytest.mark.parametrize(
    ("value", "what"), [(None, "is not set"), ("  ", "is not set"), ("two words", "holds characters that no key has")]
)
def test_a_key_that_is_none_stops_before_anybody_is_asked(work, monkeypatch, value, what):
    monkeypatch.delenv("JUDGE_KEY") if value is None else monkeypatch.setenv("JUDGE_KEY", value)
    with serving(lambda asked, number: Reply()) as server:
        asks(**MODEL | {"url": server.url})
        message = stopped(what)
    assert server.asked == []
    assert "two words" not in message


def test_without_key_from_no_key_is_sent(work):
    with serving(lambda asked, number: Reply()) as server:
        asks(**MODEL | {"url": server.url, "key_from": None})
        judge.main()
    assert {one["key"] for one in server.asked} == {None}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(content=f"your key is {KEY}"),
        Reply(status=401, body=json.dumps({"error": {"message": f"wrong key: {KEY}"}}).encode()),
        Reply(status=500, body=json.dumps({"error": {"message": f"wrong key: {KEY}"}}).encode()),
    ],
)
def test_the_key_stands_in_no_message_and_no_file(work, capsys, reply):
    with serving(lambda asked, number: reply) as server:
        asks(**MODEL | {"url": server.url})
        try:
            judge.main()
            message = ""
        except GraftError as error:
            message = str(error)
    assert server.asked[0]["key"] == f"Bearer {KEY}"
    out = capsys.readouterr()
    assert KEY not in message + out.out + out.err
    assert KEY.encode() not in everything(Path())


# the committed file of judgements


def test_every_bad_line_is_named_at_once(work):
    good = json.dumps({"key": "a" * 32, "score": 4})
    judged.JUDGEMENTS.write_text(f'{good}\n{{"key": 1, "score": 2}}\n<<<<<<< ours\n{{"key": "b", "score": NaN}}\n[]\n')
    with pytest.raises(GraftError) as caught:
        judged.known(judged.load(MODEL))
    assert [part.split(":")[0] for part in str(caught.value).replace(f"{judged.JUDGEMENTS}: ", "  ").splitlines()] == [
        "  line 2", "  line 3", "  line 4", "  line 5", "  help",
    ]  # fmt: skip


def test_of_two_lines_with_one_key_the_first_counts(work):
    judged.JUDGEMENTS.write_text('{"key": "a", "score": 4}\n{"key": "a", "score": 2}\n')
    assert judged.known(judged.load(MODEL)) == {"a": 4.0}


def test_a_score_beyond_the_scale_is_refused(work):
    found = judged.load(MODEL)
    key = found.key(work[0], "ours")
    with pytest.raises(GraftError, match=r"judgements\.jsonl: .*: 9 is not a number from 1 to 5"):
        judged.added(found, {key: 9.0}, work[:1], [said("ours")])


def test_judgements_that_nobody_needs_are_dropped_but_the_newest(monkeypatch):
    monkeypatch.setattr(judge, "SPARE", 2)
    scores = dict.fromkeys("abcdef", 1.0)
    assert [json.loads(line)["key"] for line in judge.pruned(scores, ["a", "d"]).splitlines()] == ["a", "d", "e", "f"]


def test_what_the_parents_state_holds_is_not_asked_again(work):
    found = judged.load(MODEL)
    before = told(work)
    for one, item in zip(work, before["items"], strict=True):
        item["parent"] = None
        item["candidate"] = said("old", judge={"key": found.key(one, "old"), "score": 3.0})
    known = judged.known(found, [before])
    [row] = judged.added(found, known, work[:1], [said("old")])
    assert row["judge"] == {"key": found.key(work[0], "old"), "score": 3.0}
    other = judged.load(MODEL | {"model": "another"})
    assert judged.added(other, known, work[:1], [said("old")])[0]["judge"]["score"] is None


# people's ratings


def rating(one: Record, text: str, score: str, *more: str) -> str:
    return ",".join([one.id, ratings.hashed(text), score, *more])


def test_people_fill_in_a_list_and_it_becomes_their_ratings(work, capsys):
    asks(**PEOPLE)
    judge.main()
    assert "0 of 8 answers are rated" in capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(judge.UNRATED.read_text(encoding="utf-8-sig"))))
    assert [row["id"] for row in rows] == [one.id for one in work for _ in range(2)]
    assert list(rows[0]) == ["id", "hash", "question", "reference", "answer", "score"]  # not whose answer it is
    filled = judge.UNRATED.read_text().splitlines()
    judge.UNRATED.write_text("\n".join([filled[0], filled[1] + "4", filled[2] + "2.5", *filled[3:]]) + "\n")
    judge.main()
    assert "2 new ratings in metrics/ratings.csv; 2 of 8 answers are rated" in capsys.readouterr().out
    written = Path("metrics/ratings.csv").read_text()
    assert written == "id,hash,score\n" + "".join(
        f"{row['id']},{row['hash']},{score}\n" for row, score in zip(rows[:2], ["4", "2.5"], strict=True)
    )
    assert len(judge.UNRATED.read_text().splitlines()) == 7
    judge.main()
    assert Path("metrics/ratings.csv").read_text() == written


def test_once_all_answers_are_rated_the_next_step_is_said(work, capsys):
    asks(**PEOPLE)
    judge.main()
    head, *rows = judge.UNRATED.read_text().splitlines()
    judge.UNRATED.write_text("\n".join([head, *(f"{row}4" for row in rows)]) + "\n")
    capsys.readouterr()
    judge.main()
    said = "judge: 8 new ratings in metrics/ratings.csv; all 8 answers are rated: `git add metrics`, `dvc repro`\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("asked", "path", "content"),
    [
        pytest.param(PEOPLE, "metrics/ratings.csv", "id,hash,score\nx,y,4\n", id="people"),
        pytest.param(MODEL, str(judged.JUDGEMENTS), "<<<<<<< ours\n", id="model"),
    ],
)
def test_bad_scores_are_told_before_the_predictions_that_they_keep_from_being_made(work, asked, path, content):
    asks(**asked)
    judge.PREDICTIONS.unlink()
    Path(path).write_text(content)
    assert stopped().startswith(f"{path}: line ")


def test_ratings_count_for_the_item_and_the_very_answer(work):
    Path("metrics/ratings.csv").write_text(f"id,hash,score\n{rating(work[0], 'a lamp', '4')}\n")
    found = judged.load(PEOPLE)
    scores = judged.known(found)
    rows = judged.added(found, scores, [*work[:2], work[0]], [said("a lamp"), said("a lamp"), said("a lamp.")])
    assert [row["judge"]["score"] for row in rows] == [4.0, None, None]
    assert judged.coverage(rows) == (1, 3)


def test_every_bad_row_is_named_at_once_with_its_line(work):
    one = work[0]
    rows = [
        rating(one, "a", "4"), rating(one, "b", "6"), rating(one, "c", "good"), rating(one, "d", "nan"),
        f"x,{ratings.hashed('e')},3", f"{one.id},,3", rating(one, "a", "4"), rating(one, "f", ""),
        rating(one, "g", '3,"two\nlines"'), rating(one, "h", "0.99"),
    ]  # fmt: skip
    Path("metrics/ratings.csv").write_text("id,hash,score,comment\n" + "\n".join(rows) + "\n")
    with pytest.raises(GraftError) as caught:
        judged.known(judged.load(PEOPLE))
    assert str(caught.value).splitlines() == [
        "metrics/ratings.csv: line 3: score: '6' is not a number from 1 to 5",
        "  line 4: score: 'good' is not a number from 1 to 5",
        "  line 5: score: 'nan' is not a number from 1 to 5",
        "  line 6: id: 'x' is not 64 hex digits, as `make judge` lists them",
        "  line 7: hash: '' is not 64 hex digits, as `make judge` lists them",
        "  line 8: this answer is rated in line 2 already",
        "  line 12: score: '0.99' is not a number from 1 to 5",
        "  help: docs/how-to/judge.md: columns id, hash and score; a row without a score says nothing",
    ]


@pytest.mark.parametrize("head", ["id,score", "id,hash,score,score", "", "a,b,c"])
def test_a_ratings_file_without_its_columns_is_refused(work, head):
    Path("metrics/ratings.csv").write_text(f"{head}\n")
    with pytest.raises(GraftError, match="line 1: one column each of"):
        judged.known(judged.load(PEOPLE))


def test_columns_apart_by_something_unknown_are_told_so(work):
    path = Path("metrics/ratings.csv")
    path.write_text(f"id|hash|score\n{work[0].id}|{ratings.hashed('a')}|4\n")
    with pytest.raises(GraftError, match="hash, score is needed; between columns stand commas, semicolons or tabs"):
        judged.known(judged.load(PEOPLE))
    path.write_text(f"id,hash,score\n{work[0].id};{ratings.hashed('a')};4\n")
    with pytest.raises(GraftError, match="line 2: one cell, and the header has 3: between columns stands something"):
        judged.known(judged.load(PEOPLE))


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "gb18030"), ("\t", "utf-16"), (",", "utf-8")]
)
def test_a_spreadsheet_may_save_the_ratings(work, delimiter, encoding):
    one = work[0]
    cells = [["Comment", "Score", "HASH", "id"], ["不错", "4", ratings.hashed("灯"), one.id]]
    Path("metrics/ratings.csv").write_bytes("\r\n".join(map(delimiter.join, cells)).encode(encoding))
    assert ratings.read(Path("metrics/ratings.csv"), (1, 5)) == {(one.id, ratings.hashed("灯")): 4.0}


def test_new_ratings_join_what_stands_there_in_its_columns(work):
    path, first = Path("metrics/ratings.csv"), f"score;id;by;hash\n3;{work[0].id};Mei;{ratings.hashed('a')}\n"
    path.write_text(first)
    judge.UNRATED.write_text(f"id,hash,score\n{rating(work[1], 'b', '4')}\n")
    assert ratings.taken(path, judge.UNRATED, (1, 5)) == 1
    assert path.read_text() == f"{first}4;{work[1].id};;{ratings.hashed('b')}\n"


def test_a_second_rating_of_an_answer_is_refused_and_nothing_written(work):
    path = Path("metrics/ratings.csv")
    path.write_text(f"id,hash,score\n{rating(work[0], 'a', '3')}\n")
    judge.UNRATED.write_text(f"id,hash,score\n{rating(work[0], 'a', '4')}\n{rating(work[1], 'b', '4')}\n")
    before = everything(Path())
    with pytest.raises(GraftError, match=r"4, and metrics/ratings\.csv has 3"):
        ratings.taken(path, judge.UNRATED, (1, 5))
    assert everything(Path()) == before


def test_a_rating_taken_back_is_not_found_again_in_the_parents_state(work):
    found, one = judged.load(PEOPLE), work[0]
    state = {"items": [{"candidate": said("a", judge={"key": found.key(one, "a"), "score": 5.0})}]}
    assert judged.known(found, [state])[found.key(one, "a")] == 5.0
    Path("metrics/ratings.csv").write_text(f"id,hash,score\n{rating(one, 'a', '')}\n")
    assert judged.known(found, [state])[found.key(one, "a")] is None


def test_the_list_is_bounded_and_no_spreadsheet_runs_it(work):
    rows = [
        ratings.Unrated(id=f"{n:064x}", hash=ratings.hashed(text), question="=1+1", reference="-", answer=text)
        for n, text in enumerate(["=cmd", "@x", "fine", "two\nlines", "\ud800"])
    ]
    found = list(csv.reader(io.StringIO(ratings.listed(rows, 4).removeprefix("\ufeff"), newline="")))
    assert [row[2:5] for row in found[1:]] == [
        ["'=1+1", "'-", "'=cmd"], ["'=1+1", "'-", "'@x"], ["'=1+1", "'-", "fine"], ["'=1+1", "'-", "two\nlines"],
    ]  # fmt: skip
    ratings.listed(rows, 5).encode()  # a lone surrogate breaks no file


@given(st.lists(st.text(), min_size=1, max_size=4), st.booleans())
def test_a_list_with_any_texts_can_be_read_again(tmp_path_factory, texts, longer):
    path = tmp_path_factory.mktemp("list") / "unrated.csv"
    texts = [text * (ratings.LONGEST if longer else 1) for text in texts]
    rows = [
        ratings.Unrated(id=f"{n:064x}", hash=ratings.hashed(text), question=text, reference=text, answer=text)
        for n, text in enumerate(texts)
    ]
    files.write_text(path, ratings.listed(rows, 10))
    assert ratings.read(path, (1, 5)) == {(row.id, row.hash): None for row in rows}


# figures


def test_only_what_was_judged_counts_and_the_rest_is_told(work):
    scores = [4.0, None, 1.0, None]
    items = [
        {"kind": "sft", "answer": "a", "candidate": said("a", judge={"key": "k", "score": score})} for score in scores
    ]
    found = slice_metrics.measure(items, "candidate")
    assert (found["judge"], found["judged"], found["unjudged"]) == (2.5, 2, 2)
    none = slice_metrics.measure([items[1]], "candidate")
    assert (none["judge"], none["judged"], none["unjudged"]) == (None, 0, 1)
    assert "judge" not in slice_metrics.measure([{"kind": "sft", "answer": "a", "candidate": said("a")}], "candidate")
    sides = {"candidate": {"all": found, "slices": {"winter": none}}, "parent": None, "anchor": None}
    metrics = files.read_json(ROOT / "reports/metrics.json") | sides
    assert schema.problems(metrics, "metrics") == []


def test_rows_of_a_state_lose_a_score_that_is_not_asked_for():
    assert judged.added(None, {}, [record(1)], [said("a", judge={"key": "k", "score": 2.0})]) == [said("a")]
