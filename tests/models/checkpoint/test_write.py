"""Mixes of every family against double references, and what must never change a byte."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import mix_folders
import numpy as np
import pytest
import tiny
import torch
from mix_folders import FAMILIES, WEIGHTS, contents, family, reference, tensors
from safetensors.torch import load_file, save_file

from kshot.errors import ModelError
from kshot.models.checkpoint import arithmetic, plan_mix, stream, write_mix

KEYS = {"llama-tied": 20, "llama": 21, "bert": 39, "reranker": 41}


def mixed(folders, out, weights=WEIGHTS, *, operation=None, threads=None, **options):
    words = {} if operation is None else {"operation": operation}
    return write_mix(plan_mix(folders, lineage=False, **options), weights, out, threads=threads, **words)


@pytest.mark.parametrize("name", FAMILIES)
def test_float32_is_the_double_sum(tmp_path, name):
    folders = family(tmp_path, name)
    mixed(folders, tmp_path / "out")
    found, wanted = tensors(tmp_path / "out"), reference(folders)
    assert list(found) == list(tensors(folders[0]))
    assert len(found) == KEYS.get(name, len(found))
    for key, value in found.items():
        assert value.dtype == torch.float32
        unit = 2**-23 * max(1, float(value.abs().max()))
        assert np.abs(value.double().numpy() - wanted[key]).max() <= (9.6e-8 if name in KEYS else unit), key


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", FAMILIES)
def test_16_bits_are_the_double_sum_rounded_once(tmp_path, name, dtype):
    """Every element, where the issue's bar is 99.5 % and one unit in the last place."""
    folders = family(tmp_path, name, dtype=dtype)
    mixed(folders, tmp_path / "out")
    found, wanted = tensors(tmp_path / "out"), reference(folders)
    assert all(value.dtype == dtype for value in found.values())
    for key, value in found.items():
        assert torch.equal(value, nearest(torch.from_numpy(np.asarray(wanted[key])), dtype)), key
    single = {key: sum_in_float32(folders, key).to(dtype) for key in found}
    assert any((single[key] != found[key]).any() for key in found)  # float32 would not do


