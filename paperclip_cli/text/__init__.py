"""Words and sentences of English prose."""
