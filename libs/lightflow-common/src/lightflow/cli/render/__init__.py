"""Messages of the contract as text and as JSON documents: pure functions, without a terminal or a connection."""
