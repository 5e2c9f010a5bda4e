"""
The ``dns-aliyun`` plugin for Certbot completes ``dns-01`` challenges by adding, and then removing,
TXT records through the API of Alibaba Cloud DNS (Alidns).

Named Arguments
---------------

=======================================  =====================================
``--dns-aliyun-credentials``             Credentials_ INI file.
``--dns-aliyun-propagation-seconds``     The number of seconds to wait where no
                                         name server of a zone can be asked for
                                         the records. (Default: 30)
``--dns-aliyun-wait-limit``              The number of seconds to wait at most
                                         for name servers that do not serve the
                                         records yet. (Default: 600)
``--dns-aliyun-wait-for``                Which name servers must serve the
                                         records: ``all``, ``alidns`` or
                                         ``nothing``. (Default: all)
``--dns-aliyun-resolvers``               Recursive resolvers to ask in place of
                                         this machine's own.
``--dns-aliyun-name-servers``            Name servers to ask for the records in
                                         place of the zone's own.
=======================================  =====================================

Credentials
-----------

The plugin needs a configuration file with an AccessKey of Alibaba Cloud, best that of a RAM user
who may do no more than ``alidns:AddDomainRecord``, ``alidns:DeleteDomainRecord`` and
``alidns:DescribeDomainRecords`` on ``acs:alidns:*:*:domain/example.com``.

Example credentials file:

.. code-block:: ini

   # AccessKey of a RAM user
   dns_aliyun_access_key = LTAI5tExample
   dns_aliyun_access_key_secret = ExampleSecret

A temporary AccessKey needs its ``dns_aliyun_security_token`` as well. ``dns_aliyun_endpoint`` names
another host of the API. Roles, profiles and several accounts in one file: see docs/credentials.rst.

The path to this file can be given on the command line or, if nothing else provides credentials,
interactively. Certbot records the path for use during renewal, but does not store the file's
contents.

.. caution::
   Protect this file as you would protect the password of your Alibaba Cloud account: who can read
   it can change the records of your zones, and so obtain certificates for your domains. Certbot
   warns if other users of the system can read it; ``chmod 600`` keeps them out.

Examples
--------

A certificate for ``example.com``:

.. code-block:: bash

   certbot certonly \\
     --authenticator dns-aliyun \\
     --dns-aliyun-credentials /etc/letsencrypt/aliyun.ini \\
     -d example.com

A single certificate for ``example.com`` and everything one level below it:

.. code-block:: bash

   certbot certonly \\
     --authenticator dns-aliyun \\
     --dns-aliyun-credentials /etc/letsencrypt/aliyun.ini \\
     -d example.com \\
     -d '*.example.com'

A certificate for ``example.com``, from a machine that cannot ask name servers, with a wait of two
minutes in place of that:

.. code-block:: bash

   certbot certonly \\
     --authenticator dns-aliyun \\
     --dns-aliyun-credentials /etc/letsencrypt/aliyun.ini \\
     --dns-aliyun-propagation-seconds 120 \\
     -d example.com
"""
