"""Adapters: what speaks to redis, MongoDB, Celery and gRPC."""
