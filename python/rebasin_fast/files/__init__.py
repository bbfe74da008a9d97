"""Reading and writing checkpoints: one file per format, behind `load_params` and `save_params`."""

from .errors import ChangedFileError, MissingFileError, OutputExistsError, UnwritableOutputError
from .load import load_params
from .of_spec import holds_transform, spec_digest
from .params import LoadedParams, Source
from .permutations import (
    PermutationFile,
    check_permutation_output,
    load_permutation,
    save_permutation,
)
from .save import check_output, output_files, save_params
from .writing.atomic import atomic_write, check_writable
from .writing.together import together

__all__ = [
    "ChangedFileError",
    "LoadedParams",
    "MissingFileError",
    "OutputExistsError",
    "PermutationFile",
    "Source",
    "UnwritableOutputError",
    "atomic_write",
    "check_output",
    "check_permutation_output",
    "check_writable",
    "holds_transform",
    "load_params",
    "load_permutation",
    "output_files",
    "save_params",
    "save_permutation",
    "spec_digest",
    "together",
]
