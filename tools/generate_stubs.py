"""Generate the gRPC stubs from proto/ into the library; with --check only tell whether they are what is checked in."""

import filecmp
import os
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
SOURCE = ROOT / "libs/lightflow-common/src"
PACKAGE = Path("lightflow/control/v1")


def generate(target: Path) -> None:
    """Write the stubs below `target`; folder = proto package = import package, so no import needs rewriting."""
    includes = Path(protoc.__file__).parent / "_proto"
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python")] + [f"--mypy_out=quiet:{target}"]
    files = [str(path) for path in sorted(PROTO.rglob("*.proto"))]
    # protoc finds its plugins on PATH, and they lie beside this Python.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if protoc.main(["protoc", f"-I{PROTO}", f"-I{includes}", *outputs, *files]) != 0:
        sys.exit("protoc refused the contract; its message is above")


def main() -> None:
    if "--check" not in sys.argv:
        generate(SOURCE)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        names = sorted(path.name for path in (Path(folder) / PACKAGE).iterdir())
        _, differing, missing = filecmp.cmpfiles(Path(folder) / PACKAGE, SOURCE / PACKAGE, names, shallow=False)
        if differing or missing:
            stale = ", ".join(differing + missing)
            sys.exit(f"stubs differ from proto/: {stale}; run `make proto` and commit the result")


if __name__ == "__main__":
    main()
