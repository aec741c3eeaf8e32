"""The workflow file as a module, for whoever asks for it by name: `pickle`, pools of processes, `import` in a task.

Tasks travel by value, so nobody has imported it. Here its globals are those of the task's own functions: what is found
by name is what the task uses. A name that no function of the task uses is looked up in the version's copy of the file.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle


class OwnModule(ModuleType):
    """The module of a workflow file, as one attempt sees it."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            copy = vars(self).get("__copy__") or self._execute(name)
            if copy is not None:
                return getattr(copy, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def _execute(self, name: str) -> ModuleType | None:
        """The file executed, if it may define the name at all: pickle asks every module for some names."""
        spec = PathFinder.find_spec(self.__name__)
        code = getattr(spec and spec.loader, "get_code", lambda _: None)(self.__name__)
        if spec is None or spec.loader is None or code is None or name not in code.co_names:
            return None
        vars(self)["__copy__"] = copy = module_from_spec(spec)
        spec.loader.exec_module(copy)
        return copy


class Collector:
    """Makes functions from pickles; those of the file that is being unpacked share the globals of its module.

    So do those of `__main__`, which a program or notebook sent; this process's own steps aside for the attempt.
    """

    def __init__(self, make_function: Any) -> None:
        self._make_function = make_function
        self._file: str | None = None
        self._modules: dict[str, OwnModule] = {}
        self._main = sys.modules["__main__"]

    def expect(self, file: str | None) -> None:
        """From here on, pickles hold the tasks of this file; None: they hold data."""
        self._file = file

    def make(self, code: Any, base_globals: dict[str, Any], *more: Any) -> FunctionType:
        """Stands in for cloudpickle's function of the same purpose."""
        is_own = base_globals.get("__file__") == self._file or base_globals.get("__name__") == "__main__"
        if self._file is not None and is_own:
            base_globals = self._shared(base_globals)
        function: FunctionType = self._make_function(code, base_globals, *more)
        return function

    def add_class(self, cls: type) -> None:
        """Have a class of the file found by its name."""
        module = self._modules.get(cls.__module__)
        if module is not None and cls.__qualname__ == cls.__name__:
            vars(module).setdefault(cls.__name__, cls)

    def forget(self) -> None:
        """The attempt is over."""
        for name, module in self._modules.items():
            cloudpickle.unregister_pickle_by_value(module)
            sys.modules.pop(name, None)
        if self._modules:
            sys.modules["__main__"] = self._main
        self._modules = {}

    def _shared(self, base_globals: dict[str, Any]) -> dict[str, Any]:
        name = base_globals["__name__"]
        if name not in self._modules:
            if name in sys.modules and name != "__main__":  # of the same name is another module, which stays
                return base_globals
            self._modules[name] = sys.modules[name] = module = OwnModule(name)
            cloudpickle.register_pickle_by_value(module)
            vars(module).update(base_globals)
        return vars(self._modules[name])
