"""The parameters of several models, combined: on a line, in an average, by a rule, by a distance."""

from rebasin_fast.merging.lora.adapter import load_adapter, save_adapter
from rebasin_fast.merging.lora.applied import applied_adapter
from rebasin_fast.merging.lora.products import merged_adapters
from rebasin_fast.merging.rules.combining import combine

__all__ = ["applied_adapter", "combine", "load_adapter", "merged_adapters", "save_adapter"]
