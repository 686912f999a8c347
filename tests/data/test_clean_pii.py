"""What is masked, what is no one's number and stays. No number here is a person's: documentation's and test numbers."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.clean import message_texts, pii
from pipeline.data.clean.masks import numbers
from pipeline.data.clean.pii import mask_text
from pipeline.data.clean.settings import PiiSettings
from tests.rows import batch, outcome, sft, title

TITLES = Path(__file__).parents[3] / "shared/data/pricerunner/pricerunner_aggregate.csv"
TOKEN = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"  # noqa: S105


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("身份证11010519491231002X。", "身份证[ID]。"),
        ("id 440308199901101512, or 11010519491231002x", "id [ID], or [ID]"),
        ("ssn 078-05-1120", "ssn [ID]"),
        ("cpf 529.982.247-25", "cpf [ID]"),
        ("110105 19491231 002X or 110105-1949-1231-002x", "[ID] or [ID]"),
        ("social security number 078 05 1120, SSN: 078051120", "social security number [ID], SSN: [ID]"),
        ("S.S.N. 078 - 05 - 1120, SSN078/05/1120", "S.S.N. [ID], SSN[ID]"),
        ("078051120 is my SSN; 078-05-1120 (ssn)", "[ID] is my SSN; [ID] (ssn)"),
        ("1101 0519 4912 3100 2X", "[ID]"),
        ("身份证号110105491231002", "身份证号[ID]"),
        ("RSSMRA85T10A562S", "[ID]"),
        ("주민 900101-1234568", "주민 [ID]"),
        ("pay 4111 1111 1111 1111 12/25 123", "pay [CARD] 12/25 123"),
        ("4111-1111-1111-1111", "[CARD]"),
        ("4111.1122.2233.3347, 4111  1122  2233  3347", "[CARD], [CARD]"),
        ("4111 - 1122 - 2233 - 3347 4111_1122_2233_3347", "[CARD] [CARD]"),
        (
            "card no.4111111111111111/12/27, or 4111111111111111/5555555555554444",
            "card no.[CARD]/12/27, or [CARD]/[CARD]",
        ),
        ("card 4111/1122/2233/3347", "card [CARD]"),
        ("银行卡号 6212 3456 7890 1234 569", "银行卡号 [CARD]"),
        ("卡号6222021234567894", "卡号[CARD]"),
        ("378282246310005, 5555555555554444, 3530111333300000", "[CARD], [CARD], [CARD]"),
        ("2223003122003222 6011111111111117 30569309025904", "[CARD] [CARD] [CARD]"),
        ("Visa card 4222222222222", "Visa card [CARD]"),
        ("信用卡4222222222222，卡号 6304 0000 0000 0000", "信用卡[CARD]，卡号 [CARD]"),
        ("my credit card is 501800000009", "my credit card is [CARD]"),
        ("card no. 213100000000001", "card no. [CARD]"),
        ("ＧＢ８２ＷＥＳＴ１２３４５６９８７６５４３２，４１１１１１１１１１１１１１１１", "[IBAN]，[CARD]"),
        ("１１０１０５１９４９１２３１００２Ｘ", "[ID]"),
        ("müller@example.de, josé.garcía@correo.example", "[EMAIL], [EMAIL]"),
        ("用户@例子.公司 иван@пример.рф", "[EMAIL] [EMAIL]"),
        ("邮箱user@例子.公司，或ｕｓｅｒ＠ｅｘａｍｐｌｅ．ｃｏｍ", "邮箱[EMAIL]，或[EMAIL]"),
        ("o'neill@example.org 'a@b.example'", "[EMAIL] '[EMAIL]'"),
        ("O’Neil@example.com, email=john=x@example.com", "[EMAIL], email=[EMAIL]"),
        ("user@xn--fsq.xn--0zwm56d, נעם@דוגמה.קום", "[EMAIL], [EMAIL]"),
        ("नाम@उदाहरण.भारत", "[EMAIL]"),
        ("to GB82 WEST 1234 5698 7654 32 now", "to [IBAN] now"),
        ("DE89370400440532013000,nl91abna0417164300", "[IBAN],[IBAN]"),
        ("IBANDE89370400440532013000BIC COBADEFF", "IBAN[IBAN]BIC COBADEFF"),
        ("DE89.3704.0044.0532.0130.00 DE89  3704  0044  0532  0130  00", "[IBAN] [IBAN]"),
        ("from 203.0.113.77:8080 and 8.8.8.8", "from [IP]:8080 and 8.8.8.8"),
        ("dns 8.8.8.8", "dns [IP]"),
        ("2001:db8:85a3::8a2e:370:7334", "[IP]"),
        ("git clone https://bob:hunter2@host.example/x", "git clone https://[CREDENTIALS]@host.example/x"),
        ("postgres://u:p%40ss@db:5432/x", "postgres://[CREDENTIALS]@db:5432/x"),
        ("AKIAIOSFODNN7EXAMPLE", "[SECRET]"),
        (f"token ghp_{TOKEN[:36]}.", "token [SECRET]."),
        (f"OPENAI_API_KEY=sk-proj-{TOKEN}", "OPENAI_API_KEY=[SECRET]"),
        (f"sk-ant-api03-{TOKEN}_x", "[SECRET]"),
        ("xoxb-123456789012-abcdefABCDEF", "[SECRET]"),
        (f"AIza{TOKEN[:35]}", "[SECRET]"),
        (f"sk_live_{TOKEN}", "[SECRET]"),
        (f"hf_{TOKEN[:34]}", "[SECRET]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w", "[SECRET]"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", "a\n[SECRET]\nb"),
        ("-----BEGIN PRIVATE KEY----- MIIcut off", "[SECRET]"),
    ],
)
def test_masked(text, masked):
    assert mask_text(text) == masked
    assert mask_text(masked) == masked
    assert outcome(pii.apply(batch([title(text)]), PiiSettings()).to_pylist()[0]) == [masked, "a label"]


@pytest.mark.parametrize(
    "text",
    [
        "110105194912310021 110105194913310026 990105194912310028",  # check digit, month, province
        "000-12-3456 666-12-3456 900-12-3456 078-00-1120 078-05-0000 1078-05-1120",
        "529.982.247-26 111.111.111-11 RSSMRA85T10A562T",
        "4111111111111112 9111111111111111 411111111111111 4222222222222",  # Luhn, issuer, lengths
        "sandisk memory card 4006381333931, trading card 4901234567894",  # EANs
        "st200f 10 28481a multiplier x",  # with an IBAN's check digits
        "ean 4006381333931 isbn 978-3-16-148410-0 upc 036000291452 gtin 10614141000415",
        "00885909950805 0885909950805 003600029143 4c716899-3d8c-be59-8216-851d7784fa81",
        "imei 490154203237518 356938035643809 serial 5CD1234XYZ",
        "4111.1122.2233.3348 110105491331002 de89a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6",
        "icon@2x.png 10W@8.ohm 5V@2.amp react@18.2.0",
        "GB82 WEST 1234 5698 7654 33, gb16 ram memory stick 2666",
        "fr36 gt72 hr1234 de65 inch 4k smart tv 2019 model",
        "v1.2.3.4 version 10.20.30.40 firmware: 112.113.114.115 1.2.3.4 chapter 2.10.3.1",
        "192.168.100.100 10.0.0.1 172.16.5.4 127.0.0.1 255.255.255.0 999.1.2.300 1.2.3.4.5",
        "12:30:45 00:1a:2b:3c:4d:5e std::dec ::1 fe80::1 add::bed 16:9:4",
        "https://host.example/a:b@c user:pass",
        "ask-me-anything-about-it sk-ii-facial-treatment-essence-230ml asia-pacific-2020 hf_home AIza eyJ",
        "lego 75192 4000 4000 4000 kingston 2x8gb 3200 1600 1333 1066 800",
        "canon 1200d 18-55 55-250 70-300 24-105 hp 305-306-307-3080",
    ],
)
def test_what_names_a_thing_stays(text):
    assert mask_text(text) == text


def in_title(text):
    return outcome(pii.apply(batch([title(text)]), PiiSettings()).to_pylist()[0])[0]


def in_prose(text):
    return pii.apply(batch([sft("q", text)]), PiiSettings()).to_pylist()[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "text",
    [
        "+44 20 7946 0958", "+442079460958", "+86 138 1234 5678", "001-212-555-0142", "008613812345678",
        "+1 (212) 555-0142",
        "电话：13812345678", "手机 13812345678", "联系13812345678", "微信１３８１２３４５６７８",
        "13812345678微信同号", "热线：4008108888", "号码：13812345678", "加我13812345678", "收件人 李雷 13812345678",
        "座机：010-88888888", "电话010-88888888/13812345678",
        "tel 2125550142", "tel.2125550142", "TEL03-1234-5678", "Ph.9876543210", "Tel.: 030 1234567",
        "call 212.555.0142", "phone 2125550142", "fax: 212 555 0142", "tel 2125550142/2125550143",
        "teléfono 912 345 678", "Telefon: 0171/1234567", "WhatsApp 5511912345678", "тел. 8 (495) 123-45-67",
        "номер 89161234567", "tel 555.0142.", "liên hệ 0912345678", "เบอร์ 0812345678", "رقمي 0501234567",
        "전화 010-1234-5678", "هاتف ٠٥٠١٢٣٤٥٦٧", "phone number 780 6326", "call us: 1-800-555-0123 ext. 12",
    ],
)  # fmt: skip
def test_telephones_are_found_in_titles_and_prose(text):
    for masked in (in_title(f"red fridge, {text}"), in_prose(f"red fridge, {text}")):
        assert "[PHONE]" in masked
        assert not any(map(str.isdigit, masked))


@pytest.mark.parametrize(
    "text",
    [
        "(212) 555-0142", "(212)555-0142x123", "010-8888 8888", "（010）88888888", "0755-88888888", "138-1234-5678",
        "０１０－８８８８８８８８", "(08) 9876 5432", "8-916-123-45-67",
        "212-555-0142", "212.555.0142", "my number is 212 555 0142", "reach me on 555-0142", "0490 75 40 81",
        "13812345678", "请打13812345678找我", "vx13812345678", "李四，13812345678",
        "Phone:\n60-56-85-91", "699 956 915 (mobile)", "messages to 699 956 915", "(11) 91234-5678", "01.84.17.61.18",
        "345-899-3560x4587 office", "call 2125550142,2125550143", "Tel: 030 1234567/8",
        "mon numéro est le 0612345678", "Meine Nummer ist 01711234567", "Mi número es 612345678",
        "т. 89161234567", "мой номер 9161234567", "gọi 0912 345 678", "WA: 0812-3456-7890", "Mob 98765 43210",
        "GSM 0532 123 45 67", "Tlf 22334455", "Tfno. 91 234 56 78", "내 번호는 01012345678",
    ],
)  # fmt: skip
def test_prose_takes_more_spellings_for_telephones(text):
    masked = in_prose(text)
    assert "[PHONE]" in masked
    assert not any(map(str.isdigit, masked))


@pytest.mark.parametrize(
    "text",
    [
        "06112A 女鞋 02233445566", "0030300000 28寸拉杆箱", "18130000000 连衣裙", "手机壳 18130000000",
        "电话手表 18130000000",
        "skf 6205 212-555-0142", "part no. 305-306-3080", "bosch 0280 158 123 injector", "0986 435 123",
        "0542 7997 4875",
        "part 212.555.0142", "iphone 8 190198451743", "nokia mobile phone 3310 2017", "smartphone 6901443123456",
        "02079460958",
        "hotel 12345678", "6 cell 454.449.5017 battery", "01 02 03 04 05", "516-46-6638", "0047-826326",
        "mit +1 28 70/3 5 5 6",
        "gsm 900/1800/1900", "电话诈骗5天报警68起：3小时被骗30多万 26044319",
        "(120) 240-1000", "(212) 555-0142", "010-2020-3030", "138-1234-5678", "0571-8765432", "set +36 100 200 300",
        "fax 8360 toner 12345678", "telefon samsung 12345678", "telefon 690112233", "blue dial 4295012345",
        "摩托罗拉座机 20201234567", "固话 12345678", "传真 2820 4567890", "客服耳机 12345678", "微信支付 2019123456",
        "hp 4000/4050/4100/4200 toner", "ss 304 123-45-6789",
    ],
)  # fmt: skip
def test_item_numbers_stay_in_titles(text):
    assert in_title(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "called 1000000 people in 2019 2020", "12345678 people", "call 1234567 times", "phone: 2019-08-28 12:13:52",
        "my driver's license number is 6940579", "order number 1234567890", "phones sold 1 000 000",
        "call took 12345678 ms",
        "x = 13812345678", "13812345678 bytes", "订单号13812345678", "Seattle, WA 98101-1234",
        "номер заказа 12345678901",
        "call version 10.20.30.40", "pi, a call for 3.14159265", "call about ISBN 978-3-16-148410-0",
    ],
)  # fmt: skip
def test_other_numbers_stay_in_prose(text):
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "mail a@b.example"),
        ("phone", "call 13812345678"),
        ("id_card", "ssn 078-05-1120"),
        ("bank_card", "4111111111111111"),
        ("iban", "DE89370400440532013000"),
        ("ip", "at 203.0.113.77"),
        ("url_credentials", "ftp://u:p@h"),
        ("secrets", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_mask_drop_or_keep(kind, text):
    rows = batch([title(text), title("fine"), sft("hello", text)])
    assert [row["problem"] for row in pii.apply(rows, PiiSettings(**{kind: "drop"})).to_pylist()] == [kind, None, kind]
    assert pii.apply(rows, PiiSettings(**{kind: "keep"})).equals(rows)
    assert pii.counts(message_texts.contents(pii.apply(rows, PiiSettings())).values) == {kind: 2}


def test_overlaps_go_to_the_first_kind():
    assert mask_text("https://bob:AKIAIOSFODNN7EXAMPLE@h.example") == "https://bob:[SECRET]@h.example"
    assert mask_text("https://a@b.example:pw@h.example") == "https://[CREDENTIALS]@h.example"
    assert mask_text("13812345678@qq.example") == "[EMAIL]"


def test_counts_name_what_was_found_and_no_value():
    values = pa.array(["[EMAIL] [EMAIL]", None, "https://[CREDENTIALS]@h", "[ID] [x]", ""])
    assert pii.counts(values) == {"url_credentials": 1, "email": 2, "id_card": 1}
    assert pii.counts(pa.array([], pa.string())) == {}


@given(st.integers(10**14, 10**15 - 1))
def test_luhn_finds_every_changed_digit(number):
    digits = next(f"{number}{check}" for check in range(10) if numbers.luhn(f"{number}{check}"))
    for place, digit in enumerate(digits):
        assert not numbers.luhn(f"{digits[:place]}{(int(digit) + 1) % 10}{digits[place + 1 :]}")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000 + "@", "1 " * 200_000, "0" * 200_000, "1.2." * 100_000, ":" * 200_000, "a:" * 100_000,
        "GB82 " * 50_000, "4111 " * 50_000, "http://" * 30_000, "http://a:" * 30_000,
        "-----BEGIN PRIVATE KEY-----" * 20_000, "eyJa." * 50_000, "eyJ" + "a" * 200_000, "sk-" * 60_000,
        "ABCDEF12" * 20_000, "078-05-" * 30_000, "x" * 200_000, "call 10 20 30 " * 15_000, "卡号 4222 " * 30_000,
        "电话 １２ " * 30_000, "ü" * 200_000 + "@", "用" * 200_000 + "@", "(0" * 100_000,
    ],
    ids=range(23),
)  # fmt: skip
def test_time_is_linear_in_the_length(text):
    mask_text(text)


@pytest.mark.skipif(not TITLES.is_file(), reason="../shared/data is absent")
def test_titles_of_a_real_catalogue_stay():
    with TITLES.open(encoding="utf-8") as file:
        rows = batch(title(row[1]) for row in csv.reader(file))
    assert pii.apply(rows, PiiSettings()).equals(rows)
