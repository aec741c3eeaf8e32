"""`lightflow`: configure, start and look after workflows. Each subcommand is a module in `lightflow.cli.flow`."""

from pathlib import Path

import click

from lightflow import __version__
from lightflow.cli.group import LazyGroup
from lightflow.cli.session import Session, no_color_option, pass_session

SECTIONS = {
    "Commands": {
        "config": ("lightflow.cli.flow.config", "Write or show a configuration, copy the examples."),
        "workflow": ("lightflow.cli.flow.workflow", "List, start, stop and see workflows."),
        "worker": ("lightflow.cli.flow.worker", "Start, stop and see workers."),
        "monitor": ("lightflow.cli.flow.monitor", "Show what happens as it happens."),
        "ext": ("lightflow.cli.flow.ext", "Run an extension."),
    }
}


@click.group(cls=LazyGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Configuration file  [default: $LIGHTFLOW_CONFIG, ./lightflow.cfg, ~/lightflow.cfg].",
)
@no_color_option("-n")
@click.version_option(__version__, prog_name="lightflow")
@pass_session
def main(session: Session, config: Path | None) -> None:
    """Lightflow: workflows as plain Python files.

    `lightflowctl` runs and watches workflows; this command configures and does the everyday things.
    """
    session.config_file = config
