"""The subcommands of `lightflowctl`, a module each; what a module exposes is called `command`."""
