"""Names that people give to columns, in the languages of catalogues that were seen."""

import re

# The two columns that matter, the plainest names first.
TEXT_NAMES = (
    *("text", "title", "name", "content", "product", "product_name", "sentence", "review", "question", "query"),
    *("标题", "商品标题", "名称", "商品名称", "文本", "内容", "商品名", "タイトル", "제목", "상품명"),
    *(
        "titel",
        "artikel",
        "bezeichnung",
        "produktname",
        "titre",
        "nom",
        "libellé",
        "título",
        "nombre",
        "titolo",
        "nome",
    ),
    *("название", "заголовок", "текст", "наименование"),
)
LABEL_NAMES = (
    *(
        "label",
        "category",
        "class",
        "target",
        "intent",
        "sentiment",
        "标签",
        "类别",
        "分类",
        "类目",
        "品类",
        "カテゴリ",
        "카테고리",
    ),
    *(
        "kategorie",
        "rubrik",
        "warengruppe",
        "klasse",
        "catégorie",
        "rubrique",
        "categoría",
        "categoria",
        "clase",
        "classe",
    ),
    *("категория", "класс", "метка"),
)
OTHER_NAMES = (
    *(
        "id",
        "sku",
        "price",
        "brand",
        "vendor",
        "url",
        "date",
        "description",
        "index",
        "key",
        "quantity",
        "type",
        "source",
    ),
    *("编号", "价格", "品牌", "preis", "marke", "prix", "marque", "precio", "prezzo", "цена"),
)
ASKED_NAMES = ("instruction", "prompt", "question", "output", "response", "completion", "answer", "chosen", "rejected")
_KNOWN = frozenset((*TEXT_NAMES, *LABEL_NAMES, *OTHER_NAMES, *ASKED_NAMES))
_PART = re.compile(r"[^\W\d_]+")
_LONGEST = 40  # characters: what is longer is no name, whatever word stands in it
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_known(cell: str) -> bool:
    """Whether a cell is a usual name: category, Product-ID, main_category, productTitle."""
    name = cell.strip().lstrip("#").strip()
    if name.casefold() in _KNOWN:
        return True
    joined = "_" in name or "-" in name or _HUMP.search(name) is not None
    return joined and len(name) <= _LONGEST and " " not in name and last_part(name) in _KNOWN


def last_part(name: str) -> str:
    """The last word of a name, which says what it is: category of main_category."""
    parts = _PART.findall(_HUMP.sub("_", name))
    return parts[-1].casefold() if parts else ""
