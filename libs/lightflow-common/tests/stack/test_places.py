import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightflow.local.stack.places import Places, make_private, sockets_folder
from lightflow.runtime.folders import FolderUnsafe


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as folder:
        yield Path(folder)


def test_sockets_of_a_deep_data_dir_have_short_paths() -> None:
    places = Places.of(Path("/" + "deep/" * 60))
    assert len(os.fsencode(places.control_socket(99))) < 100


def test_a_long_temporary_folder_is_not_used_for_sockets() -> None:
    assert sockets_folder(Path("/data"), Path("/" + "t" * 90), 7).parent == Path("/tmp")
    assert sockets_folder(Path("/data"), Path("/var/tmp"), 7).parent == Path("/var/tmp")


def test_two_data_dirs_have_two_folders_and_each_keeps_its_own() -> None:
    one, other = Places.of(Path("/one")), Places.of(Path("/other"))
    assert one.sockets != other.sockets
    assert one == Places.of(Path("/one"))


def test_the_first_control_socket_has_the_plain_name() -> None:
    places = Places.of(Path("/data"))
    assert [places.control_socket(n).name for n in (1, 2)] == ["control.sock", "control-2.sock"]


def test_the_folder_of_the_sockets_is_private(short: Path) -> None:
    make_private(short / "sockets")
    assert (short / "sockets").stat().st_mode & 0o777 == 0o700
    make_private(short / "sockets")


@pytest.mark.parametrize("kind", ["open to others", "a link"])
def test_a_folder_that_is_not_ours_alone_is_refused(short: Path, kind: str) -> None:
    folder = short / "sockets"
    if kind == "a link":
        (short / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(short / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o755)
    with pytest.raises(FolderUnsafe, match="not a private folder"):
        make_private(folder)
