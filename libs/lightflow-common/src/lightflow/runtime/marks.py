"""Reading what looks are due for: documents, each with those below it that changed and were not looked at."""

from collections.abc import Sequence

from lightflow.runtime.mongo import NOW, Database, Document

AT_ONCE = 10_000
"""Marked documents that are read at once."""

Marked = tuple[Document | None, list[Document]]


async def with_marked(db: Database, place: str, below: str, link: str, ids: Sequence[str], shown: str) -> list[Marked]:
    """The documents of these ids in `place`, each with the marked ones `below` that name it as their `link`.

    Of those the fields in `shown` are read. It is one command, and the marks come first: what is known of a document is
    then never older than what is known of those below it. `now` is the server's time. None where there is no document.
    """
    these = {"$in": list(ids)}
    pipeline: list[Document] = [
        {"$match": {link: these, "marked": True}},
        {"$limit": AT_ONCE},
        {"$project": dict.fromkeys([link, *shown.split()], 1)},
        {"$unionWith": {"coll": place, "pipeline": [{"$match": {"_id": these}}, {"$set": {"now": NOW}}]}},
    ]
    marked: dict[str, list[Document]] = {each: [] for each in ids}
    documents: dict[str, Document] = {}
    async for document in await db[below].aggregate(pipeline, batchSize=AT_ONCE + 1):
        if link in document:
            marked[document[link]].append(document)
        else:
            documents[document["_id"]] = document
    if sum(map(len, marked.values())) == AT_ONCE and len(ids) > 1:
        # Some may be missing, and nothing tells below which.
        return [(await with_marked(db, place, below, link, [each], shown))[0] for each in ids]
    return [(documents.get(each), marked[each]) for each in ids]
