"""What the documentation prints is true: its commands and workflows are run on a real system.

A ```console block holds commands (`$ `) and what they print: each shown line must be printed, whatever the ids,
times, hosts and column widths; `...` stands for anything. A command exits with 0 unless a comment in it says `exit
code N`; one that ends in `&` runs until the page ends, and `cd` alone holds until then. A block whose first line is a
comment with a path is that file; a workflow that no command of the page names is run all the same. ```sh and ```text
blocks are to be read only.
"""

import ast
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *(page for page in DOCS if "adr" not in page.parts)]
EVERY = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "services").glob("*/README.md")), *DOCS]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 60.0

ANYTHING = (
    (r"\b[0-9a-f]{24}\b", r"(?P<id>[0-9a-f]{24})"),
    (r"\b[0-9a-f]{12}\b", r"[0-9a-f]{12}"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    (r"\b[\d.]+ (?:s|min)\b", r"[\d.]+ (?:s|min|min \d+ s)"),
    (r"@[\w.-]+", r"@[\w.-]+"),
    (r"\.\.\.", r".*"),
    (r"\s+", r"\s+"),
)
VARIABLE = re.compile("|".join(f"({pattern})" for pattern, _ in ANYTHING))


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """The code blocks of a page: (language, text)."""
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text())]


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, [line.strip() for line in shown if line.strip() and line.strip() != "..."]


def as_printed(shown: str) -> re.Pattern[str]:
    """What a shown line may look like when it is printed."""
    parts, at = [], 0
    for match in VARIABLE.finditer(shown):
        assert match.lastindex is not None
        parts += [re.escape(shown[at : match.start()]), ANYTHING[match.lastindex - 1][1]]
        at = match.end()
    return re.compile("".join([*parts, re.escape(shown[at:])]))


@dataclass
class Reader:
    """Somebody who types a page, in a folder of their own; `ids` are the printed ids for those that the page shows."""

    folder: Path
    environment: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def read(self, page: Path) -> None:
        for language, text in blocks(page):
            if language == "console":
                for command, shown in commands(text):
                    self.type(command, shown)
            elif (path := re.match(r"# (\S+\.(?:py|cfg))\n", text)) is not None:
                self.written[path[1]] = text
                (self.folder / path[1]).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path[1]).write_text(text)
        for path, text in self.written.items():
            if ".define(" in text and not any(Path(path).stem in command for command in self.typed):
                self.type(f"lightflowctl run {path}", [])

    def type(self, command: str, shown: list[str]) -> None:
        self.typed.append(command)
        if (folder := re.fullmatch(r"cd (\S+)", command)) is not None:
            self.folder = (self.folder / folder[1]).resolve(strict=True)
            return
        for id_, printed in self.ids.items():
            command = re.sub(rf"\b{id_[:6]}[0-9a-f]*\b", printed, command)
        if command.endswith("&"):
            self.background.append(self._start(command.removesuffix("&")))
            return
        process = self._start(command)
        output = process.communicate(timeout=LIMIT)[0].decode()
        wanted = re.search(r"# exit code (\d+)", command)
        assert process.returncode == int(wanted[1] if wanted else 0), f"$ {command}\n{output}"
        for line in shown:
            self._find(line, command, output)

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _find(self, shown: str, command: str, output: str) -> None:
        pattern = as_printed(shown)
        found = [match for line in output.splitlines() if (match := pattern.fullmatch(line.strip()))]
        assert found, f"$ {command}\ndoes not print\n  {shown}\nbut\n{output}"
        if "id" in pattern.groupindex:
            self.ids[re.findall(r"\b[0-9a-f]{24}\b", shown)[0]] = found[0]["id"]

    def close(self) -> None:
        for process in self.background:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LIMIT)
        if any("lightflowctl up" in command for command in self.typed):
            self._start("lightflowctl down").communicate(timeout=LIMIT)


@contextmanager
def reader(**environment: str) -> Iterator[Reader]:
    """Somebody new, who leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as folder:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("LIGHTFLOW_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        someone = Reader(Path(folder), {**inherited, "PATH": path, "HOME": folder, "COLUMNS": "120", **environment})
        try:
            yield someone
        finally:
            someone.close()


@pytest.fixture(scope="module")
def data_dir() -> Iterator[str]:
    """The data dir of a running system that pages share."""
    with reader() as operator:
        operator.type("lightflowctl up --detach --task-slots 4", [])
        yield str(operator.folder / ".lightflow")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_what_a_page_prints_is_true(page: Path, request: pytest.FixtureRequest) -> None:
    has_its_own = any("lightflowctl up" in text for language, text in blocks(page) if language == "console")
    shared = {} if has_its_own else {"LIGHTFLOW_DATA_DIR": request.getfixturevalue("data_dir")}
    with reader(**shared) as newcomer:
        newcomer.read(page)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_every_python_block_is_python(page: Path) -> None:
    for language, text in blocks(page):
        if language == "python":
            ast.parse(text, name(page))


@pytest.mark.parametrize("page", EVERY, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", EVERY, ids=name)
def test_make_makes_what_pages_mention(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE)) <= set(targets)
