"""The configuration file of a stack: a person's own one, with the stack's addresses and absolute folders in it."""

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import lightflow
from lightflow.config import LIGHTFLOW_CONFIG_ENV, LIGHTFLOW_CONFIG_NAME, Config
from lightflow.local.stack import servers
from lightflow.local.stack.errors import StackOptionInvalid
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places

Tree = dict[str, Any]
OWN_FOLDERS = ("workflows", "examples")


def find_own(given: str | None) -> Path | None:
    """The person's configuration file: the one given, $LIGHTFLOW_CONFIG, ./lightflow.cfg or ~/lightflow.cfg."""
    if named := given or os.environ.get(LIGHTFLOW_CONFIG_ENV):
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise StackOptionInvalid(f"There is no configuration file {path}")
        return path
    places = (Path.cwd() / LIGHTFLOW_CONFIG_NAME, Path.home() / LIGHTFLOW_CONFIG_NAME)
    return next((path for path in places if path.is_file()), None)


def read_own(path: Path | None) -> Tree:
    """What the person wrote, with absolute folders; raises what Config says of a wrong file."""
    if path is None:
        return {}
    from ruamel.yaml import YAML

    Config.from_file(str(path))  # refuses a broken file, with the line and the reason
    tree: Tree = YAML(typ="safe").load(path) or {}
    for section in ("workflows", "libraries"):
        if tree.get(section):
            tree[section] = [absolute(folder, path.parent) for folder in tree[section]]
    return tree


def absolute(folder: str, base: Path) -> str:
    """A folder of a configuration file that lies in `base`."""
    return str(base / Path(os.path.expandvars(folder)).expanduser())


def default_folders(base: Path) -> list[str]:
    """Where workflows are looked for unless somebody says otherwise: folders in `base`, then the shipped examples."""
    own = [str(base / name) for name in OWN_FOLDERS if (base / name).is_dir()]
    return [*own, str(Path(lightflow.__file__).parent / "examples")]


def merge(own: Tree, options: StackOptions, places: Places, base: Path) -> Tree:
    """The configuration of the stack. Whose servers the person's file names does not matter: a stack has its own."""
    chosen = [str(base / folder) for folder in options.workflows]
    celery = {key: value for key, value in section(own, "celery").items() if key != "result_backend"}
    store = {key: value for key, value in section(own, "store").items() if key == "database"}
    engine = {"cache_dir": str(places.cache), **section(own, "engine"), "signing_key_file": str(places.signing_key)}
    return {
        **own,
        "workflows": chosen or own.get("workflows") or default_folders(base),
        "celery": {**celery, "broker_url": servers.broker_url(places)},
        "signal": {"uri": servers.redis_url(places)},
        "store": {**store, "uri": servers.mongo_uri(places)},
        "control": {"socket": str(places.control_socket())},
        "engine": engine,
    }


def section(tree: Tree, name: str) -> Tree:
    """A section of a configuration; one that is missing or empty is an empty one."""
    return tree.get(name) or {}


def write(tree: Tree, places: Places) -> None:
    """Write the configuration, and the signing key where there is none yet."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    with places.config.open("w") as file:
        file.write(
            "# Made by `lightflowctl up` at every start: an edit here is lost, one in your own lightflow.cfg is not.\n"
        )
        yaml.dump(tree, file)
    make_signing_key(places.signing_key)


def make_signing_key(path: Path) -> None:
    """A random key that only we can read, made once: 32 bytes as hex digits."""
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    unfinished.replace(path)


# What a person's environment says about some other system must not override the stack's own configuration.
FOREIGN = ("STORE_", "SIGNAL_", "CONTROL_", "CELERY_", "BROKER_", "TARGET", "QUEUES", "READY_FD", "CONFIG", "WORKFLOWS")


def inherited(environment: Mapping[str, str], foreign: Iterable[str] = FOREIGN) -> dict[str, str]:
    """What the stack's processes keep of the environment that it was started in."""
    prefixes = tuple(f"LIGHTFLOW_{name}" for name in foreign)
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}
