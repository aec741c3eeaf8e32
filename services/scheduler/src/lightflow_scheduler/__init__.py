"""Moves runs and hosts the control service."""
