"""The library's rooms: few modules outside them, and no two that need each other."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import clip_grounding

LIBRARY = Path(clip_grounding.__file__).parent


def room_of(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def rooms_needed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "clip_grounding":
            inside = node.module.split(".")[1:2]
            yield from inside or [alias.name for alias in node.names]


def test_at_most_eight_modules_stand_outside_the_rooms():
    assert len([path for path in LIBRARY.glob("*.py") if path.name != "__init__.py"]) <= 8


def test_no_rooms_need_each_other():
    needs = {}
    for path in LIBRARY.rglob("*.py"):
        room = room_of(path)
        needs.setdefault(room, set()).update(set(rooms_needed(path)) - {room, "__version__"})
    order = list(TopologicalSorter(needs).static_order())  # raises on a circle
    assert {"scoring", "statistics", "workflow"} <= set(order)
