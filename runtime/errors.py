"""The errors of this package: each is one line that says what is wrong and what to do about it.

An entry point prints ``str(error)`` and exits; a traceback would add nothing an operator can act on.
The cause is chained, so that a debug log still has it.
"""


class RuntimeFault(Exception):
    """Something outside the program is missing or wrong; its operator can put it right."""


class SettingsError(RuntimeFault):
    """A RINGMASTER_* variable is unknown, unparsable or out of range."""


class Unreachable(RuntimeFault):
    """A server does not answer, or not to us."""


class ServerMissing(Unreachable):
    """Nothing answers at the address."""


class NamespaceMissing(Unreachable):
    """The Temporal server answers, but has no such namespace."""


class AccessDenied(Unreachable):
    """The server answers and refuses us: TLS, API key, password or permission."""


class UnsuitableServer(RuntimeFault):
    """The server answers, but is too old for what is asked of it."""


class SchemaMismatch(RuntimeFault):
    """The tables in the database are not those of this version of the program."""


class EmbeddedServerFault(RuntimeFault):
    """An embedded server or a child process is missing, did not start, or died."""
