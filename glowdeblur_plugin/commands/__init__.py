"""Sub-commands of `glowdeblur`, one module each: `add` puts its parser beside the others; what it runs prints its result."""
