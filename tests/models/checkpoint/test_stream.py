"""LoRA members, operations of two passes, and threads that fail."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
import tiny
import torch
from mix_folders import contents, family, tensors
from peft_folders import VARIANTS, peft_folder

from kshot.errors import ModelError
from kshot.models.checkpoint import arithmetic, plan_mix, stream, write_mix
from kshot.models.checkpoint.operations import operation_of
from kshot.models.lora import LoraAdapter


def with_adapters(place, variant, *, count=2):
    """A base, a second full model, and adapters, in this order."""
    kind, options = VARIANTS[variant]
    folders = [tiny.save(place / "base", kind), tiny.save(place / "full", kind, seed=5)]
    for at in range(count):
        peft_folder(place / f"adapter-{at}", kind, seed=at, **options)
        folders.append(place / f"adapter-{at}")
    return folders


def change(folder, name, shape):
    """(shape) what an adapter adds to a stored tensor, in double; zero where nothing."""
    for module, delta in LoraAdapter.load(folder).modules.items():
        if module + ".weight" in (name, "transformer." + name):
            dense = delta.dense()
            return dense if dense.shape == shape and "c_" not in name else dense.T
    return np.zeros(shape)


@pytest.mark.parametrize(
    "variant", ["plain", "rank and alpha patterns", "rsLoRA", "regular expression", "Conv1D"]
)
def test_adapters_change_the_base_exactly(tmp_path, variant):
    folders = with_adapters(tmp_path, variant)
    weights = (0.3, 0.2, 0.35, 0.15)
    write_mix(plan_mix(folders, lineage=False), weights, tmp_path / "out")
    base, full, found = (tensors(folder) for folder in (*folders[:2], tmp_path / "out"))
    touched = 0
    for key, value in found.items():
        own = base[key].double().numpy()
        changes = [w * change(f, key, own.shape) for w, f in zip(weights[2:], folders[2:], strict=True)]
        touched += bool(np.any(changes))
        wanted = 0.8 * own + 0.2 * full[key].double().numpy() + sum(changes)
        assert np.abs(value.double().numpy() - wanted).max() <= 1e-6, key
    assert touched >= 2


def test_an_adapter_alone_is_the_merged_model(tmp_path):
    folders = with_adapters(tmp_path, "plain", count=1)
    write_mix(plan_mix([folders[0], folders[2]], lineage=False), [0.0, 1.0], tmp_path / "out")
    base, found = tensors(folders[0]), tensors(tmp_path / "out")
    for key, value in found.items():
        wanted = base[key].double().numpy() + change(folders[2], key, tuple(value.shape))
        assert np.abs(value.double().numpy() - wanted).max() <= 1e-6, key
    with pytest.raises(ModelError, match=r"sum to 1\.5"):
        write_mix(plan_mix([folders[0], folders[2]], lineage=False), [0.5, 1.0], tmp_path / "other")


@pytest.mark.parametrize("variant", ["plain", "Conv1D"])
def test_jobs_and_threads_do_not_change_a_byte_of_adapters(tmp_path, monkeypatch, variant):
    folders = with_adapters(tmp_path, variant)
    weights = (0.3, 0.2, 0.35, 0.15)
    monkeypatch.setattr(arithmetic, "ROW_VALUES", 200)
    plan = plan_mix(folders, lineage=False)
    write_mix(plan, weights, tmp_path / "one", threads=1)
    monkeypatch.setattr(arithmetic, "BLOCK_VALUES", 37)
    monkeypatch.setattr(stream, "JOB_VALUES", 500)
    write_mix(plan, weights, tmp_path / "many", threads=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


def test_members_in_another_order_differ_by_rounding_alone(tmp_path):
    folders = with_adapters(tmp_path, "plain")
    write_mix(plan_mix(folders, lineage=False), [0.3, 0.2, 0.35, 0.15], tmp_path / "one")
    turned = plan_mix(folders[::-1], base=3, lineage=False)
    write_mix(turned, [0.15, 0.35, 0.2, 0.3], tmp_path / "other")
    one, other = tensors(tmp_path / "one"), tensors(tmp_path / "other")
    for key, value in one.items():
        torch.testing.assert_close(value, other[key], rtol=0, atol=1e-6)


@dataclass
class Both:
    """A weighted sum in two passes, that notes what its survey saw."""

    name: str = "both"
    passes: int = 2
    seen: dict = field(default_factory=dict, repr=False)

    def check(self, weights, *, base):
        pass

    def survey(self, tensor, blocks):
        parts = [tuple(block.clone() for block in each) for each in blocks]
        self.seen[tensor.name] = [torch.cat(row) for row in zip(*parts, strict=True)]
        return {"first": self.seen[tensor.name][0][0].item()}

    def combine(self, blocks, weights, *, tensor, at, survey):
        whole = self.seen[tensor.name]
        assert survey["first"] == whole[0][0].item()
        assert all(torch.equal(row[at : at + len(b)], b) for row, b in zip(whole, blocks, strict=True))
        return sum(weight * block for weight, block in zip(weights, blocks, strict=True))


@pytest.mark.parametrize("values", [1 << 20, 300])
def test_two_passes_see_every_value_once_and_in_order(tmp_path, monkeypatch, values):
    monkeypatch.setattr(arithmetic, "MEMBER_VALUES", values)
    folders = with_adapters(tmp_path, "plain")
    operation, plan = Both(), plan_mix(folders, lineage=False)
    result = write_mix(plan, [0.3, 0.2, 0.35, 0.15], tmp_path / "out", operation=operation)
    write_mix(plan, [0.3, 0.2, 0.35, 0.15], tmp_path / "linear")
    base, found, linear = (tensors(folder) for folder in (folders[0], tmp_path / "out", tmp_path / "linear"))
    for key, rows in operation.seen.items():
        assert torch.equal(rows[0], base[key].flatten())
        wanted = base[key].double().numpy() + change(folders[2], key, tuple(base[key].shape))
        assert np.abs(rows[2].double().numpy() - wanted.ravel()).max() <= 1e-6
        torch.testing.assert_close(found[key], linear[key], rtol=0, atol=1e-6)
    assert result.read_bytes > 2 * 4 * result.written_bytes


@pytest.mark.parametrize("name", ["slerp", "task_arithmetic", "ties", "dare"])
def test_every_operation_runs_alike_on_any_blocks(tmp_path, monkeypatch, name):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)
    weights = [0.25, 0.75] if name == "slerp" else [0.0, 0.5]
    write_mix(plan, weights, tmp_path / "one", operation=operation_of(name), threads=1)
    monkeypatch.setattr(arithmetic, "MEMBER_VALUES", 3000)
    monkeypatch.setattr(stream, "JOB_VALUES", 2000)
    write_mix(plan, weights, tmp_path / "two", operation=operation_of(name), threads=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(folders[0])


def jobs(count):
    return [stream.Job(number, 0, number, 1, 1) for number in range(count)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_earliest_failure_is_raised_and_threads_end(threads):
    before, finished = threading.active_count(), []

    def do(job, room):
        if job.number >= 5:
            raise ModelError(f"job {job.number}")

    with pytest.raises(ModelError, match="job 5"):
        stream.run_jobs(jobs(50), do, threads=threads, report=finished.extend)
    assert sorted(job.number for job in finished) == [0, 1, 2, 3, 4]
    assert threading.active_count() == before


def test_every_job_is_done_once_and_none_is_fine():
    done, finished = [], []
    stream.run_jobs(jobs(200), lambda job, room: done.append(job.number), threads=4, report=finished.extend)
    assert sorted(done) == list(range(200)) == sorted(job.number for job in finished)
    stream.run_jobs([], lambda job, room: None, threads=4, report=finished.extend)


def test_jobs_cover_every_value_once(tmp_path):
    folders = family(tmp_path, "llama", count=2)
    plan = plan_mix(folders)
    sources = [arithmetic.Source(plan, tensor, (0.5, 0.5)) for tensor in plan.tensors]
    found = stream.jobs_of(sources, operation_of("linear"))
    assert [job.number for job in found] == list(range(len(found)))
    assert sum(job.size for job in found) == sum(file.size - len(file.header) for file in plan.files)
