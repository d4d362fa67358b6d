"""The steps from any picture file to the pixels that a model sees."""
