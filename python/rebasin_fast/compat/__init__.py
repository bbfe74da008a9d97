"""Other programs' names and signatures over this package."""
