"""Packers: one file a source set; `engine` packs what they plan."""
