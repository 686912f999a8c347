import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.evaluation.perturb import perturb
from pipeline.evaluation.perturb.perturbations import KINDS

TITLE = "Norvik Nova 9 Pro smartphone 256GB dual sim black"
HAN, KANA = "双卡手机超长待机", "ワイヤレスヘッドホン"


def record(text: str, instruction: str = "", **more) -> Record:
    messages = records.classification(text, "Phones", instruction)
    return Record(
        id=records.content_id(messages), messages=messages, increment="winter", file="raw/a.csv", line=1, **more
    )


def changed(kind: str, text: str = TITLE, strength: float = 0.1, name: str = "x") -> str | None:
    return perturb.perturbed(text, kind, strength, name)


def test_variants_come_by_source_kind_and_strength_and_repeat():
    sources = [record(TITLE), record("red fridge with two doors")]
    made = perturb.variants(sources, KINDS, [0.1, 0.3])
    assert made == perturb.variants(reversed(sources), reversed(KINDS), [0.3, 0.1])
    keys = [(one.source, one.kind, one.strength) for one in made]
    assert keys == sorted(keys)
    assert len(set(keys)) == 2 * len(KINDS) * 2


def test_one_items_variants_do_not_depend_on_the_others():
    alone = perturb.variants([record(TITLE)], ["typos"], [0.1])
    assert [one for one in perturb.variants([record("lamp"), record(TITLE)], ["typos"], [0.1]) if one in alone] == alone


def test_only_the_text_changes_and_the_id_follows_the_content():
    source = record(TITLE, "Which category?\nSay one word.", key="k", date="2026-01-02")
    for one in perturb.variants([source], KINDS, [0.5]):
        content = one.record.messages[0]["content"]
        assert content.startswith("Which category?\nSay one word.\n")
        assert content != source.messages[0]["content"]
        assert (one.record.answer, one.record.key, one.record.line) == ("Phones", "k", 1)
        assert one.record.id == records.content_id(one.record.messages) != source.id


def test_the_last_user_message_of_a_conversation_is_the_one_that_changes():
    said = [("system", "Be kind"), ("user", "First question"), ("assistant", "Yes"), ("user", "Second question")]
    messages = [{"role": role, "content": content} for role, content in [*said, ("assistant", "No")]]
    source = Record(id="a" * 64, kind="sft", messages=messages, increment="i", file="f", line=1)
    (one,) = perturb.variants([source], ["case"], [1.0])
    assert one.record.messages == [*messages[:3], {"role": "user", "content": "second QUESTION"}, messages[4]]


def test_a_text_to_continue_has_no_variants():
    messages = [{"role": "text", "content": TITLE}]
    source = Record(id="a" * 64, kind="text", messages=messages, increment="i", file="f", line=1)
    assert perturb.variants([source], KINDS, [0.1]) == []


@pytest.mark.parametrize(("kind", "text"), [("case", HAN), ("case", "12 34"), ("drop", "lamp"), ("width", HAN)])
def test_what_a_kind_cannot_change_has_no_variant(kind, text):
    assert changed(kind, text) is None
    assert perturb.variants([record(text)], [kind], [0.1]) == []


def test_strength_is_the_share_that_changes():
    text = "abcdefghij " * 10
    for share in (0.1, 0.5):
        words = zip(text.split(), changed("case", text, share).split(), strict=True)
        assert sum(one != other for one, other in words) == 10 * share
        assert len(changed("drop", text, share).split()) == 10 - 10 * share
    assert len(changed("junk", text, 0.2)) >= len(text) * 1.2


def test_typos_hit_a_key_beside_exchange_leave_out_and_double():
    found = {changed("typos", "lamp", 0.1, str(n)) for n in range(400)}
    assert {"alamp", "lampp"} & found
    assert {"amp", "lmp", "lap", "lam"} <= found
    assert {"almp", "lmap", "lapm"} <= found
    assert {"kamp", "lsmp", "lanp", "lamo"} <= found
    assert all(letter.isalpha() for text in found for letter in text)


def test_chinese_and_japanese_change_by_characters():
    assert len(changed("drop", HAN, 0.25)) == len(HAN) - 2
    assert len(changed("drop", KANA, 0.2)) == len(KANA) - 2
    assert changed("spacing", HAN).replace(" ", "") == HAN
    assert set(changed("typos", HAN)) <= set(HAN)


def test_width_turns_both_ways():
    assert changed("width", "ABC-12", 1.0) == "ＡＢＣ－１２"
    assert changed("width", "ＡＢＣ", 1.0) == "ABC"
    assert changed("width", "ガス", 1.0) == "ｶﾞｽ"


def test_letters_keep_the_accents_that_belong_to_them():
    found = {changed("noise", "e\u0301e\u0301", 0.1, str(n)) for n in range(50)}
    assert all(not text.startswith("\u0301") for text in found)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=60).map(lambda text: " ".join(text.split())), st.floats(0.01, 1.0))
def test_never_empty_never_the_same_and_marks_stay(text, strength):
    text = f"{text} [PHONE] tail"
    for kind in KINDS:
        made = perturb.perturbed(text, kind, strength, "x")
        assert made is None or (made.strip() and made != text)
        assert made is None or kind == "drop" or "[PHONE]" in made


def test_drop_leaves_one_word():
    assert changed("drop", "red lamp", 1.0) in ("red", "lamp")
