"""The normal form of one text and of a batch's."""

import csv
import unicodedata
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.clean import folding, message_texts, normalize
from pipeline.data.clean.normalize import block, line
from pipeline.data.clean.settings import NormalizeSettings
from tests.rows import batch, outcome, plain, title

TITLES = Path(__file__).parents[3] / "shared/data/pricerunner/pricerunner_aggregate.csv"
OFF = NormalizeSettings(unicode=False, mojibake=False, white_space=False, entities=False)


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        pytest.param("sÃ³lo", "sólo", id="utf-8-as-latin-1"),
        pytest.param("lâ€™Ã©tÃ©", "l’été", id="utf-8-as-windows-1252"),
        pytest.param("ÃƒÂ©cran", "écran", id="twice"),
        pytest.param("å†°ç®±", "冰箱", id="chinese"),
        pytest.param("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет", id="cyrillic"),
        pytest.param("55â€³ 4K", "55″ 4K", id="inches"),
        pytest.param("kühlschrank â€“ weiß", "kühlschrank – weiß", id="only-in-part"),
        pytest.param("CafÃ© und Ãœbergröße", "Café und Übergröße", id="beside-good-text"),
        pytest.param("ï¼Œ", "，", id="a-chinese-comma"),
        pytest.param("MÃ¼ller’s naïve", "Müller’s naïve", id="windows-1252-and-unicode"),
        pytest.param("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет", id="lower-case-cyrillic"),
        pytest.param("æ\x8c\x81ã\x81£ã\x81¦", "持って", id="kanji-and-kana"),
        pytest.param("VÃµru Å\x81Ã³dÅº Ä°stanbul", "Võru Łódź İstanbul", id="names"),
        pytest.param("\x93smart\x94", "“smart”", id="control-characters-of-windows-1252"),
    ],
)
def test_mojibake_is_repaired(broken, repaired):
    assert line(broken, NormalizeSettings()) == repaired
    assert line(broken, NormalizeSettings(mojibake=False)) != repaired


@pytest.mark.parametrize("text", ["Casaco “LÃ” feminino", "Suco “ROMÃ” 1L", "HORTELÃ™ 1L", "1.54 Å± 0.01"])
def test_signs_behind_a_word_stay(text):
    assert line(text, NormalizeSettings()) == text


@pytest.mark.parametrize(
    "text",
    [
        "café crème à la carte", "Größe: 55″ – weiß", "naïve Ærø ÅÄÖ", "冰箱 三门 215L", "Привет, мир", "ελληνικά",
        "日本語テキスト", "한국어", "עברית", "5 € / 3 £ ± 2 °C ½ × ¾", "“quoted” — ‘text’…", "¿qué? ¡sí!",
        "Üßªąñ", "ßª", "É±", "ANDRÉ± ACHÍ§", "Häagen-Dazs® Škoda™ naïve Ångström „Übergröße“",
        "Łódź İstanbul Çelik Võru Ñandú",
        "»Åberg« »Étienne« »Çetin«", "”Évora", "Ölfarbe ¼ ½", "JÄRVENPÄÄ° BLÅ® SEPPÄ½ MANHÃ®",
        "NESCAFÉ® CRÈME™ MÜSLI©", "PURÉ² ŠÉF³",
        "PARCE QUE SUR LEURS PLAQUES IL Y MARQUÉ…", "(╯°□°)╯", "© 2020 ® ™", "👩\u200d🔧 👍🏽",
    ],
)  # fmt: skip
def test_good_text_stays(text):
    assert line(text, NormalizeSettings()) == text
    assert block(text, NormalizeSettings()) == text


ACCENTED = "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþßāăąćčďđēęěğģīįķļľłńņňőœŕřśşšţťūůűųźżžªº"


@pytest.mark.parametrize("sign", ["", *"®™©°²³½¼…»“”’€£§±×!?)"])
def test_an_accented_letter_and_any_sign_stay(sign):
    words = [f"ex{letter}{sign} y" for letter in ACCENTED] + [
        f"EX{letter}{sign} Y" for letter in ACCENTED.upper() if letter not in "ÂÃ"
    ]
    assert [line(word, NormalizeSettings()) for word in words] == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tom &amp; Jerry&#39;s caf&eacute; &#xB7; 5&nbsp;kg", "Tom & Jerry's café · 5 kg"),
        ("a&amp;nbsp;b &amp;amp;amp;lt; &#183;", "a b < ·"),
        ("&quot;x&quot; &lt;b&gt; &hellip;", '"x" <b> …'),
        ("AT&T Q&A a&b; &copy 2020 &foo; &; &#; &#xZZ; &#0; &#xD800; R&D;", None),
        ("&Atilde;&copy;t&Atilde;&copy;", "été"),
    ],
)
def test_entities_are_decoded_in_titles_and_labels(text, wanted):
    cleaned = outcome(normalize.apply(batch([title(text, text)]), NormalizeSettings()).to_pylist()[0])
    assert cleaned == [wanted or text] * 2
    assert line(cleaned[0], NormalizeSettings()) == cleaned[0]
    rows = batch([title(text, text), plain(f"{text}\n&lt;b&gt;"), plain("&lt;")])
    assert normalize.apply(rows, NormalizeSettings(entities=False)).equals(rows)
    assert normalize.apply(rows, NormalizeSettings()).slice(1).equals(rows.slice(1))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne", id="line-ends"),
        pytest.param(" a  \t\n\n b \u3000\n", "a\n\n b", id="blanks-at-line-ends"),
        pytest.param("if x:\n\treturn  1\n", "if x:\n\treturn  1", id="code"),
        pytest.param("\n    return x\n", "return x", id="one-indented-line"),
        pytest.param("\n    a\n    b", "    a\n    b", id="an-indented-block"),
        pytest.param("a\0b\x1c\u200bc", "abc", id="controls"),
        pytest.param("good\nsÃ³ 冰箱", "good\nsó 冰箱", id="mojibake-by-line"),
    ],
)
def test_block(text, wanted):
    assert block(text, NormalizeSettings()) == wanted
    assert block(wanted, NormalizeSettings()) == wanted


