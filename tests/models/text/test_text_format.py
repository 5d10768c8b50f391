"""Rendering, tokenising, and the border between prompt and target."""

from __future__ import annotations

import json

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from kshot.data.example import Example, Message
from kshot.data.template import Target, Template, plain_text
from kshot.errors import ModelError
from kshot.models.text.text_format import TextFormat, mask_preview

CHAT = TextFormat.of(tiny.tokenizer(chat=tiny.CHATML))
PLAIN = TextFormat.of(tiny.tokenizer())
BOS = TextFormat.of(tiny.tokenizer(bos=True))
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)


def test_a_chat_prompt_is_transformers_own():
    tokenizer = tiny.tokenizer(chat=tiny.CHATML)
    for turns in tiny.conversations(shots=tiny.ROWS[:2]):
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        assert CHAT.prompt(turns) == tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        assert CHAT.encode_prompt(turns) == ids


def test_a_plain_prompt_is_the_plain_text_and_ends_without_an_end_token():
    turns = tiny.conversations()[0]
    assert PLAIN.prompt(turns) == plain_text(turns)
    assert PLAIN.encode_prompt(turns) == tiny.tokenizer()(plain_text(turns))["input_ids"]
    assert BOS.encode_prompt(turns) == tiny.tokenizer(bos=True)(plain_text(turns))["input_ids"]
    assert BOS.encode_prompt(turns)[0] == 1


def test_a_tokenizer_that_ends_every_text_does_not_end_the_prompt():
    from tokenizers import processors

    tokenizer = tiny.tokenizer()
    ends = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    tokenizer.backend_tokenizer.post_processor = ends
    ids = TextFormat.of(tokenizer).encode_prompt(tiny.conversations()[0])
    assert ids[0] == 1
    assert 2 not in ids


def test_a_chat_template_brings_its_own_begin_token():
    tokenizer = tiny.tokenizer(chat="{{ bos_token }}" + tiny.CHATML, bos=True)
    assert TextFormat.of(tokenizer).encode_prompt(tiny.conversations()[0]).count(1) == 1


def test_the_end_of_a_reply_is_what_the_template_puts_there():
    assert CHAT.end_id == tiny.SPECIAL.index("<|im_end|>")
    assert PLAIN.end_id == tiny.SPECIAL.index("</s>")
    bare = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    assert TextFormat.of(tiny.tokenizer(chat=bare)).end_id == tiny.SPECIAL.index("</s>")


def test_a_refused_system_turn_moves_into_the_user_turn():
    text = TextFormat.of(tiny.tokenizer(chat=tiny.NO_SYSTEM))
    turns = (Message("system", "Be brief."), Message("user", "France"))
    assert text.prompt(turns) == ("<|im_start|>user\nBe brief.\n\nFrance<|im_end|>\n<|im_start|>assistant\n")
    assert "system\nBe brief." in CHAT.prompt(turns)


def test_a_dropped_system_turn_moves_too():
    silent = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}"
    text = TextFormat.of(tiny.tokenizer(chat=silent))
    assert text.prompt((Message("system", "Be brief."), Message("user", "x"))) == "[Be brief.\n\nx]["


def test_a_template_without_a_generation_prompt_still_opens_the_reply():
    deaf = tiny.CHATML.replace("{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}", "")
    text = TextFormat.of(tiny.tokenizer(chat=deaf))
    for turns, target in zip(tiny.conversations(), tiny.targets(), strict=True):
        assert text.prompt(turns) == CHAT.prompt(turns)
        assert text.encode(turns, target) == CHAT.encode(turns, target)


