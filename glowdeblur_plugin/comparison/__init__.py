"""Methods x sets x metrics: run, kept, and shown as tables and as a page."""
