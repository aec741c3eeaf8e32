"""The data of runs: what tasks keep with `store`, and how it lies in MongoDB (docs/adr/0002)."""
