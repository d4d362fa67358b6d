"""The model that is taken, and named in hints, where nothing else is said."""

DEFAULT_MODEL = "openai/clip-vit-base-patch16"
