"""Indexes whose vectors are in an engine: PostgreSQL with pgvector, or Milvus."""
