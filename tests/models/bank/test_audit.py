"""The audit names what is wrong and nobody else; originals of copies stay clean."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny
from peft_folders import VARIANTS, broken, peft_folder
from safetensors.numpy import load_file, save_file
from small_bank import (
    PREFIX,
    SHAPES,
    WIDTH,
    module,
    random_adapter,
    tensors,
    write_adapter,
    write_base,
    write_tokenizer,
)

from kshot.errors import ModelError
from kshot.models.bank import copies as copies_module
from kshot.models.bank.bank import Bank
from kshot.models.bank.copies import CANDIDATE, Sketch, Sketcher, copies
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import LoraDelta


@pytest.fixture
def base(tmp_path):
    return write_base(tmp_path / "base")


@pytest.fixture
def bank(tmp_path):
    return tmp_path / "bank"


def codes(audit):
    return {(finding.name, finding.level, finding.code) for finding in audit.findings}


def edited(change, *, seed=0, only="lora_B"):
    return {name: change(value) if only in name else value for name, value in tensors(seed=seed).items()}


def test_honest_adapters_are_clean(base, bank):
    for seed, name in enumerate(["brewer", "mason", "smith"]):
        write_adapter(bank / name, tensors(seed=seed))
    write_adapter(bank / "weaver", tensors(seed=9, rank=3), r=3, lora_alpha=0.5, use_rslora=True)
    audit = Bank(bank).audit(base)
    assert audit.findings == () == audit.refused
    assert audit.usable == audit.clean == ("brewer", "mason", "smith", "weaver")
    assert audit.rows() == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_peft_writes_fits_what_transformers_writes(tmp_path, bank, variant):
    kind, options = VARIANTS[variant]
    base = tiny.save(tmp_path / "base", kind)
    for seed in range(2):
        peft_folder(bank / f"expert-{seed}", kind, seed=seed, **options)
    assert codes(Bank(bank).audit(base)) == set()
    other = tiny.save(tmp_path / "other", kind, **({"intermediate_size": 80} if kind != "gpt2" else {}))
    refused = Bank(bank).audit(other).refused
    touched = kind != "gpt2" and any("mlp" in name for name in Bank(bank).adapter("expert-0").modules)
    assert refused == (("expert-0", "expert-1") if touched else ())


def test_every_planted_defect_is_named_and_nobody_else(base, bank):
    honest = tensors(seed=1)
    write_adapter(bank / "brewer", honest)
    write_adapter(bank / "smith", tensors(seed=2))
    write_adapter(bank / "brewer-again", honest)
    noise = np.random.default_rng(0)
    for name in ("smith-a", "smith-b"):
        near = {
            key: value * (1 + 0.01 * noise.normal(size=value.shape)).astype(np.float32)
            for key, value in tensors(seed=2).items()
        }
        write_adapter(bank / name, near)
    write_adapter(
        bank / "nan", edited(lambda b: np.where(b == b.max(), np.nan, b).astype(np.float32), seed=3)
    )
    write_adapter(
        bank / "inf",
        edited(lambda a: np.where(a == a.max(), np.inf, a).astype(np.float32), seed=3, only="lora_A"),
    )
    write_adapter(bank / "zero", edited(np.zeros_like, seed=4))
    write_adapter(bank / "faint", edited(lambda b: b * np.float32(1e-8), seed=5))
    wide = {
        name: (out if out != WIDTH else 6, into if into != WIDTH else 6)
        for name, (out, into) in SHAPES.items()
    }
    write_adapter(bank / "wide", tensors(seed=6, shapes=wide))
    write_adapter(bank / "dora", tensors(seed=7), use_dora=True)
    broken(bank / "short", "cut short")
    broken(bank / "key", "unknown key")
    audit = Bank(bank).audit(base)
    assert codes(audit) == {
        ("brewer-again", "warn", "exact_duplicate"),
        ("smith-a", "warn", "near_duplicate"),
        ("smith-b", "warn", "near_duplicate"),
        ("nan", "refuse", "nan"),
        ("inf", "refuse", "nan"),
        ("zero", "warn", "zero_b"),
        ("faint", "warn", "no_effect"),
        ("wide", "refuse", "shape"),
        ("dora", "refuse", "dora"),
        ("short", "refuse", "truncated"),
        ("key", "refuse", "unknown_key"),
    }
    assert audit.clean == ("brewer", "smith")
    assert audit.refused == ("dora", "inf", "key", "nan", "short", "wide")
    assert set(audit.usable) | set(audit.refused) == set(audit.names)
    assert [f.name for f in audit.findings] == sorted(f.name for f in audit.findings)
    told = json.loads(json.dumps(audit.to_json(), allow_nan=False))
    assert told["usable"] == list(audit.usable)
    assert len(told["findings"]) == len(audit.findings) == len(audit.rows())


def test_a_copy_of_a_broken_adapter_blames_no_honest_one(base, bank):
    """The broken ones come first by name: without care their honest copies would be named."""
    honest = tensors(seed=1)
    write_adapter(bank / "honest", honest)
    write_adapter(bank / "aa-faint", edited(lambda b: b * np.float32(1e-8), seed=1))
    write_adapter(bank / "ab-dora", honest, use_dora=True)
    write_adapter(bank / "ac-key", honest | {f"{PREFIX}x": np.ones(1, np.float32)})
    write_adapter(bank / "ad-other", honest, rank_pattern={"q_proj": 7})
    write_adapter(bank / "zz-copy", honest)
    audit = Bank(bank).audit(base)
    assert audit.clean == ("honest",)
    assert {c for n, _, c in codes(audit) if n == "zz-copy"} == {"exact_duplicate"}
    assert {f.sentence for f in audit.findings if f.name == "zz-copy"} == {
        "is an exact duplicate: it has the same file as honest"
    }


def test_the_same_delta_in_another_split_is_a_duplicate(base, bank):
    turn = np.array([[2.0, 1.0], [0.0, 0.5]])
    honest = tensors(seed=1)
    other = {
        key: (turn @ value if "lora_A" in key else value @ np.linalg.inv(turn)).astype(np.float64)
        for key, value in honest.items()
    }
    write_adapter(bank / "a", honest)
    write_adapter(bank / "b", other)
    write_adapter(
        bank / "c",
        {key: value * np.float32(2 if "lora_B" in key else 1) for key, value in honest.items()},
        lora_alpha=2,
    )
    audit = Bank(bank).audit(base)
    assert codes(audit) == {("b", "warn", "exact_duplicate"), ("c", "warn", "exact_duplicate")}
    assert "does exactly the same as a" in audit.findings[0].sentence


def test_a_louder_copy_is_a_near_one_and_a_negative_is_none(base, bank):
    write_adapter(bank / "a", tensors(seed=1))
    write_adapter(bank / "b", edited(lambda b: b * np.float32(1.5), seed=1))
    write_adapter(bank / "c", edited(lambda b: -b, seed=1))
    assert codes(Bank(bank).audit(base)) == {("b", "warn", "near_duplicate")}


def test_only_one_line_parts_near_from_apart(base, bank):
    """Delta cosines on both sides of .999."""
    honest = tensors(seed=1)
    for name, amount in (("b-near", 0.03), ("c-apart", 0.06)):
        other = tensors(seed=50)
        mixed = {}
        for key, value in honest.items():  # rank 4: the honest one and a little of another, side by side
            little = np.float32(amount) if "lora_B" in key else np.float32(1)
            mixed[key] = np.concatenate([value, little * other[key]], axis=0 if "lora_A" in key else 1)
        write_adapter(bank / name, mixed, r=4, lora_alpha=8)
    write_adapter(bank / "a", honest)
    adapters = {name: Bank(bank).adapter(name) for name in ("a", "b-near", "c-apart")}
    assert adapters["a"].cosine(adapters["c-apart"]) < 0.999 < adapters["a"].cosine(adapters["b-near"])
    found = codes(Bank(bank).audit(base))
    assert found in (
        {("b-near", "warn", "near_duplicate")},
        {
            ("b-near", "warn", "near_duplicate"),
            ("c-apart", "warn", "near_duplicate"),
        },  # linked through b-near
    )
    linked = adapters["b-near"].cosine(adapters["c-apart"]) > 0.999
    assert (len(found) == 2) == linked


def test_without_a_base_no_fit_is_judged(bank):
    wide = {name: (2 * out, 2 * into) for name, (out, into) in SHAPES.items()}
    write_adapter(bank / "a", tensors(seed=0))
    write_adapter(bank / "b", tensors(seed=1, shapes=wide))
    write_adapter(bank / "faint", edited(lambda b: b * np.float32(1e-8), seed=5))
    audit = Bank(bank).audit()
    assert codes(audit) == {("faint", "warn", "no_effect")}
    assert audit.base is None
    assert codes(Bank(bank).audit(None)) == codes(audit)


def test_the_bank_may_know_its_base(base, bank):
    write_adapter(bank / "wide", tensors(shapes={"q_proj": (6, 6), "down_proj": (6, 12)}))
    assert codes(Bank(bank, base=base).audit()) == {("wide", "refuse", "shape")}


def test_weak_is_judged_against_the_base(tmp_path, bank):
    """The same adapter on a base whose weights are a million times larger does nothing."""
    small, large = write_base(tmp_path / "small"), write_base(tmp_path / "large")
    weights = load_file(large / "model.safetensors")
    save_file({n: t * np.float32(1e6) for n, t in weights.items()}, large / "model.safetensors")
    write_adapter(bank / "a")
    assert codes(Bank(bank).audit(small)) == set()
    assert codes(Bank(bank).audit(large)) == {("a", "warn", "no_effect")}


def test_one_strong_module_is_enough(base, bank):
    strong = f"{PREFIX}{module(1, 'q_proj')}.lora_B.weight"
    write_adapter(
        bank / "a",
        {k: v if k == strong or "lora_A" in k else v * np.float32(1e-9) for k, v in tensors().items()},
    )
    assert codes(Bank(bank).audit(base)) == set()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("unknown key", "unknown_key"),
        ("missing B", "missing_key"),
        ("other rank", "rank"),
        ("no target", "unknown_key"),
        ("convolution", "shape"),
        ("embedding", "embedding"),
        ("DoRA vectors", "dora"),
        ("saved module", "saved_modules"),
        ("integers", "dtype"),
        ("no tensors", "empty"),
        ("DoRA", "dora"),
        ("other type", "other_type"),
        ("cut short", "truncated"),
        ("pickled only", "pickled"),
        ("no weights", "missing_weights"),
        ("no configuration", "missing_config"),
        ("configuration no JSON", "bad_config"),
    ],
)
def test_each_way_of_being_broken_has_its_code(base, bank, name, code):
    broken(bank / "x", name)
    for audit in (Bank(bank).audit(base), Bank(bank).audit()):
        assert codes(audit) == {("x", "refuse", code)}
        assert all(finding.sentence and "\n" not in finding.sentence for finding in audit.findings)


def test_modules_that_the_base_lacks_or_the_adapter_leaves_out(base, bank):
    write_adapter(bank / "deep", tensors(layers=3))
    write_adapter(bank / "part", tensors(targets=("q_proj",)))
    write_adapter(bank / "half", tensors(layers=1))
    write_adapter(bank / "some", tensors(layers=1), layers_to_transform=[0])
    write_adapter(
        bank / "more-names", tensors(seed=8), target_modules=["q_proj", "down_proj", "query_key_value"]
    )
    audit = Bank(bank).audit(base)
    assert {c for c in codes(audit) if c[1] == "refuse"} == {
        ("deep", "refuse", "unknown_module"),
        ("part", "refuse", "missing_key"),
        ("half", "refuse", "missing_key"),
    }
    assert {"some", "more-names"} <= set(audit.clean)
    assert "2 target modules have no weights" in next(f.sentence for f in audit.findings if f.name == "part")


def test_many_misfits_are_one_finding(base, bank):
    write_adapter(bank / "x", tensors(shapes={"q_proj": (6, 6), "down_proj": (6, 12)}))
    (finding,) = Bank(bank).audit(base).findings
    assert finding.sentence.endswith("; ... and 3 more of 4")
    assert "made for a weight of (6, 12), the base has (8, 12)" in finding.sentence


def test_conv1d_files_without_the_models_own_prefix(tmp_path, bank):
    """The published gpt2 stores h.0.attn.c_attn.weight as (in, out); its adapters name transformer.h.0."""
    folder = tmp_path / "gpt2"
    folder.mkdir()
    rng = np.random.default_rng(0)
    save_file(
        {f"h.{i}.attn.c_attn.weight": rng.normal(size=(8, 24)).astype(np.float32) for i in range(2)},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    names = [f"{PREFIX}transformer.h.{i}.attn.c_attn" for i in range(2)]
    weights = {f"{n}.lora_A.weight": rng.normal(size=(2, 8)).astype(np.float32) for n in names}
    weights |= {f"{n}.lora_B.weight": rng.normal(size=(24, 2)).astype(np.float32) for n in names}
    write_adapter(bank / "fits", weights, target_modules=["c_attn"], fan_in_fan_out=True)
    write_adapter(bank / "half", {k: v for k, v in weights.items() if "h.0" in k}, target_modules=["c_attn"])
    assert codes(Bank(bank).audit(folder)) == {("half", "refuse", "missing_key")}


def test_a_tied_output_layer_is_the_embedding(base, bank):
    rng = np.random.default_rng(0)
    head = {
        f"{PREFIX}lm_head.lora_A.weight": rng.normal(size=(2, 8)),
        f"{PREFIX}lm_head.lora_B.weight": rng.normal(size=(20, 2)),
    }
    write_adapter(
        bank / "head", {k: v.astype(np.float32) for k, v in head.items()}, target_modules=["lm_head"]
    )
    write_adapter(bank / "none", tensors(), target_modules=["q_proj", "down_proj", "lm_head"])
    assert codes(Bank(bank).audit(base)) == {("none", "refuse", "missing_key")}


@pytest.mark.parametrize(
    ("tokens", "added", "pad", "expected"),
    [
        ({"a": 0, "b": 1}, {}, None, set()),
        ({"a": 0, "b": 1}, {"<new>": 2}, None, {("x", "refuse", "added_tokens")}),
        ({"a": 0, "b": 1}, {"<pad>": 20}, "<pad>", set()),
        ({"a": 1, "b": 0}, {}, None, {("x", "warn", "tokenizer")}),
        ({"a": 0}, {}, None, {("x", "warn", "tokenizer")}),
    ],
)
def test_tokenizers_are_compared_where_both_are_there(tmp_path, bank, tokens, added, pad, expected):
    base = write_base(tmp_path / "b", tokens={"a": 0, "b": 1})
    write_tokenizer(write_adapter(bank / "x"), tokens, added=added, pad=pad)
    assert codes(Bank(bank).audit(base)) == expected


def test_a_tokenizer_that_cannot_be_read_is_said_so(tmp_path, bank):
    base = write_base(tmp_path / "b", tokens={"a": 0})
    (write_adapter(bank / "x") / "tokenizer.json").write_text('{"model": 3}')
    assert codes(Bank(bank).audit(base)) == {("x", "warn", "tokenizer")}


def test_notes_blame_nobody(base, bank):
    write_adapter(bank / "a", base_model_name_or_path="owner/elsewhere", card=None)
    write_adapter(bank / "b", tensors(seed=1))
    audit = Bank(bank).audit(base)
    assert audit.findings == ()
    assert [name for name, _ in audit.notes] == ["a", "a"]
    assert "declares the base owner/elsewhere" in audit.notes[0][1]
    assert "no training data" in audit.notes[1][1]


def test_a_base_that_cannot_be_read(bank, tmp_path):
    write_adapter(bank / "a")
    (tmp_path / "empty").mkdir()
    for base, message in (
        (tmp_path / "absent", "no such folder"),
        (tmp_path / "empty", "config.json: is missing"),
    ):
        with pytest.raises(ModelError, match=message):
            Bank(bank).audit(base)
    (tmp_path / "empty" / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="holds a list, expected a JSON object"):
        Bank(bank).audit(tmp_path / "empty")


# -- many adapters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [0, 1 << 20])
def test_few_pairs_are_compared_whatever_fits_into_memory(monkeypatch, held):
    """200 strangers and 20 copies of one: no pair of strangers is compared in full."""
    strangers = [random_adapter(seed) for seed in range(200)]
    bank = [*strangers, *(strangers[7].scaled(1 + at / 100) for at in range(20))]
    sketcher, opened = Sketcher(), []
    sketches = [sketcher.sketch(adapter) for adapter in bank]
    monkeypatch.setattr(copies_module, "_BLOCK_ROWS", 64)
    monkeypatch.setattr(copies_module, "_HELD_VALUES", held)

    def opening(at):
        opened.append(at)
        return bank[at]

    found = copies(sketches, [str(at) for at in range(len(bank))], open_adapter=opening)
    assert [(copy.position, copy.original) for copy in found] == [(200 + at, 7) for at in range(20)]
    assert [copy.exact for copy in found] == [at == 0 for at in range(20)]
    assert len(opened) < (100 if held == 0 else 30)


def test_equal_files_need_no_reading_to_be_grouped():
    adapters = [random_adapter(0), random_adapter(1), random_adapter(0)]
    found = copies([Sketch(np.zeros(64), 1.0)] * 3, ["x", "y", "x"], open_adapter=adapters.__getitem__)
    assert [(copy.position, copy.original, copy.exact) for copy in found] == [(2, 0, True)]


def test_groups_are_linked_through_others():
    """0 and 2 are no copies of each other, but both of 1."""
    rows = [LoraAdapter(str(at), turned(angle)).modules for at, angle in enumerate((0.0, 0.04, 0.08))]
    bank = [LoraAdapter(str(at), modules) for at, modules in enumerate(rows)]
    assert bank[0].cosine(bank[2]) < 0.999 < bank[0].cosine(bank[1])
    sketcher = Sketcher()
    found = copies([sketcher.sketch(a) for a in bank], list("abc"), open_adapter=bank.__getitem__)
    assert [(copy.position, copy.original) for copy in found] == [(1, 0), (2, 0)]


def turned(angle):
    return {"q": LoraDelta(np.array([[np.cos(angle), np.sin(angle)]]), np.array([[1.0], [0.5]]), 1.0)}


@pytest.mark.parametrize("cosine", [0.9991, 0.9995])
def test_sketches_of_near_copies_stay_far_above_the_line(cosine):
    """The hardest case for a sketch: deltas of rank 1 on a single module."""
    lowest = 1.0
    for seed in range(60):
        one = random_adapter(seed, ranks=(1,), modules=("a",), shape=(40, 30), dtype=np.float64)
        other = random_adapter(seed + 500, ranks=(1,), modules=("a",), shape=(40, 30), dtype=np.float64)
        d, e = one.delta("a"), other.delta("a")
        e -= d * (d * e).sum() / (d * d).sum()
        near = d / np.linalg.norm(d) * cosine + e / np.linalg.norm(e) * np.sqrt(1 - cosine**2)
        u, s, v = np.linalg.svd(near)
        copy = LoraAdapter("x", {"a": LoraDelta(v[:2], u[:, :2] * s[:2], 1.0)})
        assert one.cosine(copy) == pytest.approx(cosine, abs=1e-9)
        x, y = Sketcher().sketch(one).probes, Sketcher().sketch(copy).probes
        lowest = min(lowest, float(x @ y / np.linalg.norm(x) / np.linalg.norm(y)))
    assert lowest > (1 + CANDIDATE) / 2


def test_numbers_too_large_for_a_sketch_leave_no_warning(base, bank):
    huge = edited(lambda b: b * np.float32(1e38))
    write_adapter(bank / "a", huge)
    write_adapter(bank / "b", huge)
    assert codes(Bank(bank).audit(base)) == {("b", "warn", "exact_duplicate")}
    write_adapter(bank / "c", {k: v.astype(np.float64) * 1e200 for k, v in tensors().items()})
    assert ("c", "refuse", "too_large") in codes(Bank(bank).audit(base))


def test_a_sketch_is_of_the_delta_and_not_of_its_factors():
    one = random_adapter(3, dtype=np.float64)
    turn = np.array([[1.0, 2.0], [0.0, 1.0]])
    same = {
        "a": LoraDelta(
            turn @ one.modules["a"].a, one.modules["a"].b @ np.linalg.inv(turn), one.modules["a"].scaling
        )
    }
    other = LoraAdapter("x", {**one.modules, **same})
    np.testing.assert_allclose(Sketcher().sketch(one).probes, Sketcher().sketch(other).probes, atol=1e-9)
    assert not Sketcher().sketch(one.scaled(0.0)).probes.any()
