"""The control service over gRPC: its server, its clients, and where to find it."""
