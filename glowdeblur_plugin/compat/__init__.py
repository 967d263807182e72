"""Every mend that BasicSR 1.4.2 needs on today's libraries; nothing else in the plugin patches anything.

`aliases` is installed when the plugin is imported and makes `import basicsr` work. The rest is for the launchers: `install`.
"""


def install() -> None:
    """Put our reading of options, loaders and resume in the place of BasicSR's in its pipelines; imports BasicSR and torch."""
    import basicsr.test
    import basicsr.train

    from glowdeblur_plugin.compat import loaders, options, resume
    from glowdeblur_plugin.compat.sampler import DrawSampler

    basicsr.train.EnlargedSampler = DrawSampler
    basicsr.train.create_train_val_dataloader = loaders.create_train_val_dataloader
    basicsr.train.load_resume_state = resume.load_resume_state
    basicsr.train.parse_options = options.parse_options
    basicsr.test.parse_options = options.parse_options
