"""The house's rules that a machine can hold: sizes, names, what an import loads."""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = sorted((ROOT / "src" / "kshot").rglob("*.py"))
HEAVY = ("torch", "transformers", "peft", "sklearn", "pyarrow", "plotly", "sentence_transformers", "pandas")


def functions(path: Path) -> list[tuple[str, int]]:
    """Name and lines of every function, its docstring not counted."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or 0) - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
            found.append((node.name, lines))
    return found


@pytest.mark.parametrize("path", SOURCE, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_sizes(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= 300
    assert [name for name, lines in functions(path) if lines > 40] == []


def test_no_file_says_nothing_by_its_name() -> None:
    assert [path for path in SOURCE if re.search(r"(utils|common|helpers|misc)\.py$", path.name)] == []


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(out.split("\n")[-2].split()) & set(HEAVY)


@pytest.mark.parametrize(
    "statement",
    [
        "import kshot, kshot.cli, kshot.miniature, kshot.pipeline.run, kshot.report",
        "import kshot\nkshot.Task",
        "from typer.testing import CliRunner\nfrom kshot.cli import app\nCliRunner().invoke(app, ['--help'])",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert loaded_after(statement) == set()


def test_the_probe_for_heavy_imports_sees_them() -> None:
    assert loaded_after("import sklearn") == {"sklearn"}


def test_torchvision_is_absent() -> None:
    assert importlib.util.find_spec("torchvision") is None


MODULES = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in SOURCE]


@pytest.mark.parametrize("name", [name for name in MODULES if "__main__" not in name])
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_no_path_of_a_machine_stands_in_the_tree() -> None:
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    # spelled apart, so that this file does not find itself
    words = ["wor" + "k/main", "tmp" + "/brief", "opt" + "/wheels", "root" + "/."]
    pattern = re.compile("/(" + "|".join(map(re.escape, words)) + ")")
    found = []
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 1_000_000:
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [name] if pattern.search(text) else []
    assert found == []
