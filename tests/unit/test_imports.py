"""The rules of the house about who may import whom, and how long a file or a function may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mailwizard import probes

ROOT = Path(__file__).resolve().parents[2]
FACES = ("mailwizard.tui", "mailwizard.plain", "textual", "questionary", "prompt_toolkit")
FACELESS = ("answers", "changes", "engine", "export", "host", "journal", "model", "platform")
PROCESS_MODULES = ("sh", "subprocess", "multiprocessing", "pty")
PROCESS_CALLS = ("system", "popen", "fork", "exec", "spawn", "posix_spawn", "create_subprocess")
LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "wizard" else parts
    return ".".join(("mailwizard", *parts)).removesuffix(".__init__")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imported(path: Path) -> Iterator[str]:
    """Yield every imported name in full: `from a import b` gives both a and a.b."""
    name = _module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*above * bool(node.level), node.module]))
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _part(name: str) -> list[Path]:
    return [*(ROOT / "wizard").glob(f"{name}.py"), *_sources(f"wizard/{name}")]


def _within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _offences(paths: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in _imported(path)
        if _within(name, forbidden)
    ]


def test_the_scan_sees_the_sources() -> None:
    seen = {_module_name(path) for path in _sources("wizard", "steps")}
    assert {"mailwizard", "mailwizard.model", "mailwizard.steps"} <= seen


def test_steps_use_only_the_vocabulary() -> None:
    vocabulary = ("model", "fields", "changes", "maincf", "probes", "platform", "render", "steps")
    allowed = tuple(f"mailwizard.{part}" for part in vocabulary)
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _sources("steps")
        for name in _imported(path)
        if _within(name, ("mailwizard",)) and name != "mailwizard" and not _within(name, allowed)
    ]
    assert strangers == []


@pytest.mark.parametrize("part", [*FACELESS, "probes"])
def test_below_the_faces_nothing_knows_a_face(part: str) -> None:
    assert _offences(_part(part), FACES) == []


def test_a_face_knows_neither_the_other_face_nor_processes() -> None:
    assert _offences(_part("tui"), ("mailwizard.plain", "questionary", *PROCESS_MODULES)) == []
    assert _offences(_part("plain"), ("mailwizard.tui", "textual", *PROCESS_MODULES)) == []


def test_the_records_do_not_know_whose_keys_they_hold() -> None:
    assert _offences(_part("dnsdesk"), ("mailwizard.dkim",)) == []


def test_the_model_stands_alone() -> None:
    offences = _offences(_part("model"), ("mailwizard",))
    assert [one for one in offences if "imports mailwizard.model" not in one] == []


def test_nothing_is_imported_under_its_folder_name() -> None:
    everything = _sources("wizard", "steps", "templates", "tests")
    assert _offences(everything, ("wizard", "steps", "templates")) == []


def test_only_the_host_module_starts_processes() -> None:
    others = [path for path in _sources("wizard", "steps") if path not in _part("host")]
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno} uses {node.value.id}.{node.attr}"
        for path in others
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"os", "asyncio"}
        and node.attr.startswith(PROCESS_CALLS)
    ]
    assert _offences(others, PROCESS_MODULES) + calls == []


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _measured()}
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in _measured()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert too_long == []


def _measured() -> list[Path]:
    return _sources("wizard", "steps", "tests/lab")


def test_each_probe_is_found_where_the_types_say() -> None:
    """wizard/probes/__init__.py names its modules twice: for mypy, and for who asks at run time."""
    tree = _tree(ROOT / "wizard/probes/__init__.py")
    typed = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mailwizard.probes.")
        for alias in node.names
    }
    found = {f"mailwizard.probes.{module}.{name}" for name, module in probes.MODULES.items()}
    assert found == typed
    for name, module in probes.MODULES.items():
        assert getattr(probes, name) is getattr(sys.modules[f"mailwizard.probes.{module}"], name)


def test_no_probe_is_loaded_before_it_is_wanted() -> None:
    """Most commands want none of them."""
    script = "import sys, mailwizard.commands; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("mailwizard.probes.")}
    common = ("addresses", "deadline", "networks", "postconf", "sampling", "signingkeys", "verdict")
    kept = {f"mailwizard.probes.{name}" for name in common}
    assert loaded <= kept
    assert not {"dns", "jinja2", "sh", "textual", "questionary"} & set(done.stdout.split())
