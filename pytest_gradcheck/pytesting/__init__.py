"""The pytest side of the plugin: one idea per file, each imported when a session first needs it."""
