"""Signatures of stored bytes: what a worker unpickles must come from this system.

Whoever holds the key may run code in task workers. It lies in a file that only this user may read; without one it is
made once and kept in MongoDB, which then is the root of trust.
"""

import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from lightflow.core.errors import ConfigFieldError, PayloadForged

logger = logging.getLogger(__name__)

KEY_BYTES = 32


class Signer:
    """Signs bytes for a context (what they are and whose), so that they cannot be passed off as something else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, data: bytes, context: str) -> bytes:
        """The signature, 32 bytes."""
        code = hmac.new(self._key, hashlib.sha256(context.encode()).digest(), hashlib.sha256)
        code.update(data)
        return code.digest()

    def verify(self, data: bytes, context: str, signature: Any) -> None:
        """PayloadForged, which names the context, unless the signature was made for these bytes and this context."""
        if not isinstance(signature, bytes) or not hmac.compare_digest(self.sign(data, context), signature):
            raise PayloadForged(context)


async def signer_for(key_file: Path | None, database: AsyncDatabase[dict[str, Any]]) -> Signer:
    """The signer of the configured key file, or of the key that MongoDB keeps."""
    return Signer(read_key(key_file) if key_file is not None else await _key_in_database(database))


def read_key(file: Path) -> bytes:
    """The key in a file; ConfigFieldError when there is none of at least 32 bytes."""
    try:
        key = file.read_bytes().strip()
        found = file.stat()
    except OSError as error:
        raise ConfigFieldError(f"engine.signing_key_file: {error}") from error
    if len(key) < KEY_BYTES:
        raise ConfigFieldError(
            f"engine.signing_key_file: {file} holds {len(key)} bytes; at least {KEY_BYTES} are needed"
        )
    # Whose it is decides: the file of a secret that was mounted is not this user's to make private.
    if found.st_mode & 0o077 and found.st_uid == os.getuid():
        logger.warning("The signing key %s can be read by others; make it private with chmod 600.", file)
    return key


def write_key(file: Path) -> None:
    """Make a key in a new file that only this user may read; an existing file is left alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(secrets.token_hex(KEY_BYTES))


async def _key_in_database(database: AsyncDatabase[dict[str, Any]]) -> bytes:
    settings = database["settings"]
    made = {"schema": 1, "key": secrets.token_bytes(KEY_BYTES)}
    try:
        found = await settings.find_one_and_update(
            {"_id": "signing_key"}, {"$setOnInsert": made}, upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # another process made it at the same moment
        found = await settings.find_one({"_id": "signing_key"})
    assert found is not None
    if found["key"] == made["key"]:
        logger.warning(
            "No engine.signing_key_file is configured: a key that signs code and data was made and is kept in MongoDB, "
            "and whoever can write there can run code in task workers."
        )
    return bytes(found["key"])
