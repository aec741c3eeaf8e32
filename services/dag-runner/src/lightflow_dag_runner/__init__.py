"""Moves DAG runs, and their tasks from waiting to queued or skipped."""
