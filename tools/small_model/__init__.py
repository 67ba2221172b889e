"""Trains longsight's own small model from scratch; see README.md."""
