"""Measurements beside their peers: `python -m glowdeblur_plugin.benchmarks <name>`."""
