"""A worker as a person starts it: up to three service processes, supervised, that go by one name."""
