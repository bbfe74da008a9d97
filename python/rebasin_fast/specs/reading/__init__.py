"""Parameters read as layers: what their names, shapes and order tell."""
