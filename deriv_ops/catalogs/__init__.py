"""Catalogs that come with the project."""
