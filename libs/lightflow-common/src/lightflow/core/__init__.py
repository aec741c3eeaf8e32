"""The rules of Lightflow as pure code: no clock, no I/O, no client."""
