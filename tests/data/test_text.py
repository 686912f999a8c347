import pytest

from pipeline.data.clean.single_text import clean, mask, undecodable


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("  a \t b\r\nc\u3000d\u00a0e ", "a b c d e", id="white-space"),
        pytest.param("a\0b\x1b\x85c\u200bd\ufeff", "ab cd", id="control-characters"),
        pytest.param("cafe\u0301", "café", id="nfc"),
        pytest.param("ﬁ Ⅳ ２", "ﬁ Ⅳ ２", id="compatibility-forms-stay"),
        pytest.param("👩\u200d🔧", "👩\u200d🔧", id="joined-emoji-stay"),
    ],
)
def test_clean(text, cleaned):
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ask anna.b+shop@mail.example.co.uk now", "ask [EMAIL] now"),
        ("邮箱anna@example.com，电话13812345678", "邮箱[EMAIL]，电话[PHONE]"),
        ("call +44 20 7946 0958.", "call [PHONE]."),
        ("call +1 (212) 555-0123 or (212) 555-0123", "call [PHONE] or [PHONE]"),
        ("tel:+8613812345678", "tel:[PHONE]"),
        ("手机138-1234-5678 / 138 1234 5678", "手机[PHONE] / [PHONE]"),
        ("电话010-88886666, 0755-8888 6666", "电话[PHONE], [PHONE]"),
        ("tel 0800 123 4567 02079460958", "tel [PHONE] [PHONE]"),
        ("call 212-555-0123, 400-820-8820", "call [PHONE], [PHONE]"),
    ],
)
def test_contacts_are_masked(text, masked):
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "ean 4006381333931 upc 012345678905 gtin 00012345600012",
        "samsung ue55nu7400 55 1999.00 1,299.99 $1299",
        "canon eos 2000d 18 55mm 24 1mp 1300 1200 1000",
        "ssd 256 512 1024 gb ddr4 3200 16-18-18-38",
        "intel i7-8700k 3.70 12mb bx80684i78700k",
        "logitech 910-005620 sku 1380-0138-0138",
        "iso 100-12800 1920x1080 2018-01-02 01-02-2018 12:30:00",
        "galaxy s9+ 64 128 256, model a1381234567 13812345678x",
        "user@ @home a@b 5v@2a",
        "192.168.100.100",
    ],
)
def test_numbers_of_a_catalogue_stay(text):
    assert mask(text) == text


def test_undecodable():
    assert undecodable("caf\ufffd")
    assert undecodable("a\ud83d")
    assert not undecodable("café 冰箱 👩")


def test_masking_is_linear():
    for text in (
        "a" * 200_000 + "@",
        "1 " * 200_000,
        "0" * 200_000,
        "+1" * 100_000,
        "a@" * 100_000,
        "1.a@" + "b." * 100_000,
    ):
        mask(text)
