"""Writes crates/models/tests/data/templates.json: small chat templates and what transformers renders of them.

    pip install transformers==5.24.0 jinja2
    python tools/templates/golden.py
"""

import json
import pathlib

import transformers
from transformers.utils.chat_template_utils import render_jinja_template

TURNS = [
    {"role": "system", "content": "Be <brief> & \"kind\"."},
    {"role": "user", "content": "  What is there?\n"},
    {"role": "assistant", "content": "A cat's \"tail\" \u2014 \u00e9."},
    {"role": "user", "content": "Where?"},
]
TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "image_token": "<image>",
    "additional_special_tokens": ["<a>", "<b>"],
}
TEMPLATES = {
    "named tokens": "{{ bos_token }}{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}{{ pad_token }}"
    "{{ unk_token }}{{ image_token }}{{ additional_special_tokens | join(' ') }}",
    "no such token": "[{{ cls_token }}]{% if sep_token is defined %}x{% endif %}",
    "generation marks": "{% for m in messages %}\n    {% if m.role == 'assistant' %}\n    {% generation %}\n{{ m.content }}\n"
    "    {% endgeneration %}\n    {% endif %}\n{% endfor %}end",
    "generation marks that trim": "a \n {%- generation -%} \n b \n {%- endgeneration -%} \n c \n {%+ generation +%} \n d {% endgeneration %}\ne",
    "raw blocks": "{% raw %}\n{{ not.this }}{% generation %}{% endraw %}\n{{ '{{' }}{# {% generation %} #}!",
    "blocks at the start of lines": "  {% if true %}\n  x\n  {% endif %}\n{# note #}\n y {%- if true %} z {%- endif %}\n",
    "carriage returns": "a\r\n{% if true %}\r\nb\r{% endif %}\r\nc",
    "tojson": "{{ messages[0] | tojson }}|{{ messages[2].content | tojson }}|{{ {'b': [1, 2.5, true, none], 'a': {}} | tojson }}",
    "tojson with options": "{{ {'b': [1, {'c': 'é<'}], 'a': []} | tojson(indent=2) }}|{{ {'b': 1, 'a': 'é'} | tojson(ensure_ascii=true, sort_keys=true, "
    "separators=[',', ':']) }}",
    "loop controls": "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ loop.index0 }}{{ m.role }}"
    "{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}",
    "methods of strings": "{% set t = messages[1].content %}{{ t.strip() }}|{{ t.lstrip().split(' ') | join('+') }}|{{ t.strip().upper() }}|"
    "{{ t.startswith(' ') }}|{{ 'a-b'.replace('-', '/') }}|{{ 'a b'.title() }}|{{ 'abc'.endswith('c') }}|{{ 'x'.join(['1', '2']) }}|"
    "{{ '</think>a</think>b'.split('</think>')[-1].lstrip('\\n') }}|{{ '  z'.rstrip() }}|{{ 'aXbX'.count('X') }}|{{ 'abc'.find('c') }}",
    "methods of dicts": "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }} {% endfor %}{{ {'a': 1}.get('z', 'none') }}{{ {'a': 1}.keys() | list }}",
    "slices and tests": "{{ messages[::-1] | map(attribute='role') | join(',') }}|{{ messages[1:] | length }}|{{ messages[0].content is string }}|"
    "{{ messages is iterable }}|{{ none is iterable }}|{{ messages[0] is mapping }}|{{ tools is none }}|{{ documents is defined }}|{{ 3 is number }}|"
    "{{ messages[0].name is undefined }}|{{ 'a' in 'cat' }}|{{ 'x' not in ['y'] }}",
    "filters": "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | length }}|{{ '  a ' | trim }}|{{ missing | default('d') }}|"
    "{{ [3, 1] | sort | first }}|{{ 'a,b'.split(',') | last }}|{{ 'é' | upper }}|{{ 2.0 | int }}|{{ [1, 2] | string }}|{{ {'k': 'v'} | items | list }}",
    "namespaces and macros": "{% macro show(m, end='!') %}[{{ m.role }}{{ end }}]{% endmacro %}{% set ns = namespace(n=0, seen=false) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.n = ns.n + 1 %}{% endif %}{{ show(m) }}{% endfor %}{{ ns.n }}{{ show(messages[0], end='?') }}",
    "numbers and truth": "{{ 7 // 2 }} {{ 7 / 2 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ true }} {{ none }} {{ 1.0 }} {{ not '' }} {{ 'a' ~ 1 ~ true }} {{ 1 if false }}|",
    "what generates": "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
    "refusal": "{{ raise_exception('Roles must alternate: ' ~ messages[0].role) }}",
    "refusal by a filter": "{{ 1 | no_such_filter }}",
    "refusal of an attribute": "{{ messages[0].name.first }}",
}


def rendered(template):
    """Text, or None where it is refused."""
    try:
        text, _ = render_jinja_template([TURNS], chat_template=template, add_generation_prompt=True, **TOKENS)
        return text[0]
    except Exception as error:  # whatever a template raises
        print(f"refused: {template!r}: {error}")
        return None


cases = [{"name": name, "template": template, "text": rendered(template)} for name, template in TEMPLATES.items()]
made = {"made_by": f"transformers {transformers.__version__}", "turns": TURNS, "tokens": TOKENS, "cases": cases}
path = pathlib.Path(__file__).parents[2] / "crates/models/tests/data/templates.json"
path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
