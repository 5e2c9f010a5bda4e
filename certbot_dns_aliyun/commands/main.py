"""The command ``certbot-dns-aliyun``: one command is run, and how that ends is its exit status."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import sys
from collections.abc import Sequence

from certbot_dns_aliyun.commands import arguments

_OK, _PROBLEM, _USAGE, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    :param argv: its arguments; None for those of the process
    :returns: 0 if all is well, 1 if something is not, 2 for wrong usage, 130 after an interrupt
    """
    # Python has none where it is closed (>&-).
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Not every terminal has every character; none is worth a traceback.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # The plugin's options are those of this command, too, by either name.
    given = sys.argv[1:] if argv is None else argv
    short = [re.sub("^--dns-aliyun-", "--", each) for each in given]
    options = arguments.parser().parse_args(short)
    _set_up_logging(options.verbose)

    # Only now, as they bring in all that a run needs.
    from certbot import errors

    from certbot_dns_aliyun.commands.inputs import UsageError

    command = importlib.import_module(f"certbot_dns_aliyun.commands.{options.command}")
    try:
        is_well: bool = command.run(options)
        sys.stdout.flush()
    except UsageError as error:
        text = str(error).replace("--dns-aliyun-", "--")
        print(f"certbot-dns-aliyun: {text}", file=sys.stderr)
        return _USAGE
    except errors.PluginError as error:
        print(error, file=sys.stderr)
        return _PROBLEM
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # who reads has seen enough
        _drop_output()
        return _PROBLEM
    except OSError as error:
        print(f"certbot-dns-aliyun: {error}", file=sys.stderr)
        _drop_output()
        return _PROBLEM
    return _OK if is_well else _PROBLEM


def _drop_output() -> None:
    """Let Python not stumble, at its end, over what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_up_logging(verbosity: int) -> None:
    """Let warnings of ours be seen, or more; other libraries may log what must stay secret."""
    logging.getLogger().addHandler(logging.NullHandler())
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("certbot_dns_aliyun")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel([logging.WARNING, logging.INFO, logging.DEBUG][min(verbosity, 2)])
