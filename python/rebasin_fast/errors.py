"""The exceptions of the package, all below one root.

Each message says what was wrong, what was found, what was expected, and what to do.
"""


class RebasinError(Exception):
    """Root of the exceptions that this package raises for users' mistakes."""


class SpecError(RebasinError, ValueError):
    """A permutation spec contradicts itself, the parameters, or the function of the model."""


class ParamsError(RebasinError, ValueError):
    """Parameters that cannot be matched: other names, shapes or dtypes than expected, or NaN among them."""


class PermutationError(RebasinError, ValueError):
    """Index arrays that are no permutation, or that do not fit the spec."""


class FileFormatError(RebasinError, ValueError):
    """A file that is not what its name says, is truncated, or holds something that will not be executed."""


class MissingDependencyError(RebasinError, ImportError):
    """An optional dependency is needed and not installed; the message holds the command that installs it."""


class DataError(RebasinError, ValueError):
    """Batches, or a model, on which what was asked for cannot be measured."""


class DeviceError(RebasinError, RuntimeError):
    """A CUDA device is needed and not there, or arrays lie where the work is not; the message says what to do."""


class InfeasibleError(RebasinError, ValueError):
    """No complete assignment avoids the forbidden pairs.

    Attributes
    ----------
    rows, columns : tuple of int
        A Hall violator: these rows may take these columns only, which are fewer; for a matrix of more rows than
        columns, these columns may take these rows only, which are fewer.
    """

    def __init__(self, message: str, *, rows: tuple[int, ...] = (), columns: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.rows = rows
        self.columns = columns
