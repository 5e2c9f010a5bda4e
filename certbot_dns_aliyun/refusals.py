"""Failures of one name, which say nothing about the others of its order."""

from __future__ import annotations

import logging

from certbot import errors

logger = logging.getLogger(__name__)


class OneNameError(errors.PluginError):
    """The TXT record of one name cannot be added, or is not seen; the others' may be.

    It ends a run, unless Certbot's ``--allow-subset-of-names`` has it go on without that name.
    What may be otherwise in an hour (a dead API, a busy zone) is none: a name that is left out is
    lost to the certificate, and not tried again at its renewal.
    """


def go_on_without(error: OneNameError) -> None:
    """Warn of a name that is left out."""
    logger.warning("Going on without a name, as --allow-subset-of-names has it: %s", error)
