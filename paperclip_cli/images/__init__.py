"""From any picture file to the pixels that a model sees."""
