"""What a system has."""
