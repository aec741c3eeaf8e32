"""Lightflow on one machine: the embedded stack."""
