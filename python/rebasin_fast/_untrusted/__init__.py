"""Values from files of strangers: parsed and shown within bounds. Errors are ValueErrors that a reader words anew."""

from rebasin_fast._untrusted.brief import brief
from rebasin_fast._untrusted.json_text import parse_json
from rebasin_fast._untrusted.small_file import read_small_file

__all__ = ["brief", "parse_json", "read_small_file"]
