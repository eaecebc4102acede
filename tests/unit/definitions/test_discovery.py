"""Discovery: every problem of every file at once, with file and line, and no trace in the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from asof.definitions import discover
from asof.errors import DefinitionError
from tests.support.definitions import folder

ENTITIES = """
airport = Entity(name="airport", join_keys={"origin": String})
"""
SOURCES = """
departures = BatchSource(
    name="departures",
    table="nyc.departures",
    schema={"origin": String, "dep_delay": Int64},
    timestamp_field="departed_at",
)
"""
VIEWS = """
from feature_defs.entities import airport
from feature_defs.sources import departures

def hourly(name):
    return FeatureView(
        name=name,
        entity=airport,
        source=departures,
        aggregations=[Aggregation(function="count", time_window="1h")],
        schedule="1h",
    )

views = [hourly(name) for name in ("first", "second")]
"""


def _problems(root: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(DefinitionError) as caught:
        discover(root)
    return [(problem.file, problem.line, problem.what) for problem in caught.value.problems]


def test_files_import_each_other_and_every_object_is_found(tmp_path: Path) -> None:
    root = folder(tmp_path, {"views.py": VIEWS, "entities.py": ENTITIES, "sources.py": SOURCES})
    found = discover(root)
    assert [each.name for each in found.entities] == ["airport"]
    assert [each.name for each in found.sources] == ["departures"]
    assert [each.name for each in found.feature_views] == ["first", "second"]
    assert str(found.sources[0].origin.file) == "feature_defs/sources.py"
    assert found.sources[0].origin.line == 2


def test_a_view_made_by_a_function_stands_where_it_is_constructed(tmp_path: Path) -> None:
    root = folder(tmp_path, {"views.py": VIEWS, "entities.py": ENTITIES, "sources.py": SOURCES})
    assert {(view.origin.file, view.origin.line) for view in discover(root).feature_views} == {
        ("feature_defs/views.py", 6)
    }


def test_a_view_made_by_a_package_stands_at_the_line_that_called_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("installed_package")
    exec(
        "from asof.definitions import *\ndef make(name):\n    return Entity(name=name, join_keys={})", package.__dict__
    )
    monkeypatch.setitem(sys.modules, "installed_package", package)
    root = folder(tmp_path, {"entities.py": "from installed_package import make\n\n[make(n) for n in ('a',)]"})
    assert _problems(root) == [("feature_defs/entities.py", 4, "Entity 'a': join_keys is empty")]


def test_five_mistakes_in_one_file_are_all_told_with_their_lines(tmp_path: Path) -> None:
    text = """
    airport = Entity(name="Airport", join_keys={"origin": String})
    departures = BatchSource(
        name="departures",
        table="nyc.departures",
        schema={"origin": String, "dep_delay": Int64},
        timestamp_field="departed_at",
        lateness="2 hours",
    )
    weather = BatchSource(
        name="weather", table="nyc.weather", schema={"origin": String, "temp": Float64}, timestamp_field="at"
    )
    other = Entity(name="other", join_keys={"origin": Float64})
    view = FeatureView(
        name="hot",
        entity=Entity(name="place", join_keys={"origin": String}),
        source=weather,
        where="tmp > 30",
        aggregations=[Aggregation(function="sum", column="origin", time_window="1h")],
    )
    """
    assert _problems(folder(tmp_path, {"all.py": text})) == [
        ("feature_defs/all.py", 2, "Entity 'Airport': the name 'Airport' is not usable"),
        ("feature_defs/all.py", 3, "BatchSource 'departures': lateness='2 hours' is not a duration"),
        (
            "feature_defs/all.py",
            13,
            "Entity 'other': the join key 'origin' cannot be Float64",
        ),
        ("feature_defs/all.py", 14, "view 'hot': where reads 'tmp', which source 'weather' does not declare"),
        ("feature_defs/all.py", 19, "view 'hot': sum does not take column 'origin', which is String"),
    ]


def test_what_depends_on_a_mistaken_object_adds_no_noise(tmp_path: Path) -> None:
    text = """
    airport = Entity(name="airport", join_keys={"origin": Float64})
    departures = BatchSource(name="departures", table="nyc.departures", timestamp_field="at", schema={"origin": "text"})
    view = FeatureView(
        name="late", entity=airport, source=departures, schema=[Field(name="nowhere", dtype=Int64)], where="gone > 1"
    )
    picked = view[["nowhere", "nothing"]]
    service = FeatureService(name="model", features=[view, picked, "late:nothing", view.name])
    """
    whats = [what for _, _, what in _problems(folder(tmp_path, {"all.py": text}))]
    assert whats == [
        "Entity 'airport': the join key 'origin' cannot be Float64",
        "BatchSource 'departures': schema['origin']='text' is not a type",
        "service 'model': 'late' is not a reference",
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\ndef f(:\n    pass", 3, "SyntaxError: invalid syntax"),
        ("import surely_not_installed", 2, "ModuleNotFoundError: No module named 'surely_not_installed'"),
        ("x = 1\n\nx / 0", 4, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", 2, "SystemExit: 3"),
        ("raise KeyError", 2, "KeyError"),
        ("x = '\\ud800'.encode()", 2, "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in "),
        ("from feature_defs.nowhere import x", 2, "ModuleNotFoundError: No module named 'feature_defs.nowhere'"),
        ("from feature_defs.entities import nothing", 2, "ImportError: cannot import name 'nothing' from "),
    ],
)
def test_a_file_that_fails_is_a_problem_and_the_others_are_read(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    root = folder(tmp_path, {"broken.py": text, "entities.py": ENTITIES, "later.py": "Entity(name='A', join_keys={})"})
    problems = _problems(root)
    assert problems[0][:2] == ("feature_defs/broken.py", line)
    assert problems[0][2].startswith(what)
    assert {file for file, _, _ in problems} == {"feature_defs/broken.py", "feature_defs/later.py"}


def test_a_file_in_another_encoding_than_its_own_is_a_problem(tmp_path: Path) -> None:
    root = folder(tmp_path, {})
    (root / "latin.py").write_bytes("x = 'é'\n".encode("latin-1"))
    assert _problems(root)[0][:2] == ("feature_defs/latin.py", 1)


def test_what_a_failed_file_would_have_defined_is_unknown_and_adds_no_noise(tmp_path: Path) -> None:
    user = """
    from feature_defs.broken import airport, make, departures
    import feature_defs.broken as broken
    service = FeatureService(name="model", features=["somewhere:count_1h", broken.view, broken.view[["a"]]])
    made = [make(name) for name in ("a", "b")]
    view = FeatureView(name="view", entity=airport, source=departures, aggregations=[], ttl="x")
    sane = Entity(name="Sane", join_keys={"a": String})
    """
    root = folder(tmp_path, {"broken.py": "1 / 0", "user.py": user})
    assert [(file, what) for file, _, what in _problems(root)] == [
        ("feature_defs/broken.py", "ZeroDivisionError: division by zero"),
        ("feature_defs/user.py", "Entity 'Sane': the name 'Sane' is not usable"),
    ]


def test_an_error_in_a_helper_is_told_at_the_helpers_line(tmp_path: Path) -> None:
    helper = "def half(x):\n    return x / 0"
    root = folder(tmp_path, {"_helper.py": helper, "user.py": "from feature_defs._helper import half\nhalf(1)"})
    assert _problems(root) == [("feature_defs/_helper.py", 3, "ZeroDivisionError: division by zero")]


def test_files_that_begin_with_an_underscore_are_not_read_by_themselves(tmp_path: Path) -> None:
    assert discover(folder(tmp_path, {"_helper.py": "1 / 0", "entities.py": ENTITIES})).entities


def test_nothing_is_left_in_the_interpreter_or_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ModuleType("feature_defs")
    monkeypatch.setitem(sys.modules, "feature_defs", mine)
    before = set(sys.modules), list(sys.path), list(sys.meta_path)
    root = folder(tmp_path, {"views.py": VIEWS, "entities.py": ENTITIES, "sources.py": SOURCES})
    discover(root)
    assert (set(sys.modules), list(sys.path), list(sys.meta_path)) == before
    assert sys.modules["feature_defs"] is mine
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "entities.py",
        "feature_defs",
        "sources.py",
        "views.py",
    ]


def test_a_second_discovery_reads_what_the_files_say_now(tmp_path: Path) -> None:
    root = folder(tmp_path, {"entities.py": ENTITIES})
    assert [each.name for each in discover(root).entities] == ["airport"]
    text = (root / "entities.py").read_text()
    (root / "entities.py").write_text(text.replace('"airport"', '"harbour"'))
    assert [each.name for each in discover(root).entities] == ["harbour"]


def test_a_folder_may_have_any_name_and_an_init_file(tmp_path: Path) -> None:
    files = {"__init__.py": "ORIGIN = 'origin'", "entities.py": "from my_defs import ORIGIN\n" + ENTITIES}
    assert discover(folder(tmp_path, files, "my_defs")).entities


def test_files_in_folders_below_can_be_imported(tmp_path: Path) -> None:
    root = folder(tmp_path, {"views.py": "from feature_defs.shared.entities import airport\nairport.name.upper()"})
    (root / "shared").mkdir()
    (root / "shared" / "entities.py").write_text("from asof.definitions import *\n" + ENTITIES)
    assert [each.name for each in discover(root).entities] == ["airport"]


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    assert _problems(tmp_path / "feature_defs") == [("feature_defs", 0, "there is no such folder")]


def test_an_empty_folder_defines_nothing(tmp_path: Path) -> None:
    assert not list(discover(folder(tmp_path, {})).all())
