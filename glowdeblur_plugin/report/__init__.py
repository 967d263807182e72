"""Pictures and tables about data and results."""
