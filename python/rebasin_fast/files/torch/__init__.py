"""torch's own files, read without torch and without executing anything."""
