"""The exceptions of the package, all below one root.

Each message names the fault, the value found, the value expected, and the remedy.
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
    """A file of another format than its name gives, truncated, or with contents that would have to be executed."""


class MissingDependencyError(RebasinError, ImportError):
    """An optional dependency is needed and not installed; the message holds the command that installs it."""


class DataError(RebasinError, ValueError):
    """Batches or a model on which the requested quantity cannot be measured."""


class DeviceError(RebasinError, RuntimeError):
    """A CUDA device is needed and missing, or arrays lie on another device; the message gives the remedy."""


class CostOverflowError(RebasinError, OverflowError, ValueError):
    """The total of an assignment, or a dual that its proof needs, lies beyond float64."""


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
