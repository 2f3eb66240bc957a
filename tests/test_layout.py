"""House rules that no other tool checks: names of modules, formats that carry code, leftovers."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "esgml"
MODULES = sorted(SOURCE.rglob("*.py"))
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
CODE_CARRYING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
MOST_LINES = 420


def name(path):
    return str(path.relative_to(ROOT))


def called(node):
    """Return a call's dotted name, such as ``torch.load``."""
    parts, target = [], node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    if isinstance(target, ast.Name):
        parts.append(target.id)
    return ".".join(reversed(parts))


def test_modules_are_found():
    assert len(MODULES) > 150


@pytest.mark.parametrize("path", [SOURCE, *(p for p in SOURCE.rglob("*") if p.is_dir())], ids=name)
def test_names_say_what_is_inside(path):
    names = {path.name, *(child.stem for child in path.glob("*.py"))}
    assert not names & BANNED_NAMES
    if path.name != "__pycache__" and list(path.glob("*.py")):
        assert (path / "__init__.py").exists(), f"{name(path)} has no __init__.py"


def code_carrying(tree):
    """Return what a module uses that reads or writes formats that can carry code."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names} & CODE_CARRYING
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & CODE_CARRYING
        elif isinstance(node, ast.Call):
            if called(node) in {"torch.load", "torch.save", "eval", "exec", "yaml.load"}:
                found.add(called(node))
            found |= {
                keyword.arg
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and not is_false(keyword.value)
            }
            found |= {
                "import of " + argument.value
                for argument in node.args
                if called(node).endswith("import_module")
                and isinstance(argument, ast.Constant)
                and argument.value in CODE_CARRYING
            }
    return found


def is_false(node):
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_keeps_the_house_rules(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert not code_carrying(tree), "this can run code from a file"
    leftover = LEFTOVERS.search(text)
    assert leftover is None, f"left over: {leftover}"
    assert len(text.splitlines()) <= MOST_LINES, "one idea a file: split it"
    if path.name != "__init__.py" or text.strip():
        assert ast.get_docstring(tree), "no line that says what the module is"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('f')",
        "numpy.load(f, allow_pickle=True)",
        "importlib.import_module('dill')",
        "eval('1')",
    ],
)
def test_code_carrying_formats_would_be_found(code):
    assert code_carrying(ast.parse(code))
    assert not code_carrying(ast.parse("import json\nnumpy.load(f, allow_pickle=False)"))


def test_no_page_or_module_names_a_path_of_one_machine():
    texts = [*MODULES, *ROOT.glob("*.md"), *ROOT.glob("docs/*"), *ROOT.glob("benchmarks/*.py")]
    for path in texts:
        if path.is_file():
            found = re.search(r"(?<![\w.])/(home|root|Users)/\w", path.read_text("utf-8"))
            assert found is None, f"{name(path)}: {found}"
