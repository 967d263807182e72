"""Restoring pictures with any of our networks: weights in, pictures out."""
