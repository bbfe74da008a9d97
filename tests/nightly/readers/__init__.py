"""Files as strangers make them, a module a structure, and the judgement of a reader that met one.

A kind is a function from a `random.Random` to a `Case`. `nightly.fuzz_readers` draws new ones, and the suite
(`tests/files/test_files_generated.py`) a thousand of each from fixed seeds.
"""
