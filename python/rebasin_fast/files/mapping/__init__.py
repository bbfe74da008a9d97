"""Files that are mapped while others may write them: the guard of a mapping, and calls that refuse what changed."""
