"""What a source file uses of the files beside it, read from its text, functions included; nothing is executed.

Modules that it imports, and small files that it names. One that computes what it imports, or changes `sys.path`, uses
all modules beside it, and those of the folders that it names.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

_NAMED_AT_MOST = 1 << 20  # bytes of a file that goes along because its name stands in a source file
_NEAR = re.compile(r"(?:\./)?\w[^\0\n\ud800-\udfff]{0,200}")


def candidates(folder: Path) -> list[Path]:
    """The files of a folder that may be workflows, by name; hidden ones are what editors leave there."""
    return sorted(path for path in folder.glob("[!.]*.py") if path.is_file())


def helpers(file: Path) -> list[Path]:
    """The files beside a workflow file that it uses, directly or not; of packages all files."""
    folder = file.resolve().parent
    return [source for source in _reached(folder, _used(file, folder)) if source != file.resolve()]


def modules(folder: Path, names: Iterable[str]) -> list[Path]:
    """The files in a folder that the import of these top-level names leads to, directly or not."""
    return _reached(folder, [source for name in sorted(names) for source in _beside(folder, name)])


def _reached(folder: Path, waiting: list[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    while waiting:
        source = waiting.pop()
        if source not in found:
            found[source] = None
            waiting += _used(source, folder) if source.suffix == ".py" else []
    return list(found)


def _used(file: Path, folder: Path) -> list[Path]:
    """The files in the folder that a source file imports, names, or may import by a name that it computes."""
    nodes = list(ast.walk(_tree(file)))
    used = [source for name in sorted(_imported(nodes)) for source in _beside(folder, name)]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    # os.access says no to whatever cannot be a name, where a look at the file would raise.
    near = [folder / text for text in sorted(texts) if _NEAR.fullmatch(text) and ".." not in Path(text).parts]
    near = [path for path in near if os.access(path, os.R_OK)]
    used += [path for path in near if path.is_file() and path.stat().st_size <= _NAMED_AT_MOST]
    if any(map(_is_open, nodes)):
        used += candidates(folder)
        used += [source for path in near if path.is_dir() for source in files(path, "*.py")]
    return used


def _is_open(node: ast.AST) -> bool:
    """Whether what is imported cannot be read from the text: a computed name, or another place to search."""
    match node:
        case ast.Attribute(attr="path", value=ast.Name(id="sys")):
            return True
        case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
            return not any(_names(node))
    return False


def imported(file: Path) -> set[str]:
    """The top-level names that a source file imports absolutely, anywhere in it; none if it is not valid Python."""
    return _imported(ast.walk(_tree(file)))


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    return {name.partition(".")[0] for node in nodes for name in _names(node)}


def _tree(file: Path) -> ast.AST:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            yield module
        case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
            match node.args:
                case [ast.Constant(value=str(name)), *_]:
                    yield name


def _beside(folder: Path, name: str) -> Iterator[Path]:
    if (module := folder / f"{name}.py").is_file():
        yield module
    if (package := folder / name).is_dir():
        yield from files(package, "*")


def files(folder: Path, pattern: str) -> Iterator[Path]:
    """The files below a folder, but caches and what is hidden."""
    for path in sorted(folder.rglob(pattern)):
        parts = PurePosixPath(path.relative_to(folder).as_posix()).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield path
