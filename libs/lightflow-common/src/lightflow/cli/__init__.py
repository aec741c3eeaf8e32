"""The command lines: `lightflowctl`, which speaks to a running system, and `lightflow`."""
