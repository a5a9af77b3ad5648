"""Configuration files: YAML with places, checked by pydantic models. Rule files and settings share this room."""
