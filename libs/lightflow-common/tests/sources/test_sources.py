import io
import zipfile
from pathlib import Path

import pytest

from lightflow.runtime.sources import gather, pack, unpack
from lightflow.runtime.used import candidates, imported


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str = "") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_the_file_and_what_it_imports_are_in_the_archive(write):
    write("helper.py", "import further")
    write("further.py")
    write("unrelated.py")
    flow = write("flow.py", "import os, helper\n")
    assert names(gather(flow)) == ["flow.py", "further.py", "helper.py"]


def test_an_import_inside_a_function_counts(write):
    write("late.py")
    assert "late.py" in names(gather(write("flow.py", "def f():\n    from late import x\n")))


@pytest.mark.parametrize(
    "statement",
    [
        "import pkg.part",
        "from pkg import part",
        "from pkg.part import x",
        "importlib.import_module('pkg.part')",
        "__import__('pkg')",
    ],
)
def test_a_package_comes_whole_with_its_data(write, statement):
    for name in ("pkg/__init__.py", "pkg/part.py", "pkg/table.csv", "pkg/__pycache__/part.pyc", "pkg/.hidden"):
        write(name)
    assert names(gather(write("flow.py", statement))) == ["flow.py", "pkg/__init__.py", "pkg/part.py", "pkg/table.csv"]


def test_a_small_file_that_is_named_comes_too(write):
    write("tables/words.json")
    write("large.csv", "x" * 2_000_000)
    write("unnamed.csv")
    write("reader.py", "open(os.path.join(HERE, 'tables/words.json')), open('large.csv'), open('../other')")
    assert names(gather(write("flow.py", "import reader"))) == ["flow.py", "reader.py", "tables/words.json"]


def test_texts_that_no_file_can_be_called_by_do_no_harm(write):
    texts = ["ä" * 200, "a\ud800b", "x" * 300, "x" * 190 + "/" + "ß" * 10, "a\0b", "*", "flow.py/x"]
    assert names(gather(write("flow.py", f"sys.path.append({texts!a})"))) == ["flow.py"]


@pytest.mark.parametrize("statement", ["importlib.import_module(name)", "__import__(f'{name}')"])
def test_who_computes_what_is_imported_takes_all_modules_beside_the_file(write, statement):
    write("plugin.py")
    assert names(gather(write("flow.py", statement))) == ["flow.py", "plugin.py"]


def test_who_changes_the_search_path_takes_the_modules_of_the_folders_that_are_named(write):
    for name in ("sub/part.py", "sub/data.csv", "other/part.py"):
        write(name)
    assert names(gather(write("flow.py", "sys.path.append(HERE + '/' + 'sub')"))) == ["flow.py", "sub/part.py"]


def test_what_a_package_imports_from_beside_the_file_comes_too(write):
    write("pkg/__init__.py", "import beside")
    write("beside.py")
    assert "beside.py" in names(gather(write("flow.py", "import pkg")))


def test_helpers_that_import_each_other_are_taken_once(write):
    write("a.py", "import b, flow")
    write("b.py", "import a")
    assert names(gather(write("flow.py", "import a"))) == ["a.py", "b.py", "flow.py"]


def test_library_folders_come_with_every_python_file_and_yield_to_helpers(write, tmp_path):
    write("flows/tool.py", "mine = 1")
    write("library/tool.py", "mine = 0")
    write("library/deep/er.py")
    write("library/notes.txt")
    archive = gather(write("flows/flow.py", "import tool"), [tmp_path / "library"])
    assert names(archive) == ["deep/er.py", "flow.py", "tool.py"]
    assert zipfile.ZipFile(io.BytesIO(archive)).read("tool.py") == b"mine = 1"


def test_the_bytes_depend_on_the_files_alone(write):
    write("helper.py", "x = 1")
    flow = write("flow.py", "import helper")
    first = gather(flow)
    write("helper.py", "x = 1").chmod(0o600)
    write("flow.py", "import helper")
    assert gather(flow) == first
    write("helper.py", "x = 2")
    assert gather(flow) != first


def test_a_file_that_is_no_python_has_no_imports(write):
    assert imported(write("flow.py", "def broken(:")) == set()


def test_what_was_packed_is_unpacked_and_nothing_outside_the_folder_is_written(tmp_path):
    unpack(pack({"a.py": b"1", "../evil.py": b"2"}), tmp_path / "in")
    assert (tmp_path / "in" / "a.py").read_bytes() == b"1"
    assert not (tmp_path / "evil.py").exists()


def test_folders_and_hidden_files_are_no_workflows(tmp_path):
    for name in ("b.py", "a.py", ".#a.py", "notes.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    assert [path.name for path in candidates(tmp_path)] == ["a.py", "b.py"]
    assert candidates(tmp_path / "absent") == []
