"""Chat templates in the sandbox."""

from __future__ import annotations

import pytest
import tiny
from jinja2.exceptions import SecurityError

from kshot.models.text.chat import compiled

MESSAGES = [{"role": "user", "content": "<b> & 'é'"}]
TEMPLATES = {
    "tojson": "{{ messages | tojson }}",
    "tojson indented": "{{ messages | tojson(indent=2) }}",
    "trim": "  {% for m in messages %}\n  {{ m.content | trim }}\n  {% endfor %}\n",
    "loop controls": "{% for m in messages %}{% if m.role %}{% break %}{% endif %}x{% endfor %}!",
    "generation": "{% generation %}{{ messages[0].content }}{% endgeneration %}!",
    "namespace": "{% set s = namespace(n=0) %}{% for m in messages %}{% set s.n = 7 %}{% endfor %}{{ s.n }}",
    "special tokens": "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_render_as_in_transformers(name):
    tokenizer = tiny.tokenizer(chat=TEMPLATES[name])
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    found = compiled(TEMPLATES[name], name="x")(messages=MESSAGES, add_generation_prompt=True, **special)
    assert found == tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False)


def test_today_is_always_the_same_day():
    assert compiled("{{ strftime_now('%d %b %Y') }}", name="x")() == "26 Jul 2024"


@pytest.mark.parametrize(
    "attack", ["{{ messages.__class__.__mro__ }}", "{{ ''.__class__.__base__.__subclasses__() }}"]
)
def test_a_template_cannot_leave_the_sandbox(attack):
    with pytest.raises(SecurityError):
        compiled(attack, name="x")(messages=MESSAGES)


def test_a_template_cannot_change_what_it_is_given():
    with pytest.raises(SecurityError):
        compiled("{{ messages.append(1) }}", name="x")(messages=list(MESSAGES))
