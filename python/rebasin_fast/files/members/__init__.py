"""The members of archives: their bytes unpacked, and the headers of arrays among them."""
