"""Encodings of text files: detected, or offered with the right one first; wherever in the file its letters begin."""

import random
import time

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.detect.detect import detect

HEADER = "title,category\n"
ROW = "Red desk lamp number {},Lamps\n"
PHRASES = {  # encoding and language -> titles
    "cp1252 de": "Kühlschrank mit Gefrierfach|Größe M, weiß|Schöne Möbel|Stuhl für Gäste",
    "cp1252 fr": "chaise à la crème brûlée|lampe d’été|forêt|fenêtre à volets|théière|garçon",
    "cp1252 de and fr": "Größe M, weiß|Schöne Möbel|Stuhl für Gäste|Tür|Kühl|Gemüse|Käse|Öl|à la carte crème mañana",
    "cp1252 es": "niño pequeño año|lámpara de pie|sillón cómodo|baño|¿Qué?",
    "cp1252 pt": "ação coração não|cadeira de balanço|luminária|colchão",
    "cp1252 sv": "för hål åt|stol av trä|lampa för kök|grönt säte",
    "cp1252 da": "rød stol|små børn|lænestol",
    "cp1252 signs": "Red “nice” 5 € – new|old ‘x’",
    "cp1250 pl": "krzesło drewniane|żółta lampa|łóżko dziecięce|dywan wełniany|stół dębowy|mały",
    "cp1250 cs": "Dřevěná židle|žlutý stůl|koberec vlněný|noční lampička|křeslo",
    "cp1250 hu": "fűtő szőnyeg|ágyneműtartó|hűtő|bőr fotel|vízmelegítő|étkezőasztal|könyvespolc",
    "iso8859_2 pl": "żółta lampa|łóżko dziecięce|dywan wełniany|ścienny|stół dębowy|mały",
    "cp1251 ru": "деревянный стол|Холодильник белый|кресло мягкое|ЛАМПА настольная",
    "koi8_r ru": "деревянный стол|Холодильник белый|кресло мягкое|ЛАМПА настольная",
    "cp1253 el": "ξύλινη καρέκλα|φωτιστικό δαπέδου|χαλί σαλονιού|τραπέζι",
    "cp1254 tr": "şık gümüş ışık|ahşap masa|çalışma sandalyesi|halı|küçük İstanbul",
    "cp1255 he": "מנורה שולחן|כיסא עץ",
    "cp1256 ar": "كرسي خشبي|مصباح طاولة",
    "cp874 th": "ตู้เย็น|เก้าอี้ไม้|โคมไฟ",
    "shift_jis ja": "木製の椅子|テーブル 商品|敷物|冷蔵庫カメラ|ﾃｰﾌﾞﾙ 照明",
    "euc_jp ja": "木製の椅子|テーブル 商品|敷物|冷蔵庫カメラ",
    "big5 zh": "電冰箱,家用電器|手機,通訊|木製桌子|檯燈",
    "euc_kr ko": "냉장고,가전제품|휴대전화,통신기기|나무 의자|탁자",
    "cp850 fr": "chaise à la crème brûlée|forêt|canapé|fenêtre à volets",
    "mac_roman de": "Kühlschrank mit Gefrierfach|Größe M, weiß|Schöne Möbel",
}


def encoding(tmp_path, content: bytes, declared: str | None = None) -> str:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return detect(path, header=True, text="title", label="category", encoding=declared).encoding


def offered(tmp_path, content: bytes) -> list[str]:
    """The lines that a refusal shows."""
    with pytest.raises(GraftError, match=r"--set encoding=NAME") as refusal:
        encoding(tmp_path, content)
    return list(refusal.value.problems)


@pytest.mark.parametrize("case", PHRASES)
def test_the_right_encoding_is_offered_first(tmp_path, case):
    name, titles = case.split()[0], PHRASES[case].split("|")
    rows = "".join(f'"{title} {n}",Things\n' for n in range(12) for title in titles)
    found = offered(tmp_path, (HEADER + rows).encode(name))
    assert found[0].startswith(f"as {name} a line reads: ")
    assert len({line.partition("reads: ")[2] for line in found}) == len(found)  # the line shows where they differ
    assert encoding(tmp_path, (HEADER + rows).encode(name), name) == name


