"""What must hold, check by check: each yields (kind, about, what) for every breach that it finds."""
