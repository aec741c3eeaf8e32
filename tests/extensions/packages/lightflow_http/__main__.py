"""Serves until Ctrl-C."""

from contextlib import suppress

from lightflow.config import Config

from .server import server


def main(args):
    config = Config()
    config.load_from_file()
    with server(config) as serving, suppress(KeyboardInterrupt):
        print("Listening on port", serving.server_port, flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
