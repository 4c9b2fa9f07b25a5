"""Every error that Diptych raises on purpose.

::

    DiptychError
    ├── ReadError              a spectra or structure file cannot be read (names file, line, record)
    ├── AdductError            an adduct cannot be parsed, or contradicts the charge
    ├── SpectrumError          peaks or precursor of one spectrum are impossible
    ├── FormulaError           a molecular formula cannot be parsed
    ├── StructureError         a SMILES or InChI cannot be turned into a Structure
    ├── DatasetError           a training dataset is missing, damaged or contradicts itself
    ├── ModelError             a model folder is missing, truncated or of another format version
    ├── LibraryError           a structure library is missing, truncated or of another format version
    │   └── ForeignModelError  the library was embedded by another model than the one asked to search it
    ├── ConfigError            a configuration file has an unknown key or an impossible value
    ├── TrainingError          training cannot start or go on
    ├── EvaluationError        an evaluation cannot be made from what was given
    └── OutputError            a result cannot be written

A message says what was got, what was expected, and where. The command line prints it on one line and exits 1.
"""


class DiptychError(Exception):
    """Root of all errors that a caller may want to catch."""


class ReadError(DiptychError):
    """A spectra or structure file cannot be read."""


class AdductError(DiptychError):
    """An adduct cannot be parsed, or contradicts the charge."""


class SpectrumError(DiptychError):
    """Peaks or precursor of one spectrum are impossible."""


class FormulaError(DiptychError):
    """A molecular formula cannot be parsed."""


class StructureError(DiptychError):
    """A SMILES or InChI cannot be turned into a Structure."""


class DatasetError(DiptychError):
    """A training dataset is missing, damaged or contradicts itself."""


class ModelError(DiptychError):
    """A model folder is missing, truncated or of another format version."""


class LibraryError(DiptychError):
    """A structure library is missing, truncated or of another format version."""


class ForeignModelError(LibraryError):
    """The library was embedded by another model than the one asked to search it."""


class ConfigError(DiptychError):
    """A configuration file has an unknown key or an impossible value."""


class TrainingError(DiptychError):
    """Training cannot start or go on."""


class EvaluationError(DiptychError):
    """An evaluation cannot be made from what was given."""


class OutputError(DiptychError):
    """A result cannot be written."""


# What torch says of processors and of graphics cards, as RuntimeError; C++ says the last.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is used up.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    >>> is_out_of_memory(RuntimeError("shapes do not match"))
    False
    """
    is_torch = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)
    return is_torch or isinstance(error, MemoryError)


def reason_of(error: Exception) -> str:
    """Return what went wrong, without the number and the path that the operating system puts around it.

    Examples
    --------
    >>> reason_of(FileNotFoundError(2, "No such file or directory", "x.json"))
    'No such file or directory'
    >>> reason_of(ValueError("a wrong number"))
    'a wrong number'
    """
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error)
