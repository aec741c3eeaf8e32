"""Updates of documents that must still be as they were read: several in one command, each told whether it was made.

The server says how many of them were made, not which: each leaves a mark in its document, to be found by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

MARK = "written"


@dataclass(frozen=True, slots=True)
class Expecting:
    """An update of the document of this id, which also sets MARK to a mark of its own."""

    id: str
    mark: str
    update: UpdateOne


async def made(collection: AsyncCollection[Any], updates: Sequence[Expecting], matched: int) -> list[bool]:
    """Which of these updates were made, of which so many were. One that is repeated counts as made, too."""
    if matched == len(updates):
        return [True] * len(updates)
    marks = await collection.distinct(MARK, {"_id": {"$in": [each.id for each in updates]}})
    return [each.mark in marks for each in updates]
