"""Run folders and the files in them: naming, atomic writing, safe reading."""
