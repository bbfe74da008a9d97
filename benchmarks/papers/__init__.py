"""One command for each figure and table of the papers; docs/papers.md lists them."""
