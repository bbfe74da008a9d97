"""One matching method a file, beside a plain program of its original algorithm."""
