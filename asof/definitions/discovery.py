"""Discovery: from a folder of files to checked definitions, with every problem of every file at once."""

from __future__ import annotations

import importlib
from pathlib import Path

from asof.definitions.collection import Definitions
from asof.definitions.loading import importable
from asof.definitions.recording import Recorder, recording
from asof.definitions.rules import check
from asof.errors import DefinitionError, Problem


def discover(root: Path) -> Definitions:
    """The definitions in the ``*.py`` files of a folder, run in the order of their names, and checked.

    A file whose name begins with ``_`` is run only where another imports it. Files import each other through the
    folder's name: ``from feature_defs.entities import airport``. Nothing is left on ``sys.path`` or in
    ``sys.modules``, and no bytecode is written.

    Raises DefinitionError with all problems of all files, in file and line order.
    """
    root = root.resolve()
    if not root.is_dir():
        raise DefinitionError([Problem(root.name, 0, "there is no such folder", "name the folder of the definitions")])
    recorder = Recorder(root)
    with recording(recorder), importable(recorder):
        for file in sorted(root.glob("*.py")):
            if not file.name.startswith("_"):
                importlib.import_module(f"{root.name}.{file.stem}")
    definitions = Definitions.of(recorder.objects, partial=recorder.failed)
    problems = [*recorder.problems, *check(definitions)]
    if problems:
        raise DefinitionError(problems)
    return definitions
