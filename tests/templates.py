"""Chat templates of the shapes that are about, in a few lines each; written for these tests."""

# Each message between a header and an end of its own.
CHATML = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Llama 3's shape: a beginning of text, headers of two tokens, contents trimmed.
LLAMA3 = """{{ '<|begin|>' }}{% for m in messages %}{{ '<|header|>' + m.role + '<|/header|>\\n\\n' + m.content | trim \
+ '<|eot|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|header|>assistant<|/header|>\\n\\n' }}{% endif %}"""

# A default system prompt; thinking is taken out of every answer that is followed by a question.
THINKING = """{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nBe good.<|im_end|>\\n' }}{% endif %}\
{% set last = namespace(user=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set last.user = loop.index0 %}\
{% endif %}{% endfor %}{% for m in messages %}{% set content = m.content %}\
{% if m.role == 'assistant' and loop.index0 < last.user %}{% set content = content.split('</think>')[-1] | trim %}\
{% endif %}{{ '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# The generation prompt opens a thought that no rendered answer shows.
OPENED = THINKING.replace("{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_start|>assistant\\n<think>\\n' }}").replace(
    "m.role == 'assistant' and loop.index0 < last.user", "m.role == 'assistant'"
)

# No token ends a turn; the answers are marked for transformers in the second.
BARE = """{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"""
MARKED = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}\
{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Calls with their arguments as JSON text, as OpenAI's API has them; an object would be shown as Python writes it.
WRITTEN = CHATML.replace(
    "m.content +",
    "m.content + (m.tool_calls[0].function.name ~ m.tool_calls[0].function.arguments if m.tool_calls else '') +",
).replace("{% for", "{{ tools }}{% for", 1)

# Contents are expected in parts: text is not shown at all.
PARTS = """{% for m in messages %}{{ m.role }}{% for p in m.content %}{{ p.text }}{% endfor %}<|im_end|>{% endfor %}"""

# Its generation prompt is of no use: only the marks say where an answer begins.
ONLY_MARKED = MARKED.replace("{{ '<|im_start|>assistant\\n' }}", "{{ 'Now answer.' }}").replace(
    "{% for", "{% if add_generation_prompt %}{{ 'Think. ' }}{% endif %}{% for", 1
)