def test_blanks_before_a_reply_are_the_replys():
    """Llama 2 and Mistral set a blank there, which their tokenizers join with the first word."""
    llama = (
        "{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }} </s>"
        "{% else %}[INST] {{ m.content }} [/INST]{% endif %}{% endfor %}"
    )
    text = TextFormat.of(tiny.tokenizer(chat=llama))
    row = Example("x", "Paris", reasoning="It is.")
    template = Template(reasoning="answer_first")
    conversation, target = template.conversation(row), template.target(row)
    assert text.prompt(conversation).endswith("[/INST]")
    encoded = text.encode(conversation, target)
    assert text.backend.decode(list(encoded.ids[encoded.start :])) == " Paris\nIt is."
    assert text.decode(encoded.ids[encoded.start :]) == "Paris\nIt is."
    shown = mask_preview(text, conversation, target)
    first = encoded.ids[encoded.start : encoded.start + 3]
    assert "".join(token for token, scored in shown if scored) == " Paris\nIt is.</s>"
    assert encoded.answer[: len(first)].count(True) >= 1
    assert encoded.reasoning.count(True) == len(text.backend.encode("It is.").ids)


def test_a_template_that_can_think_is_told_not_to():
    thinking = tiny.CHATML + "{% if enable_thinking is defined and not enable_thinking %}<none>{% endif %}"
    text = TextFormat.of(tiny.tokenizer(chat=thinking))
    assert text.prompt((Message("user", "x"),)).endswith("<none>")


@pytest.mark.parametrize("text", [CHAT, PLAIN, BOS], ids=["chat", "plain", "bos"])
@settings(max_examples=40, deadline=None)
@given(prompt=WORDS, answer=WORDS, reasoning=WORDS)
def test_prompt_and_target_are_tokenised_once(text, prompt, answer, reasoning):
    """The slow restatement: one tokenisation, a token is the target's if it ends beyond the prompt."""
    template = Template(instruction="Name it.", reasoning="answer_last")
    row = Example(prompt, answer, reasoning=reasoning)
    conversation, target = template.conversation(row), template.target(row)
    encoded = text.encode(conversation, target)
    prompt_text = text.prompt(conversation)
    once = text.backend.encode(prompt_text + target.text, add_special_tokens=False)
    assert list(encoded.ids) == [*text.prefix_ids, *once.ids, text.end_id]
    expected = [stop > len(prompt_text) for _, stop in once.offsets]
    assert encoded.start == len(text.prefix_ids) + expected.index(True)
    assert len(encoded.answer) == len(encoded.reasoning) == encoded.target_count
    assert not encoded.answer[-1]
    assert not encoded.reasoning[-1]
    for spans, flags in ((target.answer, encoded.answer), (target.reasoning, encoded.reasoning)):
        wanted = set(range(len(prompt_text) + spans[0], len(prompt_text) + spans[1]))
        places = once.offsets[encoded.start - len(text.prefix_ids) :]
        assert list(flags[:-1]) == [bool(wanted & set(range(*place))) for place in places]


@settings(max_examples=40, deadline=None)
@given(prompt=WORDS, answer=WORDS)
def test_the_preview_shows_every_character_once_and_marks_the_scored_tokens(prompt, answer):
    row = Example(prompt, answer)
    conversation, target = Template().conversation(row), Template().target(row)
    shown = mask_preview(CHAT, conversation, target)
    encoded = CHAT.encode(conversation, target)
    assert len(shown) == len(encoded.ids)
    assert [scored for _, scored in shown] == [i >= encoded.start for i in range(len(encoded.ids))]
    assert shown[-1] == ("<|im_end|>", True)
    if (prompt + answer).isascii():
        assert "".join(token for token, _ in shown[:-1]) == CHAT.prompt(conversation) + target.text


def test_a_folder_needs_no_transformers_and_reads_the_same(tmp_path):
    tokenizer = tiny.tokenizer(chat=tiny.CHATML, bos=True)
    tokenizer.save_pretrained(tmp_path)
    read = TextFormat.load(tmp_path)
    assert (read.is_chat, read.end_id) == (True, CHAT.end_id)
    for turns, target in zip(tiny.conversations(), tiny.targets(), strict=True):
        assert read.encode(turns, target) == TextFormat.of(tokenizer).encode(turns, target)
        assert mask_preview(tmp_path, turns, target) == mask_preview(read, turns, target)
    plain = TextFormat.load(tmp_path, template="plain")
    assert plain.encode_prompt(turns) == BOS.encode_prompt(turns)


