"""Runs task attempts: the only place where user code runs."""
