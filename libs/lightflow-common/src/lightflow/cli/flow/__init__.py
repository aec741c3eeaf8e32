"""The subcommands of `lightflow`, a module each; what a module exposes is called `command`."""
