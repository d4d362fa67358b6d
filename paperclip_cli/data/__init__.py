"""Images, pairs and vectors."""
