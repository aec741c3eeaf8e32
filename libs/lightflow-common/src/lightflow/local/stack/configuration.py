"""The configuration file of a stack: a person's own one, with the stack's addresses and absolute folders in it."""

import os
import secrets
from pathlib import Path

import lightflow
from lightflow.config import Config, from_environment, parse
from lightflow.core import settings
from lightflow.core.settings import Settings
from lightflow.local.stack import servers
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places

OWN_FOLDERS = ("workflows", "examples")


def read_own(given: str | None) -> Settings:
    """What the person says, in the file given or found and in the environment: whole sections, folders absolute.

    Raises what Config says of a wrong file.
    """
    config = Config()
    config.load_from_file(given, strict=False)
    said = dict.fromkeys(from_environment(os.environ))
    if config.filename is not None:
        said |= settings.checked(parse(Path(config.filename).read_text(), config.filename), config.filename)
    return {name: value for name, value in config.to_dict().items() if name in said}


def default_folders(base: Path) -> list[str]:
    """Where workflows are looked for unless somebody says otherwise: folders in `base`, then the shipped examples."""
    # They may appear later: `lightflow config examples .` makes one.
    own = [str(base / name) for name in OWN_FOLDERS]
    return [*own, str(Path(lightflow.__file__).parent / "examples")]


def merge(own: Settings, options: StackOptions, places: Places, base: Path) -> Settings:
    """The configuration of the stack. Whose servers the person's file names does not matter: a stack has its own."""
    chosen = [str(base / folder) for folder in options.workflows]
    celery, store, engine = (own.get(name) or {} for name in ("celery", "store", "engine"))
    files = {
        "signing_key_file": str(places.signing_key),
        "cache_dir": engine.get("cache_dir") or str(places.cache),
    }
    return {
        **own,
        "workflows": chosen or own.get("workflows") or default_folders(base),
        "celery": {**celery, "broker_url": servers.broker_url(places)},
        "signal": {"uri": servers.redis_url(places)},
        "store": {"uri": servers.mongo_uri(places), "database": store.get("database") or "lightflow"},
        "control": {"socket": str(places.control_socket())},
        "engine": {**engine, **files},
    }


def write(tree: Settings, places: Places) -> None:
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
