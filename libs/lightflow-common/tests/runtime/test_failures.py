from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError

from lightflow.runtime.mongo import DUPLICATE, check_duplicates


def error_of(*codes: int, unconfirmed: bool = False) -> BulkWriteError:
    details: dict[str, Any] = {"writeErrors": [{"index": index, "code": code} for index, code in enumerate(codes)]}
    return BulkWriteError(details | ({"writeConcernErrors": [{"code": 64}]} if unconfirmed else {}))


def test_documents_that_exist_already_are_no_error() -> None:
    check_duplicates(error_of(DUPLICATE, DUPLICATE))


def test_any_other_failure_is_one() -> None:
    with pytest.raises(BulkWriteError):
        check_duplicates(error_of(DUPLICATE, 2))


@pytest.mark.parametrize("codes", [(), (DUPLICATE,)], ids=["nothing else", "duplicates"])
def test_what_the_server_did_not_confirm_may_not_last_whatever_else_failed(codes: tuple[int, ...]) -> None:
    with pytest.raises(AutoReconnect, match="did not confirm"):
        check_duplicates(error_of(*codes, unconfirmed=True))