def test_accents_count_wherever_they_begin(tmp_path):
    plain = HEADER + "".join(map(ROW.format, range(40_000)))
    for few in (9, 20_000):
        found = offered(tmp_path, (plain + "Café crème à emporter,Food\n" * few).encode("cp1252"))
        assert found[0] == "as cp1252 a line reads: Café crème à emporter,Food"
    assert encoding(tmp_path, (plain + "Café crème à emporter,Food\n" * 9).encode()) == "utf-8"
    kana = (plain + "木製の椅子,家具\n" * 9).encode("iso2022_jp")
    assert encoding(tmp_path, kana) == "iso2022_jp"
    one_line = b'[{"title": "x", "category": "y"}' + b', {"title": "Caf\xe9", "category": "y"}' * 40_000 + b"]"
    assert offered(tmp_path, one_line)[0].startswith("as cp1252")


def test_what_is_rare_or_far_in_a_line_is_shown(tmp_path):
    rows = HEADER + "Kühlschrank mit Gefrierfach,Größe\n" * 9_000
    found = offered(tmp_path, (rows + "żółta lampa łąka,Größe\n" + rows).encode("cp1250"))
    assert found[0] == "as cp1250 a line reads: żółta lampa łąka,Größe"
    items = ", ".join(f'{{"title": "Red desk lamp {n}", "category": "Lamps"}}' for n in range(9_000))
    one_line = f'[{items}, {{"title": "木製の椅子とテーブル", "category": "Lamps"}}]'
    assert "木製の椅子とテーブル" in offered(tmp_path, one_line.encode("shift_jis"))[0]


def test_a_large_file_of_ascii_takes_no_time(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER.encode() + "".join(map(ROW.format, range(100_000))).encode() * 30)
    start = time.process_time()
    assert detect(path, text="title", label="category").encoding == "utf-8"
    assert time.process_time() - start < 3  # seconds for 100 MB; it takes 0.2


def test_utf8_but_for_few_bytes_is_utf8(tmp_path):
    cut = "Größe" + "家用大容量冰箱"
    for broken in (b"Red \xe2\x80 lamp", cut.encode()[:-1], b"\xf0\x9f", "Grö".encode() + b"\xc3e \xc3\xb6\xc3\xb6"):
        rows = HEADER.encode() + "".join(map(ROW.format, range(60))).encode() + broken + b",Lamps\n"
        assert encoding(tmp_path, rows) == "utf-8"
    for other in ("“café” noir", "café’s", "très"):  # a letter and a quote begin a character of UTF-8, too
        rows = HEADER + "".join(map(ROW.format, range(60))) + other + ",Lamps\n"
        assert offered(tmp_path, rows.encode("cp1252"))[0].startswith("as cp1252")


def test_what_looks_like_ascii_or_binary_is_told(tmp_path):
    japanese = "".join(f"木製の{'ﾃｰﾌﾞﾙ' if n % 4 == 0 else '椅子'} {n},{['照明', '敷物'][n % 2]}\n" for n in range(60))
    korean = "".join(f"나무 의자 {n},{['가구', '조명'][n % 2]}\n" for n in range(60))
    latin = "".join(f"Chaise d'été {n},{['Théière', 'Forêt'][n % 2]}\n" for n in range(60))
    labels = "".join(f"Red desk lamp {n},{['椅子', '照明', '敷物'][n % 3]}\n" for n in range(60))
    for text, name in (
        (japanese, "iso2022_jp_ext"), (korean, "iso2022_kr"), (latin, "utf-7"), (labels, "utf-7"), (japanese, "utf-7"),
        (latin, "utf-32"), (japanese, "utf-32-le"), (japanese, "utf-32-be"), (labels, "utf-16-be"),
    ):  # fmt: skip
        assert encoding(tmp_path, (HEADER + text).encode(name)) == name
    for plus in ("Toys+bag", "C+Blah", "+49 30 1234", "A+ grade, +bag", "1+1"):
        assert encoding(tmp_path, (HEADER + f'"{plus}",Lamps\n"Red desk",Lamps\n' * 60).encode()) == "utf-8"
    with pytest.raises(GraftError, match=r"(?s)ISO-2022-CN.*iconv -f ISO-2022-CN"):
        encoding(tmp_path, HEADER.encode() + b"\x1b$)A\x0e<R\x0f,Lamps\n" * 60)


def test_a_nul_is_damage_in_any_encoding(tmp_path):
    rows = HEADER + "Kühlschrank mit Gefrierfach,Größe\n" * 60
    assert offered(tmp_path, rows.encode("cp1252") + b"Bad\0 one,X\n")[0].startswith("as cp1252")


def test_random_bytes_are_refused(tmp_path):
    for seed in range(20):
        with pytest.raises(GraftError):
            encoding(tmp_path, random.Random(seed).randbytes(5_000))  # noqa: S311
