"""The modules that a workflow file imports from its own folder.

They are in `sys.modules` while the file is executed, its run goes on or its data are read, and not otherwise: the next
run sees an edit, and a helper of the same name in another folder is another module. What was imported before stays, so
that a test may patch it.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class OwnModules:
    """The modules below some folders, first on the path while they are installed."""

    def __init__(self, folders: Iterable[str | Path] = ()) -> None:
        self._folders = [Path(folder).resolve() for folder in folders]
        self._modules: dict[str, ModuleType] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, they can be imported."""
        path, before = list(sys.path), dict(sys.modules)
        sys.path[:0] = [str(folder) for folder in self._folders if str(folder) not in sys.path]
        sys.modules.update(self._modules)
        try:
            yield
        finally:
            found = [(name, module) for name, module in list(sys.modules.items()) if before.get(name) is not module]
            self._modules = {name: module for name, module in found if self._is_own(name, module)}
            for name in self._modules:
                del sys.modules[name]
            sys.modules.update((name, before[name]) for name in self._modules if name in before)
            sys.path[:] = path

    def _is_own(self, name: str, module: ModuleType) -> bool:
        """Whether it was found in one of the folders, and not in another place that happens to lie below."""
        file = vars(module).get("__file__")  # of a lazy module, getattr would import it
        if not isinstance(file, str) or name.partition(".")[0] == "lightflow":
            return False
        path = Path(file).resolve()
        place = path.parent if path.stem == "__init__" else path.with_suffix("")
        return any(path.parent == folder or place == folder.joinpath(*name.split(".")) for folder in self._folders)
