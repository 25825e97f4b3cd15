"""Modules are small, and a name of a class means one thing (docs/style.md, docs/layout.md)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROOMS = ("benchmarks", "clients", "reports", "runner", "suites", "testbed")
LINES = 250


def modules(*more: str) -> list[Path]:
    """All of these rooms' modules, and those of further folders."""
    found = [file for room in (*ROOMS, *more) for file in sorted((ROOT / room).rglob("*.py"))]
    assert len(found) > 300
    return found


def test_no_module_is_longer_than_one_can_keep_in_mind() -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in modules()}
    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for file in modules("tests"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_the_group_of_the_gateway_api_is_written_once() -> None:
    """Sentences may name it: a string without a blank is a name that code compares."""
    places = {
        str(file.relative_to(ROOT)): node.value
        for file in modules()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and "gateway.networking.k8s.io" in str(node.value)
        if " " not in str(node.value)
    }
    assert places == {"clients/model/api_groups.py": "gateway.networking.k8s.io"}


def test_groups_of_istio_are_written_once() -> None:
    """Suites write them in manifests of their own; labels and annotations have a name behind the group."""
    name = re.compile(r"(security|networking|telemetry|extensions)\.istio\.io(/v\w+)?")
    places = {
        str(file.relative_to(ROOT))
        for file in modules()
        if not file.is_relative_to(ROOT / "suites")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and name.fullmatch(str(node.value))
    }
    assert places == {"clients/model/api_groups.py"}
