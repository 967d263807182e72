"""A plugin for BasicSR: generative deblurring of real photographs (GLOWDeblur), trained by blur pattern pretraining.

Importing it makes `import basicsr` work on today's libraries and does nothing else; `register.register()` adds our classes to
BasicSR's registries.
"""

from glowdeblur_plugin.compat import aliases

__version__ = '0.1.0'

aliases.install()
