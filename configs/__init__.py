"""The ground: data files and what every room needs to read them. No domain logic.

Import the module you need (``errors``, ``pattern``, ``quantity``, ``schema``, ...): this package imports
nothing, so that ``bisparse.configs.errors`` costs neither pydantic nor yaml.
"""
