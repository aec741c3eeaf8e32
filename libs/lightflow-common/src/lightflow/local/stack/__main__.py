"""`python -m lightflow.local.stack`: the background process that holds a stack together."""

import json
import os
import pickle
import sys

from lightflow.core.errors import LightflowException
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.serve import serve


def main(arguments: list[str]) -> int:
    """Serve the stack of OPTIONS (JSON); report on the descriptor REPORT_FD, as a pickle, None once ready or the error.

    `--lifeline` as the last argument: end when stdin ends.
    """
    options, report_fd, *flags = arguments
    with os.fdopen(int(report_fd), "wb") as report:

        def tell(error: LightflowException | None) -> None:
            report.write(pickle.dumps(error))
            report.close()

        try:
            lifeline = sys.stdin.fileno() if flags == ["--lifeline"] else None
            serve(StackOptions.from_json(json.loads(options)), lambda _: tell(None), lifeline=lifeline)
        except LightflowException as error:
            if report.closed:  # the stack had come up: nobody reads the report any more, the log is where this belongs
                raise
            tell(error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
