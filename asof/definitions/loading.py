"""Runs the user's definition files: importable by one another, and gone from the interpreter afterwards."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

from asof.definitions.origin import at
from asof.definitions.recording import Recorder, Unknown
from asof.errors import DefinitionError, Problem


class DefinitionLoader(Loader):
    """Runs one file. What goes wrong becomes a problem; the module stays, with all that came before it failed."""

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self._path = path
        self._recorder = recorder

    def exec_module(self, module: ModuleType) -> None:
        """Compile and run the file, without reading or writing bytecode."""
        try:
            code = compile(self._path.read_bytes(), str(self._path), "exec", dont_inherit=True)
            # A definition file is the user's own program; running it is what discovery is.
            exec(code, module.__dict__)  # noqa: S102
        except DefinitionError as error:
            self._failed(module, error.problems)
        except SyntaxError as error:
            self._failed(module, [self._problem(error, error.lineno if error.filename == str(self._path) else None)])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file may raise anything, and even exit
            self._failed(module, [self._problem(error)])

    def _failed(self, module: ModuleType, problems: Sequence[Problem]) -> None:
        self._recorder.problems += problems
        self._recorder.failed = True
        module.__dict__["__getattr__"] = _unknown_attribute

    def _problem(self, error: BaseException, line: int | None = None) -> Problem:
        """The problem at the innermost line of the user's folder that the error went through."""
        root = self._recorder.root
        place = at(str(self._path), line or 1, root)
        if line is None:
            for frame in traceback.extract_tb(error.__traceback__):
                if root in Path(frame.filename).parents:
                    place = at(frame.filename, frame.lineno or 1, root)
        what = str(error) if not isinstance(error, SyntaxError) else error.msg
        return Problem(place.file, place.line, f"{type(error).__name__}: {what}".removesuffix(": "))


class DefinitionFinder(MetaPathFinder):
    """Finds ``feature_defs`` and ``feature_defs.x`` in one folder, before anything else of that name."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._root = recorder.root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The folder itself, its files, and folders and files below it; None for anything else."""
        del path, target
        package, *parts = fullname.split(".")
        if package != self._root.name:
            return None
        folder = self._root.joinpath(*parts)
        file = folder.with_suffix(".py") if parts else folder / "__init__.py"
        if parts and (folder / "__init__.py").is_file():
            file = folder / "__init__.py"
        if file.is_file():
            return spec_from_loader(
                fullname, DefinitionLoader(file, self._recorder), origin=str(file), is_package=file.stem == "__init__"
            )
        if not folder.is_dir():
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec


@contextmanager
def importable(recorder: Recorder) -> Iterator[None]:
    """Let the recorder's folder be imported by its name for the length of a ``with`` block, and leave no trace."""
    package = recorder.root.name
    before = {name: module for name, module in sys.modules.items() if _within(name, package)}
    finder = DefinitionFinder(recorder)
    for name in before:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _within(name, package)]:
            del sys.modules[name]
        sys.modules.update(before)


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _unknown_attribute(name: str) -> Unknown:
    if name.startswith("__"):
        raise AttributeError(name)
    return Unknown()
