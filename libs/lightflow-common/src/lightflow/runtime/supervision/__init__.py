"""Keeping processes alive together: processes as data, one keeper for each, a supervisor over them."""
