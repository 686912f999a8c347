"""Words for calls and for lines, in many languages: what makes digits near them a telephone number."""

from pipeline.data.clean.masks.pattern import JOINED

# Nothing else is meant by these: they count at some distance.
CONTACT = (
    # abbreviations and names of a number
    "tels?(?! aviv)|tél|tlf|tlfn|telf|teléf|tfno|tlfno|tfn|tlm|tlmv|telp|sđt|sdt|тел|моб|сот|τηλ|κιν|toll[ -]free"
    "|durchwahl|(?:phone|mobile|mob|cell|cellphone|contact|whats ?app) (?:no|number|nr|num)"
    "|(?:ruf|handy|mobil|telefon)n(?:umme)?rn?|n(?:ú|u)mero de (?:tel[ée]fono|telefone|celular)"
    "|num[ée]ro de t[ée]l[ée]phone|numero di (?:telefono|cellulare)|numer telefonu|telefonszám[a-z]{0,3}"
    "|номер телефона|số điện thoại|nomor (?:telepon|hp)"
    # whose number
    "|my number|mon num[ée]ro|mi n[úu]mero|meu n[úu]mero|mio numero|meine[rm]? nummer|mijn nummer|mitt nummer"
    "|mit nummer|mój numer|moje číslo|numărul meu|numeroni|numaram|számom|мой номер|мій номер|ο αριθμός μου"
    "|nomor saya|số của tôi"
    # calls
    "|(?:call|text|contact|reach|phone|ring|dial) (?:us|me|now|him|her|them)|call or text|anruf[a-z]{0,2}|rufen sie"
    "|ruf (?:mich|uns)|erreich[a-z]{1,4}|appelez|appelle[- ]moi|appeler au|joignable|contactez|llame|llamar"
    "|ll[áa]m[ae](?:me|nos)|llama al|ligue|ligar|liga para|(?<!si )chiama|chiamate|chiamami|chiamaci|zadzwoń|dzwoń"
    "|dzwonić|zavolejte|volejte|zavolajte|sunați|hívjon|hívj|soita"
    "|bel (?:mij|ons|naar)|arayın|ara beni|beni ara|irtibat"
    "|hubungi|tawagan|liên hệ|gọi(?! là)|звоните|позвоните|звони|позвони|звонить|наберите|дзвоніть|телефонуйте|καλέστε"
)
# The same in scripts that set no blanks between words or join short ones to them. 电话 may be an appliance, too.
CONTACT_JOINED = (
    "(?<!固定)(?<!无绳)(?<!子母)(?<!办公)(?<!可视)(?<!无线)(?<!家用)(?<!智能)(?:电话|電話)"
    "(?! ?(?:手表|手錶|机|機|线|線|卡|亭|费|費|本|座))|手机号|手機號|联系|聯繫|聯系|联络|聯絡|热线|熱線|致电|致電"
    "|拨打|撥打|加我|加v|打给|打給|我的号码|我的號碼|連絡先|問い合わせ|私の番号|연락|전화번호|내 번호"
    "|โทร(?!ทัศน์|ศัพท์)|เบอร์"
    "|ติดต่อ|رقمي|اتصل|للتواصل|للاتصال|תתקשר|התקשר|המספר שלי|تماس|رابطہ|संपर्क|सम्पर्क|কল করুন|যোগাযোগ"
)
# Catalogues sell these, or what has them: in a title they count only right before the number.
GOODS = (
    "phones?|cellphones?|ph|mobiles?|mob|cell|call|text|contact|handy|mobil|mobiel|portable|sms|fax|kontakt"
    "|telefax|dial|hotline|helpline|wechat|whats ?app|wasap|zalo|viber|telegram|telefon[a-z]{0,4}|telephon[a-z]{1,4}"
    "|t[ée]l[ée]phones?|telefoon|teléfonos?|móvil|celular|telemóvel|fone|cellulare|komórka|puhelin|matkapuhelin"
    "|telpon|telepon|điện thoại|di động|vx|wx|телефон[а-яії]{0,3}|факс|мобильный|сотовый|вотсап|ватсап|τηλέφωνο"
    "|κινητό|φαξ"
)
GOODS_JOINED = (
    "手机|手機|座机|座機|固话|固話|传真|傳真|微信(?!支付|公众|小程序)|薇信|v信|短信|客服|售后|售後|咨询|諮詢|来电"
    "|來電|スマホ|携帯|携帯電話|ケータイ|핸드폰|휴대폰|휴대전화|모바일|전화|팩스|โทรศัพท์|มือถือ|แฟกซ์|हॉटलाइन|फ़ोन"
    "|फोन|मोबाइल|ফোন|মোবাইল|هاتف|جوال|موبايل|تلفون|واتساب|فاكس|تلفن|موبایل|فون|טלפון|נייד|פלאפון|פקס|וואטסאפ"
)
# In prose these speak of calls; in a title of anything.
OF_PROSE = (
    f"{GOODS}|phon(?:ed|ing)|call(?:s|ed|ing)|text(?:ed|ing)|contact(?:s|ed|ing)|reach(?:able|ed|ing)?|ring|rang"
    "|answering|messag(?:e|es|ed|ing)|voicemail|joindre|bel|bellen|ringa|(?:your|his|her|our|registered) number"
    "|recapito|contato"
)
# Numbers of any kind have these, and some are of other senses: right before digits that a telephone number may have.
NUMBER = "wa|gsm|đt|cel|zap|whats|kom|cep|fon|fijo|fixe|fisso|n[úu]mero|num[ée]ro|nummer|numer|nomor|номер|numara|tf"
NUMBER_JOINED = (
    "(?<!证件)(?<!份证)(?<!订单)(?<!快递)(?<!账户)(?<!銀行卡)(?<!银行卡)(?:号码|號碼)|打|找|呼叫"
    "|(?<!注文)(?<!商品)(?<!管理)(?<!会員)番号|(?<!주문)(?<!상품)번호|नंबर|नम्बर|নম্বর|رقم|شماره|نمبر|טל'|מספר"
    "|(?:姓名|收件人|收货人|收貨人|机主|機主).{0,8}"
)
ONE_LETTER = "[тtmpfch][.:]|hp"  # in prose
LINES = "office|desk|direct|landline|mobile|cell|fax|phone|tel|büro|oficina"
AFTER = "微信|同号|同號|联系|聯絡"
AFTER_IN_PROSE = f"{AFTER}|(?:手机|手機|电话|電話)(?!\\w)"
LETTER = rf"[^\W\d_{JOINED}]"  # of a script that sets blanks between words


def word(words: str) -> str:
    """An expression for words that have no letter beside them and are no mark such as [PHONE]."""
    return rf"(?<!{LETTER})(?<!\[)(?:{words})(?!{LETTER}|\])"