def nearest(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The neighbour of a double in a narrow type that is nearest to it, the even one of two."""
    start = values.to(dtype).view(torch.int16)
    around = torch.stack([start - 1, start, start + 1])
    apart = (around.view(dtype).double() - values).abs()
    apart = torch.where(apart.isnan(), torch.inf, apart)
    odd = (around & 1).double()
    least = apart.amin(0)
    chosen = torch.where(apart == least, odd, 2.0).argmin(0)
    found = around.gather(0, chosen[None])[0].view(dtype)
    return torch.where(values == 0, torch.zeros_like(found), found)


def sum_in_float32(folders, key):
    parts = [tensors(folder)[key].float() for folder in folders]
    whole = parts[0] * WEIGHTS[0]
    for part, weight in zip(parts[1:], WEIGHTS[1:], strict=True):
        whole += part * weight
    return whole


def test_the_golden_rounding(tmp_path):
    for at, value in enumerate((0.9375, 1.0078125, 0.9375)):
        folder = tmp_path / f"m{at}"
        folder.mkdir()
        (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        save_file({"x": torch.tensor([value], dtype=torch.bfloat16)}, folder / "model.safetensors")
    mixed([tmp_path / f"m{at}" for at in range(3)], tmp_path / "out")
    assert tensors(tmp_path / "out")["x"].item() == 0.95703125


def test_doubles_are_added_in_double(tmp_path):
    folders = family(tmp_path, "bert", dtype=torch.float64)
    mixed(folders, tmp_path / "out")
    for key, value in tensors(tmp_path / "out").items():
        assert value.dtype == torch.float64
        np.testing.assert_allclose(value.numpy(), reference(folders)[key], rtol=1e-15, atol=1e-16)


def test_one_double_member_makes_the_sum_a_double(tmp_path):
    """A base of bfloat16: rounded once from double, not by way of float32."""
    rows = {
        "m0": torch.tensor([1.0], dtype=torch.bfloat16),
        "m1": torch.tensor([2.0**-7 + 2.0**-50], dtype=torch.float64),
    }
    for name, value in rows.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        save_file({"x": value}, tmp_path / name / "model.safetensors")
    mixed([tmp_path / "m0", tmp_path / "m1"], tmp_path / "out", [0.5, 0.5])
    # .5 + 2^-8 + 2^-51: between .5 and .50390625 + ...; a tie in float32, above it in double
    assert tensors(tmp_path / "out")["x"].item() == 0.50390625
    mixed([tmp_path / "m0", tmp_path / "m1"], tmp_path / "wide", [0.75, 0.25], dtype="float32")
    assert tensors(tmp_path / "wide")["x"].dtype == torch.float32


def test_output_loads_with_the_logits_of_a_mix_in_memory(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = torch.arange(14).reshape(2, 7)
    for name in ("llama", "llama-tied", "gpt2"):
        folders = family(tmp_path, name)
        mixed(folders, tmp_path / f"{name}-out")
        model = mix_folders.made(name)
        model.load_state_dict(
            {k: torch.from_numpy(v).float() for k, v in reference(folders).items()}, strict=False
        )
        with torch.no_grad():
            wanted = model(ids).logits
            found = AutoModelForCausalLM.from_pretrained(tmp_path / f"{name}-out").eval()(ids).logits
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert len(AutoTokenizer.from_pretrained(tmp_path / f"{name}-out")) == len(tiny.tokenizer())


@pytest.mark.parametrize("name", ["bert", "reranker", "xlm-roberta", "modernbert", "t5"])
def test_encoders_and_the_rest_load(tmp_path, name):
    import transformers

    folders = family(tmp_path, name)
    mixed(folders, tmp_path / "out")
    model = mix_folders.made(name)
    model.load_state_dict(
        {k: torch.from_numpy(v).float() for k, v in reference(folders).items()}, strict=False
    )
    loaded = getattr(transformers, type(model).__name__).from_pretrained(tmp_path / "out").eval()
    ids = torch.arange(3, 17).reshape(2, 7)
    words = {"decoder_input_ids": ids[:, :3]} if name == "t5" else {}
    with torch.no_grad():
        found, wanted = loaded(input_ids=ids, **words)[0], model(input_ids=ids, **words)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_sentence_transformers_folder_keeps_its_modules(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    places = []
    for at, folder in enumerate(family(tmp_path, "bert", count=2)):
        body = Transformer(str(folder))
        torch.manual_seed(at)
        made = SentenceTransformer(
            modules=[body, Pooling(64, "cls"), Dense(64, 8), Normalize()], device="cpu"
        )
        places.append(tmp_path / f"st-{at}")
        made.save(str(places[-1]), create_model_card=False)
    mixed(places, tmp_path / "out", [0.75, 0.25])
    dense = [load_file(place / "2_Dense/model.safetensors") for place in (*places, tmp_path / "out")]
    for key, value in dense[2].items():
        torch.testing.assert_close(value, 0.75 * dense[0][key] + 0.25 * dense[1][key])
    loaded = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert [type(module).__name__ for module in loaded] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert loaded[1].pooling_mode == "cls"
    assert loaded.encode(["a text"]).shape == (1, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_model_of_weight_1_keeps_its_bytes(tmp_path, dtype):
    folders = family(tmp_path, "llama", dtype=dtype)
    for at in range(3):
        weights = [float(at == number) for number in range(3)]
        mixed(folders, tmp_path / f"out-{at}", weights)
        assert contents(tmp_path / f"out-{at}") == contents(folders[at]), at
    mixed(folders[:1], tmp_path / "alone", [1.0])
    assert contents(tmp_path / "alone") == contents(folders[0])


def test_a_member_of_weight_0_is_never_opened(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama")
    plan = plan_mix(folders)
    opened = []
    from kshot.models.checkpoint import write

    inner = write.os.open
    monkeypatch.setattr(write.os, "open", lambda path, *rest: opened.append(str(path)) or inner(path, *rest))
    write_mix(plan, [0.5, 0.5, 0.0], tmp_path / "out")
    assert any(str(folders[1]) in path for path in opened)
    assert not any(str(folders[2]) in path for path in opened)


def test_threads_and_blocks_never_change_a_byte(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama", dtype=torch.bfloat16)
    mixed(folders, tmp_path / "one", threads=1)
    mixed(folders, tmp_path / "four", threads=4)
    monkeypatch.setattr(arithmetic, "BLOCK_VALUES", 37)
    monkeypatch.setattr(stream, "JOB_VALUES", 101)
    mixed(folders, tmp_path / "small", threads=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "four") == contents(tmp_path / "small")


def test_one_shard_is_as_three(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, shards = family(tmp_path / "a", "llama"), family(tmp_path / "b", "llama", shard="60KB")
    assert len(list(shards[0].glob("*.safetensors"))) >= 3
    mixed(whole, tmp_path / "one")
    mixed([shards[0], whole[1], shards[2]], tmp_path / "many")
    one, many = tensors(tmp_path / "one"), tensors(tmp_path / "many")
    assert one.keys() == many.keys()
    assert all(torch.equal(one[key], many[key]) for key in one)
    name = "model.safetensors.index.json"
    found, base = (json.loads((place / name).read_text()) for place in (tmp_path / "many", shards[0]))
    assert found == base
    mixed([shards[0], whole[1], whole[2]], tmp_path / "half", dtype="bfloat16")
    half = json.loads((tmp_path / "half" / name).read_text())
    assert half["weight_map"] == base["weight_map"]
    assert half["metadata"]["total_size"] * 2 == base["metadata"]["total_size"]
    assert json.loads((tmp_path / "half/config.json").read_text())["dtype"] == "bfloat16"


def test_permuting_models_permutes_weights(tmp_path):
    folders = family(tmp_path, "llama")
    mixed(folders, tmp_path / "one")
    mixed([folders[2], folders[0], folders[1]], tmp_path / "other", [0.2, 0.5, 0.3], base=1)
    one, other = tensors(tmp_path / "one"), tensors(tmp_path / "other")
    for key, value in one.items():
        torch.testing.assert_close(value, other[key], rtol=0, atol=1.2e-7)


def test_bytes_and_progress(tmp_path):
    folders = family(tmp_path, "llama", shard="60KB")
    plan, seen = plan_mix(folders), []
    result = write_mix(
        plan,
        WEIGHTS,
        tmp_path / "out",
        texts={"README.md": "card\n"},
        on_progress=lambda *now: seen.append(now),
    )
    files = contents(tmp_path / "out")
    assert files["README.md"] == b"card\n"
    assert plan.write_bytes == sum(len(data) for name, data in files.items() if name.endswith(".safetensors"))
    size = sum(value.numel() * 4 for value in tensors(folders[0]).values())
    assert (result.read_bytes, result.written_bytes) == (3 * size, size) == (plan.read_bytes, size)
    assert seen[-1] == (size, size)
    assert not result.resumed
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_layer_weights(tmp_path):
    folders = family(tmp_path, "llama", count=2)
    rules = [("model.layers.0.*", [0.0, 1.0]), ("model.layers.*", [1.0, 0.0])]
    write_mix(plan_mix(folders), [0.5, 0.5], tmp_path / "out", layer_weights=rules)
    base, tuned, found = (tensors(folder) for folder in (*folders, tmp_path / "out"))
    for key, value in found.items():
        if ".0." in key:
            assert torch.equal(value, tuned[key])
        elif ".1." in key:
            assert torch.equal(value, base[key])
        else:
            assert not torch.equal(value, base[key])


def refused(plan, weights, out, match, **words):
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(ModelError, match=match):
        write_mix(plan, weights, out, **words)
    assert sorted(out.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ([0.5, 0.2], "sum to 0.7"),
        ([0.6, 0.6], "sum to 1.2"),
        ([float("nan"), 0.5], "nan"),
        ([float("inf"), 0.0], "inf"),
        ([1.0], "1 for 2 models"),
        ([], "0 for 2 models"),
    ],
)
def test_weights_that_are_refused(tmp_path, weights, match):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)
    refused(plan, weights, tmp_path / "out", match)
    refused(plan, [0.5, 0.5], tmp_path / "out", match, layer_weights=[("lm_head.*", weights)])
    write_mix(plan, [1.5, -0.5], tmp_path / "out")  # extrapolation is allowed


def test_what_else_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)
    even = [0.5, 0.5]
    refused(plan, even, tmp_path / "out", "matches no tensor.*model", layer_weights=[("layers.0", even)])
    refused(plan, even, folders[1], "not empty")
    refused(replace(plan, refusals=("no",)), even, tmp_path / "out", "^no$")
    refused(plan, even, tmp_path / "out", "weights file", texts={"model.safetensors": ""})
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    refused(plan, even, tmp_path / "out", "no space is left; the output takes")
    monkeypatch.undo()
    path = folders[1] / "model.safetensors"
    path.write_bytes(path.read_bytes())
    refused(plan, even, tmp_path / "out", "changed or went away")
    plan = plan_mix(folders)
    (folders[0] / "config.json").write_text("{}")  # it would be copied
    refused(plan, even, tmp_path / "out", "config.json: changed or went away")


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"Not a directory.*give another folder"):
        write_mix(plan_mix(family(tmp_path, "llama", count=2)), [0.5, 0.5], tmp_path / "file" / "out")


def test_texts_with_half_characters_are_escaped(tmp_path):
    plan = plan_mix(family(tmp_path, "llama", count=2))
    write_mix(plan, [0.5, 0.5], tmp_path / "out", texts={"facts.json": '{"name": "\udcff"}'})
    assert json.loads((tmp_path / "out" / "facts.json").read_text()) == {"name": "\udcff"}


def test_a_nan_is_refused_by_model_and_tensor(tmp_path):
    folders = family(tmp_path, "llama", count=3)
    path = folders[1] / "model.safetensors"
    changed = load_file(path)
    changed["model.norm.weight"][3] = float("nan")
    save_file(changed, path, {"format": "pt"})
    plan = plan_mix(folders, lineage=False)
    refused(plan, WEIGHTS, tmp_path / "out", "llama-1: tensor model.norm.weight holds NaN or infinity")
    write_mix(plan, [0.5, 0.0, 0.5], tmp_path / "out")  # of weight 0: never read


def test_overflow_of_a_narrow_dtype_is_refused(tmp_path):
    folders = family(tmp_path, "llama", count=2)
    for folder in folders:
        changed = load_file(folder / "model.safetensors")
        changed["model.norm.weight"][3] = 1e5
        save_file(changed, folder / "model.safetensors", {"format": "pt"})
    plan = plan_mix(folders, dtype="float16", lineage=False)
    refused(plan, [0.5, 0.5], tmp_path / "out", "model.norm.weight.*overflows F16; use --dtype bfloat16")
    write_mix(plan_mix(folders, dtype="bfloat16", lineage=False), [0.5, 0.5], tmp_path / "out")


def test_integers_zero_and_no_dimensions(tmp_path):
    for at in range(2):
        folder = tmp_path / f"m{at}"
        folder.mkdir()
        (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        rows = {
            "scalar": torch.tensor(1.0 + at),
            "empty": torch.zeros(0, 4),
            "bn.num_batches_tracked": torch.tensor(7 + at),
            "embeddings.position_ids": torch.arange(5)[None],
            "flags": torch.tensor([True, False, True]),
            "rotary.inv_freq": torch.tensor([0.1, 0.3]),
        }
        save_file(rows, folder / "model.safetensors", {"format": "pt"})
    plan = plan_mix([tmp_path / "m0", tmp_path / "m1"], lineage=False)
    assert any("bn.num_batches_tracked holds integers that differ in" in warning for warning in plan.warnings)
    assert not any("position_ids" in warning or "flags" in warning for warning in plan.warnings)
    write_mix(plan, [0.7, 0.3], tmp_path / "out")
    found = tensors(tmp_path / "out")
    assert found["scalar"].item() == pytest.approx(1.3)
    assert found["empty"].shape == (0, 4)
    assert found["bn.num_batches_tracked"].item() == 7
    assert found["flags"].tolist() == [True, False, True]
    assert torch.equal(found["rotary.inv_freq"], torch.tensor([0.1, 0.3]))
    assert found["embeddings.position_ids"].tolist() == [[0, 1, 2, 3, 4]]


SLOW = """
import sys, time
from pathlib import Path
from kshot.models.checkpoint import arithmetic, plan_mix, stream, write_mix
out, *folders = map(Path, sys.argv[1:])
stream.JOB_VALUES, arithmetic.BLOCK_VALUES, stream._REPORT_SECONDS = 200, 100, 0.02
inner = stream._write
def slowly(*words):
    time.sleep(0.003)
    inner(*words)
stream._write = slowly
write_mix(plan_mix(folders, lineage=False), [0.5, 0.3, 0.2], out, threads=2)
"""


def test_a_killed_process_is_carried_on_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "JOB_VALUES", 200)
    monkeypatch.setattr(arithmetic, "BLOCK_VALUES", 100)
    folders = family(tmp_path, "llama", dtype=torch.bfloat16, shard="40KB")
    mixed(folders, tmp_path / "whole")
    out, journal = tmp_path / "out", tmp_path / ".out.kshot-mix/journal"
    command = [sys.executable, "-c", SLOW, str(out), *map(str, folders)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 40):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9
    process.stdout.close()
    assert not out.exists()
    done = journal.read_bytes().count(b"\n") - 1
    count = []
    inner = stream.do_job
    from kshot.models.checkpoint import write

    monkeypatch.setattr(write, "do_job", lambda *words, **more: count.append(1) or inner(*words, **more))
    result = mixed(folders, out)
    assert result.resumed
    total = len(stream.jobs_of(sources_of(folders), write.LINEAR))
    assert len(count) == total - done
    assert contents(out) == contents(tmp_path / "whole")
    assert not journal.parent.exists()


def sources_of(folders):
    plan = plan_mix(folders, lineage=False)
    return [arithmetic.Source(plan, tensor, WEIGHTS) for tensor in plan.tensors]


def test_another_mix_starts_afresh(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)
    from kshot.models.checkpoint import write

    def broken(*words, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "fill", broken)
    with pytest.raises(ModelError, match="no space is left"):
        write_mix(plan, [0.5, 0.5], tmp_path / "out")
    assert (tmp_path / ".out.kshot-mix/journal").exists()
    monkeypatch.undo()
    result = write_mix(plan, [0.25, 0.75], tmp_path / "out")
    assert not result.resumed
    mixed(folders, tmp_path / "other", [0.25, 0.75])
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def test_an_interrupt_leaves_a_state_that_is_carried_on(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)

    def stopped(done, total):
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        write_mix(plan, [0.5, 0.5], tmp_path / "out", on_progress=stopped)
    assert threading.active_count() == before
    assert write_mix(plan, [0.5, 0.5], tmp_path / "out").resumed


def test_torch_threads_are_set_back_and_transformers_stays_out(tmp_path):
    folders = family(tmp_path, "llama", count=2)
    code = (
        "import sys, torch; torch.set_num_threads(3)\n"
        "from pathlib import Path\n"
        "from kshot.models.checkpoint import plan_mix, write_mix\n"
        f"write_mix(plan_mix({[str(f) for f in folders]!r}), [.5, .5], Path({str(tmp_path / 'out')!r}))\n"
        "heavy = {'transformers', 'peft', 'sentence_transformers'}\n"
        "print(torch.get_num_threads(), sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "3 []\n"


def test_a_file_that_went_away_in_between_is_written_again(tmp_path, monkeypatch):
    folders = family(tmp_path, "llama", count=2, shard="100KB")
    plan = plan_mix(folders, lineage=False)
    from kshot.models.checkpoint import write

    def broken(*words, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "fill", broken)
    with pytest.raises(KeyboardInterrupt):
        write_mix(plan, [0.5, 0.5], tmp_path / "out")
    monkeypatch.undo()
    first, second, *_ = sorted((tmp_path / ".out.kshot-mix/output").glob("*.safetensors"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-8])
    result = write_mix(plan, [0.5, 0.5], tmp_path / "out")
    assert result.resumed
    assert 0 < result.written_bytes < plan.write_bytes
    mixed(folders, tmp_path / "other", [0.5, 0.5])
    assert contents(tmp_path / "out") == contents(tmp_path / "other")
