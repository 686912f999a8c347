"""Tokens of well-known shapes and private keys. Their shapes are stated by who issues them."""

import re

from pipeline.data.clean.masks.pattern import Pattern

_WORD = "A-Za-z0-9_-"
_TOKENS = (
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA)[A-Z2-7]{16}",  # Amazon Web Services
    r"aws_secret_access_key[\"' ]{0,3}[:=][\"' ]{0,3}[A-Za-z0-9/+]{40}",
    r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}",  # GitHub
    rf"glpat-[{_WORD}]{{20,64}}",  # GitLab
    r"xox[abeprs]-[A-Za-z0-9-]{10,250}|xapp-[0-9]-[A-Za-z0-9-]{10,250}",  # Slack
    r"hooks\.slack\.com/services/T[A-Za-z0-9]{8,12}/B[A-Za-z0-9]{8,12}/[A-Za-z0-9]{20,28}",
    rf"sk-(?:proj|svcacct|admin|ant|or|lf)-[{_WORD}]{{24,250}}|sk-[A-Za-z0-9]{{32,64}}",  # OpenAI and its likes
    rf"AIza[{_WORD}]{{35}}|ya29\.[{_WORD}]{{20,250}}|GOCSPX-[{_WORD}]{{28}}",  # Google
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9]{24,64}",  # Stripe
    r"hf_[A-Za-z0-9]{30,40}",  # Hugging Face
    rf"npm_[A-Za-z0-9]{{36}}|pypi-AgEIcHlwaS5vcmc[{_WORD}]{{50,250}}",
    rf"SG\.[{_WORD}]{{22}}\.[{_WORD}]{{43}}",  # SendGrid
    rf"[0-9]{{8,10}}:AA[{_WORD}]{{33}}",  # Telegram
    r"LTAI[A-Za-z0-9]{16,24}|AKID[A-Za-z0-9]{32}",  # Alibaba Cloud, Tencent Cloud
    r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-f]{32}",  # DigitalOcean, Shopify
    r"AccountKey=[A-Za-z0-9+/]{86}==",  # Azure
    rf"eyJ[{_WORD}]{{10,2000}}\.eyJ[{_WORD}]{{10,4000}}\.[{_WORD}]{{10,2000}}",  # JSON Web Token
)
_KEY = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

# Upper and lower case alike: the text may have been lower-cased. A key without an end reaches to the text's.
SECRETS = Pattern(
    mark="[SECRET]",
    gate="(?i)" + re.sub(r"{([0-9]+),[0-9]+}", r"{\1,}", "|".join((*_TOKENS, "PRIVATE KEY"))),
    regex=(
        rf"(?ia)(?<![A-Za-z0-9_])(?:{'|'.join(_TOKENS)})(?![A-Za-z0-9])|{_KEY}(?:(?!{_KEY_END})[\s\S])*(?:{_KEY_END})?"
    ),
)
