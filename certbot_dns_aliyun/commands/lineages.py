"""Certbot's lineages: the certificates that it renews, and the options that it renews them with.

Read from the renewal files, as `certbot renew` does it; what stands in Certbot's cli.ini counts
more there, and so it does here.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import configargparse
import configobj
from certbot.compat import misc
from cryptography import x509
from cryptography.hazmat.backends import default_backend

#: The files of a lineage, each a link to the newest of its kind.
_KINDS = ("cert", "privkey", "chain", "fullchain")
_SECTION = "renewalparams"


class LineageError(Exception):
    """A lineage that Certbot does not renew, as a sentence that tells what to do."""


@dataclass(frozen=True)
class Lineage:
    """One certificate and how it is renewed.

    :ivar name: Certbot's name of it
    :ivar file: its renewal file
    :ivar parameters: options by their names in the renewal file
    :ivar certificate: the path of the certificate
    """

    name: str
    file: Path
    parameters: Mapping[str, str]
    certificate: str

    def get(self, option: str) -> str | None:
        """Give the value of an option; None if it has none."""
        value = self.parameters.get(option)
        return None if value in (None, "None") else value

    @property
    def authenticator(self) -> str:
        """The plugin that proves control of its names."""
        return self.get("authenticator") or ""

    def domains(self) -> list[str]:
        """Read the names from the certificate.

        :raises LineageError: if it cannot be read
        """
        try:
            data = Path(self.certificate).read_bytes()
            certificate = x509.load_pem_x509_certificate(data, default_backend())
            kind = x509.SubjectAlternativeName
            names = certificate.extensions.get_extension_for_class(kind).value
        except (OSError, ValueError, x509.ExtensionNotFound) as error:
            raise LineageError(
                f"The certificate {self.certificate} cannot be read ({_why(error)}), so Certbot "
                f"does not renew {self.name}; issue it anew by certbot certonly, or remove it by "
                f"certbot delete --cert-name {self.name}."
            ) from None
        return names.get_values_for_type(x509.DNSName)

    def account(self, config_dir: str, server: str) -> str:
        """Give the URI of its account with the CA; empty if it names none.

        :raises LineageError: if there is no such account on this machine
        """
        account = self.get("account")
        if not account:
            return ""
        url = urllib.parse.urlsplit(server)
        folder = Path(config_dir, "accounts", url.netloc + url.path, account)
        try:
            return str(json.loads((folder / "regr.json").read_bytes())["uri"])
        except PermissionError:
            return ""
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise LineageError(
                f"The account {account} that {self.file} names cannot be read from {folder} "
                f"({_why(error)}), so Certbot does not renew {self.name}; restore that folder, or "
                f"take the line account out of {self.file} if there is another account with the CA."
            ) from None


def names(config_dir: str) -> list[str]:
    """List the lineages of a configuration folder; hidden files are none, as for Certbot.

    :raises OSError: if it cannot be read
    """
    files = os.listdir(Path(config_dir, "renewal"))
    return sorted(file[:-5] for file in files if file.endswith(".conf") and file[0] != ".")


def read(config_dir: str, name: str) -> Lineage:
    """Read one.

    :raises FileNotFoundError: if there is none of that name
    :raises LineageError: if its file is of no use
    """
    file = Path(config_dir, "renewal", f"{name}.conf")
    try:
        content = configobj.ConfigObj(
            str(file), encoding="utf-8", default_encoding="utf-8", file_error=True
        )
        section = content[_SECTION]
        links = {kind: str(content[kind]) for kind in _KINDS}
        parameters = {option: str(section[option]) for option in section}
    except (UnicodeError, configobj.ConfigObjError, LookupError, TypeError, ValueError) as error:
        why = f"{error.args[0]} is missing" if type(error) is KeyError else "it is damaged"
        raise _broken(file, name, why) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) or not file.exists():
            raise FileNotFoundError(str(file)) from None
        raise _broken(file, name, _why(error)) from None
    for link in links.values():
        if not os.path.islink(link) or not os.path.exists(link):
            raise _broken(file, name, f"{link} in it is no link to a file")
    if not parameters.get("authenticator"):
        raise _broken(file, name, "authenticator is missing")
    for option in section:
        if option.startswith("dns_aliyun_") and isinstance(section[option], list):
            raise _broken(file, name, f"the value of {option} lacks quotes, as it has a comma")
    return Lineage(name, file, {**parameters, **_of_cli_ini(file, name)}, links["cert"])


def _of_cli_ini(file: Path, name: str) -> dict[str, str]:
    """Read the options that Certbot takes for every command, whatever a renewal file says."""
    own = os.environ.get("XDG_CONFIG_HOME", os.path.expanduser("~/.config"))
    found: dict[str, str] = {}
    for folder in (misc.get_default_folder("config"), os.path.join(own, "letsencrypt")):
        path = os.path.join(folder, "cli.ini")
        try:
            with open(path, encoding="utf-8") as stream:
                read = configargparse.DefaultConfigFileParser().parse(stream)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (OSError, UnicodeError, configargparse.ConfigFileParserException):
            raise _broken(file, name, f"{path} cannot be read") from None
        found.update((key.lstrip("-").replace("-", "_"), str(read[key])) for key in read)
    return found


def _broken(file: Path, name: str, why: str) -> LineageError:
    return LineageError(
        f"The renewal file {file} is of no use to Certbot: {why}. Correct it, or issue the "
        f"certificate anew by certbot certonly --cert-name {name}."
    )


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is damaged"
