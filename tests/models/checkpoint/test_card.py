"""The card of a mix: what it says, that the hub can read it, and that no name breaks it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
import yaml
from header_folders import sentence_model, write_model
from hypothesis import given
from hypothesis import strategies as st
from small_bank import write_adapter

from kshot.models.checkpoint.card import CardFacts, CardMember, card
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.provenance import licence, public_name, weights_sha256

FACTS = CardFacts(
    members=(
        CardMember(
            "owner/base", 1 / 3, revision="v1", on_hub=True, licence="mit", losses=(1.0, 2.0),
            sha256={"model.safetensors": "a" * 64}, interval=(0.3, 0.4),
        ),
        CardMember("expert", 2 / 3, is_lora=True, licence="mit", losses=(0.5, 1.0), interval=(0.6, 0.7)),
    ),
    base=0, kind="decoder", operation="linear", library="transformers", version="0.1.0",
    examples=("id-1", "id-2"), temperature=0.5, seed=3, command="kshot mix owner/base expert --out mixed",
    layer_weights=(("model.layers.0.*", (0.25, 0.75)),), notes=("cosine .99",), warnings=("dtypes differ",),
)  # fmt: skip


def matter(text):
    start, front, _ = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front)


def rows(text, title):
    """Cells of the first table under a title."""
    lines = text.split(f"{title}\n", 1)[1].split("\n")
    table = [
        line
        for line in lines[: next((i for i, x in enumerate(lines) if x.startswith("## ")), None)]
        if "|" in line
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_front_matter(tmp_path):
    assert matter(card(FACTS)) == {
        "base_model": ["owner/base"], "library_name": "transformers", "license": "mit",
        "tags": ["merge", "kshot"],
    }  # fmt: skip


def test_members_with_weights_intervals_and_losses():
    assert rows(card(FACTS), "# A mix of 2 models") == [
        ["model", "weight", "95 % interval", "mean loss", "revision"],
        ["---", "---:", "---", "---:", "---"],
        ["owner/base (base)", "0.333333", "0.300000 to 0.400000", "1.500000", "v1"],
        ["expert (adapter)", "0.666667", "0.600000 to 0.700000", "0.750000", ""],
    ]


def test_losses_layers_hashes_and_the_rest():
    text = card(FACTS)
    assert rows(text, "## Losses on the examples")[2:] == [
        ["id-1", "1.000000", "0.500000"],
        ["id-2", "2.000000", "1.000000"],
    ]
    assert rows(text, "## Weights of single layers")[2] == ["model.layers.0.\\*", "0.250000", "0.750000"]
    assert rows(text, "## Weights files of the inputs")[2] == [
        "owner/base",
        "model.safetensors",
        f"`{'a' * 64}`",
    ]
    for said in (
        "temperature 0.5; seed 3", "```sh\nkshot mix owner/base expert --out mixed\n```", "- dtypes differ",
        "- cosine .99", "AutoModelForCausalLM.from_pretrained",
    ):  # fmt: skip
        assert said in text


def test_what_is_not_there_is_not_mentioned():
    plain = replace(
        FACTS, members=(CardMember("m", 1.0),), examples=(), temperature=None, seed=None, command=None,
        layer_weights=(), notes=(), warnings=(),
    )  # fmt: skip
    text = card(plain)
    assert [line for line in text.split("\n") if line.startswith("#")] == ["# A mix of 1 model", "## Load"]
    assert "base_model" not in text
    assert "license" not in text


def test_the_licence_stands_only_where_all_agree():
    other = replace(FACTS, members=(FACTS.members[0], replace(FACTS.members[1], licence="apache-2.0")))
    assert "license" not in matter(card(other))
    assert "license" not in matter(
        card(replace(FACTS, members=(FACTS.members[0], replace(FACTS.members[1], licence=None))))
    )


@pytest.mark.parametrize(
    ("library", "kind", "said"),
    [
        ("sentence-transformers", "encoder", "SentenceTransformer("),
        ("sentence-transformers", "reranker", "CrossEncoder("),
        ("transformers", "encoder-decoder", "AutoModelForSeq2SeqLM.from_pretrained"),
        ("transformers", "reranker", "AutoModelForSequenceClassification.from_pretrained"),
        ("peft", "decoder", "PeftModel.from_pretrained"),
    ],
)
def test_how_it_is_loaded(library, kind, said):
    assert said in card(replace(FACTS, library=library, kind=kind))


NASTY = "a|b`c`*d*_e_ [f](g) <script>x</script> &amp; $h$ ~~i~~\n---\n# j: {k}\t'\"\\ ⟂ 模型"


@given(st.text(min_size=1) | st.just(NASTY))
def test_no_name_breaks_the_front_matter_or_a_table(name):
    member = CardMember(
        name, 0.5, revision=name, on_hub=True, licence=name, losses=(1.0,), sha256={name: "b" * 64}
    )
    facts = replace(
        FACTS, members=(member, member), examples=(name,), warnings=(name,), notes=(name,), command=name
    )
    text = card(facts)
    front = text.split("\n---\n")[0]
    assert yaml.safe_load(front.removeprefix("---\n"))["library_name"] == "transformers"
    table = text.split("A mix of 2 models\n", 1)[1].split("\n\n")[1]
    lines = table.split("\n")
    assert len(lines) == 4
    counts = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}
    assert len(counts) == 1
    body = text[len(front) :].split("## Load")[0].replace(f"\n{name.strip()}\n", "")  # but the code block
    assert "<" not in body.replace("&lt;", "")


def test_a_command_with_fences_stays_one_block():
    text = card(replace(FACTS, command="echo ```` \n# not a title"))
    assert "`````sh\necho ```` \n# not a title\n`````" in text


class TestProvenance:
    def test_hashes_are_those_of_the_files(self, tmp_path):
        members = [open_member(sentence_model(tmp_path / "st")), open_member(write_adapter(tmp_path / "a"))]
        found = weights_sha256(members)
        assert [set(one) for one in found] == [
            {"model.safetensors", "2_Dense/model.safetensors"}, {"adapter_model.safetensors"},
        ]  # fmt: skip
        for member, hashes in zip(members, found, strict=True):
            for name, digest in hashes.items():
                assert digest == hashlib.sha256((member.folder / name).read_bytes()).hexdigest()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("---\nlicense: mit\n---\n# x", "mit"), ("# x", None), ("---\nlicense: [a]\n---\n", None),
            ("---\nlicense: {\n---\n", None), ("---\n- a\n---\n", None), (None, None),
        ],
    )  # fmt: skip
    def test_licence(self, tmp_path, text, said):
        folder = write_model(tmp_path / "m")
        if text is not None:
            (folder / "README.md").write_text(text)
        assert licence(open_member(folder)) == said

    def test_names_hold_no_path(self, tmp_path, monkeypatch):
        folder = write_model(tmp_path / "inner" / "m")
        assert public_name(open_member(folder)) == "m"
        monkeypatch.chdir(tmp_path)
        assert public_name(open_member("inner/m")) == "m"
        monkeypatch.chdir(folder)
        assert public_name(open_member(".")) == "m"
