"""The errors a user can cause or meet, each with the exit code the command line ends with.

An expected failure is one of these; its text says what is wrong, where, and what to do next. Anything
else that escapes is a programming error and keeps its traceback in the log file.
"""

from __future__ import annotations


class OtxError(Exception):
    """Work that was asked for correctly failed while it was being done (exit code 1)."""

    exit_code = 1


class UsageError(OtxError):
    """What was asked for makes no sense: a wrong option, template, weights file or combination (exit code 2)."""

    exit_code = 2


class DataError(OtxError):
    """The data set cannot be used as it is (exit code 3)."""

    exit_code = 3
