"""``import kshot.peft`` makes PEFT know the mixture; without it, PEFT says what is missing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kshot.methods.moe import build_mixture
from kshot.models.lora import LoraAdapter, LoraDelta


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    delta = LoraDelta(np.ones((2, 4), np.float32), np.ones((4, 2), np.float32), 1.0)
    return build_mixture([LoraAdapter("one", {"0": delta})], out=tmp_path_factory.mktemp("mixture") / "m")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)


def test_without_the_import_and_with_it(folder: Path) -> None:
    done = run(
        "import copy, pickle, peft\n"
        "from peft import PeftConfig, PeftType\n"
        f"folder = {str(folder)!r}\n"
        "try: PeftConfig.from_pretrained(folder)\n"
        "except KeyError as error: assert str(error) == repr('KSHOT_MOE')\n"
        "else: raise SystemExit('was known')\n"
        "import kshot.peft\n"
        "kshot.peft.register(); kshot.peft.register()\n"
        "kind = PeftType.KSHOT_MOE\n"
        "assert kind == 'KSHOT_MOE' == kind.value == kind.name and isinstance(kind, PeftType)\n"
        "assert PeftType('KSHOT_MOE') is PeftType['KSHOT_MOE'] is kind and kind in list(PeftType)\n"
        "assert len(list(PeftType)) == len(set(PeftType)) == len(PeftType.__members__)\n"
        "assert copy.deepcopy(kind) is kind and pickle.loads(pickle.dumps(kind)) is kind\n"
        "assert PeftType.LORA == 'LORA'\n"
        "config = PeftConfig.from_pretrained(folder)\n"
        "assert type(config) is kshot.peft.KshotMoeConfig, type(config)\n"
        "assert peft.get_peft_config(config.to_dict()) == config\n"
    )
    assert done.returncode == 0, done.stderr
    assert "import kshot.peft" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_package_itself_loads_neither_torch_nor_peft() -> None:
    done = run(
        "import sys, kshot.methods.moe as moe\n"
        "moe.MixtureSettings(); print({'torch', 'peft'} & sys.modules.keys())\n"
        "print(moe.LoraMoELinear.__name__)\n"
        "moe.nothing\n"
    )
    assert done.stdout.split("\n")[:2] == ["set()", "LoraMoELinear"]
    assert "has no attribute 'nothing'" in done.stderr
