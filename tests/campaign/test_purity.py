"""The rules know no clock, no chance and no I/O: read from their source."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "campaign"
SOURCES = sorted(FOLDER.rglob("*.py"))

FORBIDDEN_MODULES = {
    "time", "random", "secrets", "uuid", "os", "socket", "io", "pathlib", "asyncio", "threading",
    "subprocess", "logging", "sys", "shutil", "tempfile", "urllib", "http", "sqlite3",
}  # fmt: skip
FORBIDDEN_METHODS = {"now", "utcnow", "today", "getenv", "urandom", "read_text", "write_text"}
FORBIDDEN_FUNCTIONS = {"open", "print", "input", "exec", "eval", "__import__"}


def offences(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        found += [f"imports {name}" for name in modules if name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_METHODS:
            found.append(f"uses .{node.attr}")
        if isinstance(node, ast.Name) and node.id in FORBIDDEN_FUNCTIONS:
            found.append(f"uses {node.id}")
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_rule_uses_no_clock_no_chance_and_no_io(source: Path) -> None:
    assert offences(source.read_text()) == []


def test_all_rules_are_read() -> None:
    assert {"guards.py", "lifecycle.py", "definition.py", "order.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize(
    "line",
    [
        "import time", "import os.path", "from random import choice", "x = datetime.now(UTC)",
        "x = date.today", "open('x')", "import uuid as u", "y = datetime.utcnow()", "from os import environ",
    ],
)  # fmt: skip
def test_a_clock_chance_or_io_would_be_seen(line: str) -> None:
    assert offences(line)
