"""What runs in child processes: the only code of the task worker that ever unpickles or imports what users wrote."""