@pytest.mark.parametrize(
    ("option", "text", "wanted"),
    [
        ({"lowercase": True}, "RED Fridge ÄÖ [EMAIL]", "red fridge äö [EMAIL]"),
        (
            {"ascii": True},
            "Crème brûlée Ærø ß ｆｕｌｌ１２，ﬁ x\u0302 冰箱 ½",
            "Creme brulee AEro ss full12,fi x 冰箱 1/2",
        ),
        ({"ascii": True}, "ǽ Ǿ ﬁ ℡", "ae O fi TEL"),
        ({"ascii": True}, "がぎ ガ 한국 हिन्दी", "がぎ ガ 한국 हिन्दी"),
        ({"strip_urls": True}, "see https://a.example/x?y=1 or www.b.example now", "see or now"),
        ({"strip_emails": True}, "mail a@b.example now", "mail now"),
        ({"strip_phones": True}, "call 13812345678 now", "call now"),
    ],
)
def test_option(option, text, wanted):
    assert line(text, NormalizeSettings(**option)) == wanted
    assert outcome(normalize.apply(batch([title(text)]), NormalizeSettings(**option)).to_pylist()[0])[0] == wanted


def test_line_breaks_are_kept_or_become_blanks():
    rows = batch([plain("a\n\n  b\r\nc")])
    assert outcome(normalize.apply(rows, NormalizeSettings()).to_pylist()[0]) == ["a\n\n  b\nc"]
    assert outcome(normalize.apply(rows, NormalizeSettings(line_breaks=False)).to_pylist()[0]) == ["a b c"]


def test_labels_keep_their_case():
    rows = batch([title("RED", "Kühlschrank  A")])
    options = NormalizeSettings(lowercase=True, ascii=True)
    assert outcome(normalize.apply(rows, options).to_pylist()[0]) == ["red", "Kühlschrank A"]


def test_everything_can_be_turned_off():
    rows = batch([title(" a\0 \u0301e\tsÃ³ "), plain("a \r\n")])
    assert normalize.apply(rows, OFF).equals(rows)


@pytest.mark.parametrize(("one_line", "change"), [(True, line), (False, block)])
def test_the_gate_knows_every_character_that_is_changed(one_line, change):
    options = NormalizeSettings(mojibake=False)  # which never is in one character
    points = (point for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    texts = pa.array([f"a{chr(point)}a" for point in points])
    gated = message_texts.matching(texts, normalize._gate(options, one_line=one_line))
    rest = "".join(texts.filter(pa.array(~gated)).to_pylist())
    assert change(rest, options) == rest
    assert gated.sum() < 6000  # marks, controls and what stands for something else


def test_folding_knows_every_character():
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    assert folding.to_ascii(folding.to_ascii(text)) == folding.to_ascii(text)


def test_the_gate_knows_every_mark_that_composes():
    parts = (unicodedata.decomposition(chr(point)).split() for point in range(0x110000))
    seconds = pa.array(sorted({chr(int(part[1], 16)) for part in parts if len(part) == 2 and part[0][0] != "<"}))
    assert message_texts.matching(seconds, normalize._gate(NormalizeSettings(), one_line=True)).all()


HIGH = st.text(
    st.characters(min_codepoint=0x80, max_codepoint=0x2100, exclude_categories=["Cs"]) | st.sampled_from("aé °Ã")
)


@settings(max_examples=300, deadline=None)
@given(
    HIGH,
    st.booleans(),
    st.builds(NormalizeSettings, lowercase=st.booleans(), ascii=st.booleans(), line_breaks=st.booleans()),
)
def test_the_gate_misses_nothing_and_twice_is_once(text, one_line, options):
    change = partial(line if one_line else block, options=options)
    changed = change(text)
    assert change(changed) == changed
    if changed != text:
        assert message_texts.matching(pa.array([text]), normalize._gate(options, one_line=one_line)).all()


@pytest.mark.parametrize(
    "text",
    [
        " " * 200_000,
        "a " * 100_000,
        "Ã©" * 50_000,
        " \n" * 100_000,
        "&amp;" * 40_000,
        "&#38;" * 40_000,
        "&" * 200_000,
        "Ã© ü ß " * 4_000,
        "\u0301" * 100_000,
        "Ã" * 100_000,
    ],
)
def test_time_is_linear_in_the_length(text):
    for change in (line, block):
        change(
            text, NormalizeSettings(ascii=True, lowercase=True, strip_urls=True, strip_emails=True, strip_phones=True)
        )


@pytest.mark.skipif(not TITLES.is_file(), reason="../shared/data is absent")
def test_titles_of_a_real_catalogue_stay():
    with TITLES.open(encoding="utf-8") as file:
        titles = [row[1] for row in csv.reader(file)]
    rows = batch(title(each) for each in titles)
    assert normalize.apply(rows, NormalizeSettings()).equals(rows)
