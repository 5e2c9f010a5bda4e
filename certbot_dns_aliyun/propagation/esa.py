"""Tell before anything is added where Alibaba Cloud ESA stands in the way.

ESA (Edge Security Acceleration) is another product with name servers of its own. A zone that moved
there is still in Alibaba Cloud DNS, and takes records that nobody sees.
"""

from __future__ import annotations

from certbot_dns_aliyun.propagation.delegation import Place
from certbot_dns_aliyun.refusals import OneNameError


def refuse_esa(place: Place) -> None:
    """Refuse a place at which a TXT record would be seen by nobody, or belongs to ESA.

    :raises OneNameError: if it is such a place
    """
    if place.is_of_esa_certificate:
        raise OneNameError(
            f"The CNAME record at {place.chain[-2]} leads to {place.name}: it belongs to a "
            "certificate that Alibaba Cloud ESA manages, and while it stands there, nobody else "
            "can have one for that name. Remove it if ESA is not to manage that certificate any "
            "more, or take another name."
        )
    if place.is_at_esa:
        names = ", ".join(sorted({server.name for server in place.servers}))
        raise OneNameError(
            f"The zone {place.zone} is served by Alibaba Cloud ESA (at {names}): a TXT record "
            f"{place.name} that is added in Alibaba Cloud DNS is seen by nobody. In the ESA "
            f"console, add a CNAME record {place.name}, DNS only, that leads to a name in a zone "
            "at Alibaba Cloud DNS (docs/delegation.rst explains it); or set the name servers of "
            "Alibaba Cloud DNS at the registrar again."
        )