def test_limits_in_the_tokenizer_file_cut_nothing(tmp_path):
    tokenizer = tiny.tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=500)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    read = TextFormat.load(tmp_path)
    assert read.encode_prompt(tiny.conversations()[1]) == PLAIN.encode_prompt(tiny.conversations()[1])


@pytest.mark.parametrize("where", ["list", "string", "file"])
def test_the_chat_template_is_found_where_folders_keep_it(tmp_path, where):
    tiny.tokenizer().backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    named = [{"name": "tool", "template": "x"}, {"name": "default", "template": tiny.CHATML}]
    config = {"eos_token": {"content": "</s>"}, "bos_token": None}
    if where != "file":
        config["chat_template"] = named if where == "list" else tiny.CHATML
    else:
        (tmp_path / "chat_template.jinja").write_text(tiny.CHATML)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    read = TextFormat.load(tmp_path)
    assert read.prompt(tiny.conversations()[0]) == CHAT.prompt(tiny.conversations()[0])
    assert read.special_id("eos_token") == 2


def test_decoding_leaves_special_tokens_out():
    assert CHAT.decode([*CHAT.backend.encode("Lima").ids, 4, 2]) == "Lima"


class TestRefusals:
    def test_no_tokenizer_file(self, tmp_path):
        with pytest.raises(ModelError, match=r"tokenizer.json is missing; save the tokenizer"):
            TextFormat.load(tmp_path)

    @pytest.mark.parametrize("content", ["", "{", '{"model": 1}', "\x00\x01"])
    def test_damaged_tokenizer_file(self, tmp_path, content):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ModelError, match=r"cannot be read as a tokenizer"):
            TextFormat.load(tmp_path)

    @pytest.mark.parametrize("content", ["[1]", "{", "\x00"])
    def test_damaged_tokenizer_config(self, tmp_path, content):
        tiny.tokenizer().backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
        (tmp_path / "tokenizer_config.json").write_text(content)
        with pytest.raises(ModelError, match=r"tokenizer_config.json"):
            TextFormat.load(tmp_path)

    def test_chat_asked_for_but_absent(self):
        with pytest.raises(ModelError, match=r"has no chat template; use template plain or auto"):
            TextFormat.of(tiny.tokenizer(), template="chat")

    def test_unknown_template(self):
        with pytest.raises(ModelError, match=r"'fancy' is none of auto, chat, plain"):
            TextFormat.of(tiny.tokenizer(), template="fancy")

    def test_broken_template(self):
        with pytest.raises(ModelError, match=r"no valid Jinja"):
            TextFormat.of(tiny.tokenizer(chat="{% for %}"))

    def test_turns_that_the_template_refuses(self):
        picky = (
            "{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}" + tiny.CHATML
        )
        text = TextFormat.of(tiny.tokenizer(chat=picky))
        with pytest.raises(
            ModelError, match=r"refuses the turns assistant, user \(user first\); use template"
        ):
            text.prompt((Message("assistant", "hi"), Message("user", "x")))

    def test_a_slow_tokenizer(self):
        class Slow:
            is_fast = False

        with pytest.raises(ModelError, match=r"Slow is a slow tokenizer"):
            TextFormat.of(Slow())

    def test_no_turns(self):
        with pytest.raises(ModelError, match=r"without turns"):
            PLAIN.prompt(())

    def test_nothing_to_score(self):
        with pytest.raises(ModelError, match=r"no token to score"):
            PLAIN.encode((Message("user", "x"),), Target("", (0, 0)), end=False)

    def test_nothing_before_the_reply(self):
        backend = Tokenizer(models.WordLevel({"x": 0, "y": 1, "?": 2}, unk_token="?"))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        text = TextFormat(backend)
        with pytest.raises(ModelError, match=r"no token stands before the reply 'y'"):
            text.encode((Message("user", " "),), Target("y", (0, 1)))


def test_an_empty_target_scores_the_end_token_alone():
    encoded = PLAIN.encode((Message("user", "x"),), Target("", (0, 0)))
    assert encoded.target_count == 1
    assert encoded.answer == (False,)
