"""Write errors.rst, the guide to every sentence of the plugin: ``python docs/make_errors.py``.

And guide.json in the package, by which the plugin knows the entry of a sentence.

The sentences themselves are taken from the code; what is written here is why they come, and what
to do. A sentence without a note ends the script, and so does a note whose sentence is gone.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import certbot_dns_aliyun
from certbot_dns_aliyun.credentials.kinds import PREFIX
from certbot_dns_aliyun.credentials.settings import DEFAULT_ENDPOINT
from certbot_dns_aliyun.errors import MEANINGS, PASSING, Code, Meaning, NotCalled, meaning_of
from certbot_dns_aliyun.retrying import PATIENCE
from certbot_dns_aliyun.unanswered import Lost, NotSent

PACKAGE = Path(certbot_dns_aliyun.__file__).parent
GUIDE = Path(__file__).with_name("errors.rst")
INDEX = PACKAGE / "guide.json"

#: Codes that are known by their form alone, each with the HTTP status that it comes with.
KNOWN_BY_FORM = {
    "Throttling": 400,
    "Throttling.User": 400,
    "Throttling.Api": 400,
    "Forbidden.…": 403,
    "QuotaExceeded.…": 400,
    "MissingParameter": 400,
    "InvalidParameter": 400,
    "UnsupportedOperation": 400,
}

#: By topic: for each meaning, one of its codes, and the note on it.
CODES: dict[str, dict[Code, str]] = {
    "The access key": {
        "InvalidAccessKeyId": "The id was mistyped or cut short, or the key was deleted; or it is "
        "a key of another cloud. The RAM console lists a user's keys.",
        "InvalidAccessKeyId.Inactive": "Somebody disabled the key, often while replacing it by "
        "another. Enable it, or put the new one into the credentials file.",
        "SignatureDoesNotMatch": "The id exists, and the secret is that of another key or is not "
        "complete. Copy it without quotes and blanks. Nobody can look a secret up again: if it is "
        "lost, make another key and delete this one.",
        "InvalidTimeStamp.Expired": "Each call carries the time, and Alibaba Cloud refuses one "
        "that is more than about 15 minutes off. Virtual machines that were suspended are often "
        "late. Let the machine keep its time by NTP.",
        "InvalidSecurityToken.Expired": "A temporary key of STS lives for minutes or hours, and "
        "the renewal comes weeks later. For unattended renewals use the key of a RAM user, or let "
        "what makes the temporary key write the credentials file just before ``certbot renew``.",
        "InvalidSecurityToken.Malformed": "Id, secret and token of a temporary key belong "
        "together. One of the three is from another answer of STS, or a token stands beside a "
        "permanent key.",
        "MissingSecurityToken": "An id that begins with ``STS.`` is of no use without its token.",
        "Forbidden.RAM": "The RAM policy that is attached to the key's user does not allow this "
        "call on this zone. The resource is the zone (``domain/example.com``), not the name in "
        "the certificate. RAM decides before anyone looks whether the zone is in the account: a "
        "key that is limited to some zones gets this answer for a zone that lies in another "
        "account, too. `RAM policies <ram-policy.rst>`_ has a policy to paste, and "
        "`certbot-dns-aliyun check <commands/check.rst>`_ proves each permission. For an "
        "internationalized zone a policy names both ``domain/例子.com`` and "
        "``domain/xn--fsqu00a.com``.",
        "Forbidden.…": "Codes of that form that are not on this page. The account, or the zone, is "
        "not in a state in which Alibaba Cloud allows changes.",
    },
    "Where the access key comes from": {
        NotCalled.NO_CREDENTIALS: "The role, profile, token file or URI that the settings name "
        "does not exist, or may not be used. The word in parentheses is what the other side gave "
        "as its reason, if it gave one. `Credentials <credentials.rst>`_ says what each kind "
        "needs.",
        NotCalled.UNSAFE_FILE: "A profile may name a command, which Certbot would run, or the "
        "account that is used. So the files of other tools (``~/.aliyun/config.json``, "
        "``~/.alibabacloud/credentials.ini``, OIDC tokens, private keys) and their folders must "
        "belong to root or to the user who runs Certbot, and be writable for nobody else. Folders "
        "such as ``/tmp``, in which everybody may remove only what is theirs, will do.",
        NotCalled.PROFILE_NOT_WRITABLE: "A profile of mode OAuth changes its refresh token each "
        "time that it is used, and the old one is worthless then. The plugin tries first whether "
        "the file can be replaced, which it cannot be on a read-only mount, when it is itself a "
        "mount point of a container, or while another program keeps it locked for more than ten "
        "seconds. For unattended renewals, a role or a RAM user's key is better.",
        NotCalled.CREDENTIALS_NOT_YET: "STS, the metadata service or the credentials URI did not "
        "work for minutes.",
        NotCalled.NOT_ON_ECS: "``dns_aliyun_ecs_ram_role`` works on an ECS instance alone, and not "
        "in a container that cannot reach the metadata service at 100.100.100.200.",
        NotCalled.WRONG_CLOCK: "STS, too, refuses calls that are more than about 15 minutes off.",
        NotCalled.NO_ACCOUNT: "The file has credentials for some zones in sections, and none "
        "before the first section for all others.",
    },
    "The zone": {
        "InvalidDomainName.NoExist": "Every zone that could hold the name was tried, the one that "
        "public DNS names first, and the account has none of them. It may be in another account; "
        "it may be registered at Alibaba Cloud but not added to Alibaba Cloud DNS; its DNS may be "
        "somewhere else (``dig NS example.com`` tells), or at Alibaba Cloud ESA, which has another "
        "API that this plugin does not speak. If it was there before: since December 2024 the free "
        "plan deletes the zones of domains that are registered elsewhere and were not delegated to "
        "it for 30 days. Delegate the domain, and add the zone again.",
        "Forbidden.DomainExpired": "An expired domain is not resolved, so no CA could see a record "
        "in it anyway.",
        "Forbidden.DomainLocked": "Somebody locked the zone, or the record, against changes.",
        "Forbidden.DomainType": "The zone is blocked, cleaned or being examined, or of a kind that "
        "the API does not change.",
    },
    "The record": {
        "DomainRecordConflict": "Where a CNAME is, there can be nothing else (RFC 1034, 3.6.2). "
        "Certificates that Alibaba Cloud's CDN manages, and those that ESA managed before it went "
        "over to ``_dnsauth``, need a CNAME at ``_acme-challenge``; while it is there, no "
        "certificate for that name can be had by this plugin. A CNAME that public DNS shows is "
        "followed; this one it does not.",
        "QuotaExceeded.Record": "The zone's plan limits the number of records. Values that "
        "other tools left at ``_acme-challenge`` names are good candidates for removal.",
        "QuotaExceeded.TTL": "The records of this plugin have the lowest TTL that every plan "
        "is documented to allow. A zone that refuses it is worth a report.",
        "SubDomainInvalid.RR": "Alidns takes internationalized names in front of the zone in some "
        "scripts only.",
        "SubDomainInvalid.Value": "The same sentence comes with every code that is not on this "
        "page. The account may have to be verified or topped up; or the plugin and the API do not "
        "agree on the form of a call, which is worth a report with the code and the request id.",
        "DomainRecordDuplicate": "You will hardly see this one. A value that was there before is "
        "used for the challenge, and left there afterwards; after an add whose reply got lost, it "
        "is taken for the record of that add.",
        "DomainRecordNotBelongToUser": "You will hardly see this one. A record that is gone "
        "when it is to be removed counts as removed.",
    },
    "Too much at once": {
        "Throttling.User": "The limit is the account's, so others who use the API with it count "
        "as well. The plugin slows down with each refusal.",
        "LastOperationNotFinished": "Alidns may take one change of a zone at a time, and the "
        "plugin adapts to that. If the changes of others never end, look for a DDNS client or a "
        "script that edits the zone again and again.",
        "InternalError": "The trouble is at Alibaba Cloud. After each such answer the plugin looks "
        "whether the record was added all the same.",
    },
    "No answer from Alidns": {
        NotSent.NO_ADDRESS: "Name resolution on this machine does not work, or the host in "
        "``dns_aliyun_endpoint`` is mistyped.",
        NotSent.NO_CONNECTION: "A firewall drops or refuses the connection, or the host in "
        "``dns_aliyun_endpoint`` is wrong.",
        Lost.NO_REPLY: "Connections are made, but nothing comes back: a firewall that drops what "
        "belongs to a connection, or a path that loses large packets (MTU).",
        Lost.CONNECTION_LOST: "Something between this machine and Alibaba Cloud resets "
        "connections.",
        Lost.NO_REPLY_OF_THIS_KIND: "What comes back is not what the API sends: the page of a "
        "proxy, a captive portal or a load balancer. See whether ``https://alidns.aliyuncs.com/`` "
        "opens from this machine.",
        NotSent.NO_TURN: "Each call took its whole time, for two minutes. The API or the line is "
        "slow; the log tells the seconds of each call.",
        NotSent.PROXY_FAILED: "``HTTPS_PROXY`` is set, and the proxy cannot be reached or fails. "
        "Under cron and systemd the environment is not that of your shell.",
        NotSent.PROXY_REFUSED: "The proxy wants a user name and a password, or does not let that "
        "host be reached: ``HTTPS_PROXY=http://user:password@proxy.example:3128``.",
        NotSent.PROXY_WITHOUT_TLS: "The scheme tells how the proxy itself is spoken to. Most take "
        "plain HTTP, through which the connection to Alibaba Cloud has its own TLS.",
        NotSent.WRONG_PROXY: "Quotation marks belong to the shell; in a systemd unit, a crontab or "
        "Docker's ``--env-file`` they are a part of the value. What is special in a password is "
        "written in percent-encoding: ``%40`` for ``@``.",
        NotSent.NO_SOCKS: "``requests``, which sends the calls, needs PySocks for ``socks5://`` "
        "and ``socks5h://``. ``ALL_PROXY`` is used where ``HTTPS_PROXY`` is not set.",
        NotSent.TLS_REFUSED: "Something in between answers in plain HTTP, or in TLS 1.1 or older.",
        NotSent.TLS_FAILED: "The connection broke off while TLS was being set up, again and again.",
        NotSent.CERTIFICATE_REFUSED: "The certificate is not of a CA that is trusted here. Look at "
        "``openssl s_client -connect alidns.aliyuncs.com:443``: the issuer tells who is in "
        "between. Certbot's log has OpenSSL's own words.",
        NotSent.CERTIFICATE_EXPIRED: "Alibaba Cloud renews its certificates in time. The clock of "
        "this machine is ahead, or who is in between lets its own certificates run out.",
        NotSent.CERTIFICATE_NOT_YET_VALID: "The clock of this machine is behind, as after a start "
        "without a battery or network time.",
        NotSent.CERTIFICATE_OF_ANOTHER: "Somebody else answers: the resolver or ``/etc/hosts`` has "
        "another address for that name, or a captive portal or a proxy is in between.",
        NotSent.WRONG_BUNDLE: "``REQUESTS_CA_BUNDLE``, or else ``CURL_CA_BUNDLE``, names what is "
        "not there, not for this user, or holds no certificate. Behind it stands what it says.",
        NotSent.WRONG_SET_UP: "The address of the proxy cannot be parsed, or the file of CA "
        "certificates cannot be read.",
        NotCalled.CALLED_OFF: "Another record of the same certificate could not be added, or the "
        "run was interrupted. The sentence about that one is the one to read.",
    },
}

#: By topic: sentences from elsewhere in the code, each by words of it, and the note on them.
SENTENCES: dict[str, dict[tuple[str, ...], str]] = {
    "Options and names": {
        (
            "must be between 0",
        ): "The option has a value that makes no sense. The renewal file keeps "
        "the options of the run that wrote it; look there, too.",
        ("is not an address or a name",): "An entry of the list is mistyped, or its name cannot be "
        "resolved on this machine. IPv6 addresses with a port need brackets: "
        "``[2001:db8::1]:5353``.",
        ("has other characters than",): "Certbot lets such names pass; no CA on the web does.",
        ("longer than a name may be",): "DNS holds names of up to 253 characters, and "
        "``_acme-challenge.`` takes 16 of them. Such a name can be validated by HTTP alone.",
    },
    "The credentials file": {
        (
            "does not exist",
        ): "The path is mistyped, or the file has moved. A renewal file keeps the "
        "absolute path; ``certbot reconfigure`` with the new one corrects it.",
        ("cannot be read",): "Certbot runs as a user who may not open the file, or the path leads "
        "nowhere.",
        ("is a folder",): "The option wants the file itself.",
        ("must be a UTF-8 text file", "is not UTF-8 text"): "The file is something else, or was "
        "saved in another encoding, as some editors on Windows do.",
        ("; correct that line.",): "A line is not of the form ``key = value`` (a colon in place of "
        "the equals sign, say); a key or a section comes twice; a ``#`` or a quote leaves open "
        "where the value ends; or a character that nobody sees was copied along, which goes away "
        "when the line is typed anew. The line is not shown, since a secret may stand in it.",
        ("is a pipe that",): "A ``<(…)`` of the shell or a named pipe is read once, to its end. "
        "What writes it did not start, or does not end.",
        ("may be meant to set",): "Behind the sentences on what is missing, where a line looks "
        "like it: other plugins and tools call these keys by other names, and case, dashes and the "
        "prefix count.",
        ("are missing in", "There are no credentials"): "The file, or that section of it, has "
        "none of the settings that make credentials. They need these very names; what stands "
        "below a ``[section]`` counts for that section alone.",
        ("beside",): "Each kind of credentials wants all of its settings: "
        "`credentials <credentials.rst>`_ lists them.",
        ("do not go together",): "Settings of two kinds of credentials stand side by side, and "
        "which is meant cannot be told. Two accounts go into two sections.",
        ("is empty in",): "The key is there, and nothing is behind the equals sign. Only what may "
        "be left out may be empty.",
        ("contradict each other",): "``dns_aliyun_access_key`` and ``dns_aliyun_access_key_id`` "
        "are two names for one thing, and so are ``dns_aliyun_access_key_secret`` and "
        "``dns_aliyun_secret_key``.",
        (
            "holds a blank",
            "holds the character",
            "invisible character",
        ): "Most often something was copied along with the key: quotation marks of a text editor, "
        "a comment. The character is named by its number in Unicode. The value is not shown, since "
        "it may be the secret.",
        ("swap the two values",): "The two were pasted in the wrong order. Nothing was sent: an id "
        "goes over the wire as it is, and the secret must not.",
        ("must be a host name",): "Leave the key out, unless you reach the API by another host.",
        ("must be between 900",): "STS allows a quarter of an hour to twelve hours, and no more "
        "than the role itself does.",
        (
            "is of the form:",
        ): "The shape of a name of Alibaba Cloud's, which was cut off or mistyped.",
        ("is not valid JSON",): "An INI value is one line, so a policy must stand on one line.",
        ("not named by a domain",): "A section that holds keys of this plugin is for a zone: "
        "``[example.org]``. Other tools want a ``[default]``; here it goes.",
        ("lists something that is no name", "put it into the section whose"): "The list is for "
        "names in the section's own zone, those that CNAMEs of others may lead to: "
        "`delegation <delegation.rst>`_.",
        ("has two sections",): "``[例子.com]`` and ``[xn--fsqu00a.com]`` are the same zone.",
        (
            "did you mean",
            "; it is ignored.",
        ): "A warning: the line has no effect. A key that may "
        "be a value in the wrong place is not shown, since that may be a secret.",
        ("next refresh token could not be stored in",): "A warning. The disk became full, or the "
        "file unwritable, between the plugin's trial and the reply. The run goes on; the profile "
        "will not work again.",
        ("cannot be kept",): "Certbot writes the path into its renewal file, in UTF-8, and would "
        "fail there with the certificate already issued. Seen under the locale ``POSIX`` with "
        "Python's UTF-8 mode off, and for a name that is no UTF-8.",
        ("needs the extra packages",): "Roles, profiles and URIs go through Alibaba Cloud's own "
        "library, which the plain installation does not bring along. The sentence also comes where "
        "that library is of a release that the plugin does not know; the command installs one that "
        "it does.",
        ("No Alibaba Cloud credentials were found",): "Without ``--dns-aliyun-credentials`` the "
        "places are searched where Alibaba Cloud's own tools look. In parentheses stands what was "
        "tried. Under cron and systemd the environment and the home folder are not those of your "
        "shell.",
        ("No access key can be had now",): "Without ``--dns-aliyun-credentials``: what is set "
        "there does not work for the moment, and tries in a row did not help. The places after it "
        "are not searched, since their key may be another account's.",
        ("are used instead",): "A warning: the key may be of another account than the one that was "
        "meant. Set all that credentials of that kind need, or none of it. Alibaba Cloud's own "
        "tools pass them over, too.",
        ("Using the credentials of", "The access key comes from"): "No error; ``certbot -v`` tells "
        "it.",
    },
    "Adding": {
        ("Calls are being repeated",): "On the screen after ten seconds in which nothing has "
        "answered, and once until something does. Behind the colon stands the reason of the "
        "latest failure, as in the sentences above. There is nothing to do yet.",
        (
            "Going on without a name",
        ): "A warning, with Certbot's ``--allow-subset-of-names`` alone. "
        "Behind the colon stands why that name cannot be validated. The CA refuses it, and Certbot "
        "orders a certificate for the others; renewals are for those, too. Once the cause is "
        "mended, run ``certbot certonly`` with all names again.",
        ("No TXT record was added for",): "The hint about such a name, when the CA has refused it.",
        ("The CNAME records at",): "They lead in a circle, or too far (through more than eight "
        "names), or to a name that no zone at Alibaba Cloud DNS can hold: one with a blank, say, a "
        "slash, or a dot within a label. They are shown in their order. Correct the last one, so "
        "that it names a name at which the TXT record can stand.",
        ("must not choose which name",): "Whoever sets the CNAME chooses the name, and the name is "
        "yours: a TXT record there would take the place of a wildcard, or stand among records that "
        "are for something else. Nothing was added. A line with an asterisk, as in "
        "``*.acme.example.net``, is for all names below. `Delegation <delegation.rst>`_ says who "
        "controls what, and which names need no line.",
        ("must not choose what is written",): "The file has a section for each of two parties, and "
        "the CNAME of the one leads into a zone of the other. The section of the zone that takes "
        "the record is where the line belongs: `credentials <credentials.rst>`_. Nothing was "
        "added.",
        ("could not be seen either",): "It follows the reason where neither name servers nor the "
        "API tell whether the name is in use. The line makes that unnecessary; so does port 53, or "
        "a key that may call DescribeDomainRecords.",
        ("Because of a CNAME record",): "No error. It is said of each CNAME, so that you see what "
        "others let the plugin write, and where.",
        ("is not believed: over TCP",): "A warning. Packets of UDP are easy to forge, connections "
        "are not; so an answer with a CNAME is asked for again over TCP. If nobody forges, the "
        "zone's name servers are not of one mind, as they may be for a while after a change.",
        ("in no zone that could hold",): "The name that the CNAME leads to has one label or none.",
        ("Or remove the CNAME record",): "It follows the reason where a CNAME leads from the "
        "``_acme-challenge`` name to a zone that does not take the record.",
        ("is not known, as",): "The record may belong into another zone, to which a CNAME leads, "
        "and neither the zone's name servers nor the resolver said so; what the API thinks of the "
        "zones that were tried is of no account then. Look at the reason behind *as*: port 53 may "
        "be closed, name servers may be down or not serve the zone, or something in between may "
        "answer in their place. `Name servers <name-servers.rst>`_ tells more.",
        ("is served by Alibaba Cloud ESA",): "The zone was moved to ESA, another product, and its "
        "copy in Alibaba Cloud DNS still takes records. Nothing was added. "
        "`Delegation <delegation.rst>`_ shows the CNAME. Who knows better says so with "
        "``--dns-aliyun-name-servers`` or ``--dns-aliyun-wait-for nothing``.",
        ("certificate that Alibaba Cloud ESA manages",): "ESA was told to obtain a certificate for "
        "that name itself, and had you set the CNAME for it. Nothing was added.",
        ("could not be added",): "Why, is said behind the colon: see the sentences above. Where "
        "no zone took the record, all that were tried are named.",
    },
    "Waiting for the name servers": {
        (
            "Waiting until the name servers",
            "addresses of the name servers",
        ): "No error. The wait ends as soon as all of them serve "
        "the records. See `how it works <how-it-works.rst>`_.",
        (
            "After <waited> seconds, <progress>",
        ): "No error. It comes every 30 seconds, and names the addresses that lack a record.",
        ("for DNS changes to propagate",): "No error. It is what ``--dns-aliyun-wait-for nothing`` "
        "asks for.",
        ("looks like one of Alibaba Cloud DNS",): "A record in the console is of no use while the "
        "registry delegates the domain to somebody else's name servers. Give the registrar the "
        "name servers that the console shows, or put the challenge into another zone: "
        "`delegation <delegation.rst>`_. If your name servers only have names of their own, all "
        "is well.",
        (
            "in public DNS cannot be found out",
        ): "A warning. The name servers that it names are slow, or never end; where it names the "
        "resolver, that one is slow or dead: see ``/etc/resolv.conf``, or name another one with "
        "``--dns-aliyun-resolvers``.",
        ("No resolver answers",): "A warning. What this machine asks for names is not there, or a "
        "firewall is in between. Certbot itself may get on by ``/etc/hosts`` or a proxy.",
        ("The resolver tells no address of",): "A warning. Those name servers are left out; the "
        "CA may ask them all the same. Their names may be wrong in the zone or at the registrar.",
        ("of them are asked",): "A warning. No zone needs so many name servers; asking all of them "
        "would be an attack on somebody.",
        (
            "Public DNS knows no zone",
        ): "The servers of the top-level domain do not know the domain. "
        "As long as that is so, no CA can validate it.",
        (
            "another provider's",
        ): "Both are in the NS set of the zone, and the CA may ask either. Have "
        "the other provider copy the zone, or take it out of the set at the registrar.",
        ("Public DNS has a zone",): "A part of the domain is delegated to name servers of its own, "
        "and those will not have what is added above. Use the credentials of the account that "
        "has the zone below, or `delegation <delegation.rst>`_.",
        ("names other name servers of",): "No error. The resolver is that of a network with its "
        "own view of the zone (split horizon), or it remembers an old delegation.",
        ("can be asked from here",): "The resolver of this machine does not tell the zone's name "
        "servers, or they do not answer: many firewalls let no DNS out but to their own resolver. "
        "Allow UDP and TCP to port 53, or leave it: the fixed wait is "
        "``--dns-aliyun-propagation-seconds``.",
        ("answers in their place",): "A router, a VPN client or a proxy catches every question to "
        "port 53 and has a resolver of its own answer it. That one would remember an absence, so "
        "nothing is asked through it. Let this machine's questions to port 53 pass, or leave it: "
        "the fixed wait is ``--dns-aliyun-propagation-seconds``.",
        ("answers with authority for it (",): "The name servers can be reached, and do not serve "
        "the zone: each has its own words in the parentheses. REFUSED and answers without "
        "authority mean that the zone is not there (any more); SERVFAIL mostly passes.",
        (
            "at that name; remove old values",
            "so a CA may never see the one",
        ): "Users of Alidns report that its name servers give no more than about eight TXT values "
        "of one name, whatever the console lists. Each name in the certificate needs one; what was "
        "left by other programs counts, too. `Delegation <delegation.rst>`_ advises one target for "
        "each name.",
        (
            "is not known:",
        ): "A warning after such a fixed wait. If the CA does not find the record, wait longer.",
        (
            "but no name server",
        ): "Those name servers are not Alibaba Cloud's, as a rule: the domain "
        "is delegated somewhere else than the console says, or was moved a short while ago. Or "
        "this machine's resolver gives name servers that only the inside of your network knows. "
        "Compare ``dig NS example.com`` with the console.",
        ("Going on although",): "A warning. Some addresses serve the records and some do not, or "
        "do not answer at all. The CA may ask any of them; if it says no, the named ones are where "
        "to look.",
    },
    "When the CA says no": {
        ("that can be reached have served the TXT records since",): "The record was where it "
        "should be when this machine looked. The CA has asked other servers, then: it follows the "
        "delegation in the registry, and this machine's resolver may not (split horizon).",
        ("Only from some of its places",): "CAs look from several places in the world, and most of "
        "them must see the record. The first one did, others did not, or got no answer in time. "
        "That mostly passes; if it does not, ask who runs the name servers, or a firewall before "
        "them, whether they turn some countries away.",
        ("No name server was asked",): "``--dns-aliyun-wait-for nothing`` was set, so nobody knows "
        "what the name servers served.",
        ("CAA keeps the CA from issuing",): "CAA records say which CAs may issue for a name and "
        "all names below it that have none of their own (RFC 8659). The sentence shows the ones "
        "that count, where they stand, and what is missing. They are not this plugin's: change "
        "them where that zone is served. Let's Encrypt reads them to the letter: a value that is "
        "malformed names nobody, nor does one with capitals in the name of the CA, and 1 makes a "
        "property critical as 128 does.",
        ("let one account of the CA alone",): "A record with an ``accounturi`` (RFC 8657) was "
        "written for another account with the CA than the one that Certbot has here.",
        ("No CAA record that keeps",): "The CA says that CAA records forbid it, and this machine's "
        "resolver sees none that do. One of the two remembers what was there before.",
        ("cannot be seen from here: the resolver",): "The CA has seen a CAA record that forbids "
        "it, and this machine cannot look.",
        ("cannot be looked up: nobody answers",): "A CA that gets no answer to its question for "
        "CAA records must not issue. Name servers that know no CAA records must still answer that "
        "there are none; some old ones do not.",
        ("got no answer about the CAA records",): "It mostly passes.",
        ("The DNSSEC of",): "A DS record at the registry promises that the zone is signed. Since "
        "2026 all CAs check that, and take no answer of a zone that does not keep the promise, nor "
        "do many resolvers. It happens when a signed domain moves to other name servers, or when "
        "DNSSEC is turned off for the zone and not at the registrar.",
        ("The CA's rate limit",): "Certificates, failures and accounts are counted by the CA. Each "
        "failed try counts, so find the reason with ``--dry-run``.",
        ("The CA had trouble",): "An internal error of the CA.",
        ("whatever its records are",): "CAs turn some names away by policy.",
        ("The records are not the reason", "What was said above"): "The sentence of the CA, or "
        "that of the plugin further up, tells what to do.",
        ("but these did not",): "The CA may have asked one of the others.",
        ("could be asked from here, so",): "The fixed wait was too short, or the domain is "
        "delegated somewhere else.",
    },
    "The command certbot-dns-aliyun": {
        ("is not a domain name",): "``-d`` takes names as they stand in a certificate, and "
        "``--zone`` zones as the console shows them.",
        ("needs a name (-d)", "takes names (-d)"): "The command would not know where to look.",
        ("<number> other TXT values stand at <name>, and",): "A warning of ``check``. "
        "`Stale records <commands/stale.rst>`_ says how to find and remove them.",
        (
            "is not proved",
            "was added to the zone",
            "was removed again",
            "stands in the way",
            "but not all was checked",
            "record belongs at",
            "CAA lets the CA",
            "on the way has broken",
            "<number> other TXT values stand at <name>.",
            "Certbot renews it",
            "autorenew is False",
            "would not add a record there",
            "no record to wait for",
            "does not tell the time",
            "machine is as that of",
            "that would have the record is not known",
        ): "No error; `check <commands/check.rst>`_ says it of what is as it should be, or of what "
        "it was told to leave out.",
        (
            "renews no certificate in",
        ): "A warning of ``check --all``. ``--config-dir`` names the folder, "
        "if Certbot has another one.",
        ("Certbot has no certificate",): "``certbot certificates`` lists their names.",
        (
            "is of no use to Certbot",
            "renewal file is gone",
        ): "``certbot renew`` skips such a file, and the certificate expires.",
        (
            "still says <_LEGACY>",
        ): "That is the plugin's name in renewal files of 0.38.1 and older.",
        ("so the API refuses every call", "on, calls are refused"): "Each call is signed with the "
        "time. ``timedatectl`` tells whether the clock is set by NTP.",
        ("This could not be looked into",): "A fault of this plugin; please report it, with what "
        "``-vv`` tells.",
        ("There is no access key for",): "Why, is said behind the colon: see the sentences above.",
        ("Others on this machine may read",): "Who can read the file can have certificates for "
        "your names.",
        (
            "Not all name servers serve it",
        ): "A warning of ``check``: a run would go on, and the CA may ask one of those servers.",
        (
            "CAA records are not known",
            "The DNSSEC is not known",
            "name CAs, and whether this one",
        ): "A warning of ``check``: the CA may see more than this machine.",
        (
            "cannot be told: <why>",
            "Name it with --zone",
        ): "No name server told in which zone the record would stand. "
        "Name the zone yourself, or have a look at the resolver.",
        ("There is no policy for",): "The credentials file has sections, and none of them is for "
        "that zone.",
        ("needs --yes where nobody",): "In a script nobody can answer, so say yes beforehand.",
        ("could not be listed", "Stale TXT records of"): "Why, is said behind the colon: see the "
        "sentences above.",
        ("stale TXT record",): "No error. `Stale records <commands/stale.rst>`_ says what counts "
        "as one.",
    },
    "Cleaning up": {
        (
            "of an earlier run could not be removed",
            "not told again",
        ): "A run was killed, and what it left cannot be "
        "removed with the credentials of this run, or not now. The journal keeps it, as the next "
        "run may have the right ones; it is told twice, and tried for 90 days after that.",
        (
            "<value> could not be removed",
        ): "Why, is said behind the colon: see the sentences above. A "
        "certificate that was issued is not affected, and the record does no harm.",
        ("its id never arrived",): "The reply to an add was lost, and with a key that may not call "
        "DescribeDomainRecords there is no way to find the record. Look in the console. Where "
        "several names were tried as zones, as DNS did not tell which one is, there may be no such "
        "zone, and then nothing to remove.",
        (
            "> is left.",
            "as it was being added",
        ): "The removal was broken off, by a second Ctrl-C, say. The journal lists the record.",
        ("may be left (<fault>)",): "A fault of this plugin; please report it with Certbot's log.",
        (
            "tries to remove it; by hand",
        ): "The end of such sentences: the journal lists the record for "
        "the next run, or, where only ``By hand`` is said, no journal could be written. ``aliyun`` "
        "is the command line of Alibaba Cloud.",
        ("There is nothing to remove",): "DNS did not tell the zone of the name, so the record may "
        "have been added to a name that is none.",
        ("Ctrl-C leaves them",): "The first Ctrl-C during the removal waits until it is done. A "
        "second one ends it; the next run removes what is left, as the journal lists it.",
        ("of an earlier run may be left",): "A run was killed, and a key that may not call "
        "DescribeDomainRecords cannot find out what became of its record, unless it is the very "
        "key that added it.",
        ("Waiting <seconds> seconds: a call of a run",): "No error: a run was killed less than "
        "20 seconds ago. Alibaba Cloud may carry out a call after its caller is gone, and what is "
        "removed before that would come back.",
        ("of an earlier run is removed", "that an earlier run had left"): "No error: a run "
        "was killed, and this one has cleaned up after it. ``certbot -v`` tells of each record.",
        ("are left to the next run",): "A warning. Removing what earlier runs left takes a minute "
        "at most, and ends when the API does not answer, so that it holds up no certificate.",
        ("cannot be written",): "A warning. Certbot's config folder (``--config-dir``) is full or "
        "read-only. The run goes on; but no other run looks for what this one cannot remove, or "
        "leaves when it is killed.",
        ("No journal is kept",): "A warning. Who can write to ``dns-aliyun`` in Certbot's config "
        "folder could have records removed, so it must be a folder of the user who runs Certbot, "
        "of root, or of whoever owns the config folder, and no link.",
        ("Others could write to",): "A warning. The folder's mode was changed, by ``chmod -R``, "
        "say. It is right again, and nobody can have made the plugin remove anything.",
        ("is set aside unread",): "A warning. Others could have written the file, as its owner or "
        "its mode says, or it is no plain file. It now ends in ``.damaged``. If a run was killed "
        "just before, look for its records at ``_acme-challenge`` in the console.",
        ("is damaged",): "A warning. The machine went down while the journal was written, or it is "
        "from another machine's backup, or somebody else wrote to it. It now ends in ``.damaged``, "
        "and may be removed.",
    },
}

#: What stands for an expression in a sentence, where its last name would not tell.
FILLED_IN = {
    "_PLACES_TIMEOUT": "45",
    "PREFIX": PREFIX,
    "_PIPE_LIMIT": "10",
    "_hints([top, *sections])": "",
    "DEFAULT_ENDPOINT": DEFAULT_ENDPOINT,
    "_DAY": str(24 * 60 * 60),
    "_named(given)": "<keys>",
    "_named(missing)": "<keys>",
    "verb": "is",
    "settings.get(name)": "<value>",
    "words.progress(watches)": "<progress>",
    "min(watch.unserved)": "<name>",
    "len(cap.known)": "<number>",
    "cap.size": "<number>",
    "len(watch.complete)": "<number>",
    "how": "The next run that adds records tries to remove it; by hand",
    "if_none": "",
    "zone if place.is_elsewhere else ''": "",
    "error.because()[0]": "<reason>",
    "error.because()[1]": "<advice>",
    "or_else": "raise --dns-aliyun-wait-limit",
    "TARGETS": "delegation_targets",
    "own.zone": "<zone>",
    "other.zone": "<zone>",
    "place.chain[0]": "<name>",
    "place.chain[-2]": "<name>",
    "cname": "The CNAME record at <name> leads to <name> (<chain>)",
    "who": "who controls <zone>",
    "line": "If that is meant, add `dns_aliyun_delegation_targets = <name>` to <file>",
    "doubt": "",
    "telling.details": " (<code>)",
    "f'{mode:04o}'": "<mode>",
    "first": "<names>",
    "more": "",
    "place.unread": "<reason>",
    "elsewhere": "",
    "_names(watch)": "<name servers>",
    "self.chain[0]": "<name>",
    "candidates[0]": "<zone>",
    "why_unknown(place)": "<reason>",
    "len(others)": "<number>",
    "led": "",
    "text": "<text>",
    "len(zone.stale)": "<number>",
    "type(error).__name__": "<fault>",
    "_install_command()": "<command>",
    "hidden": "<character>",
    "_code_point(odd[0])": "<character>",
}

_SAYING = (
    *("PluginError", "OneNameError", "NotInstalledError", "sentence"),
    *("notify", "_notify", "_tell", "warning", "info"),
)
_NOT_SAID = ("add_parser_arguments", "more_info", "parser")
_FORMAT = re.compile(r"%[.\d]*[sdf]")

INTRODUCTION = f"""
.. Written by docs/make_errors.py from the code; edit that, then run it.

Every sentence, and what to do
==============================

A sentence says what could not be done, why, in parentheses Alidns' own code and the request id
that Alibaba Cloud's support can look up, and what to do::

   The TXT record _acme-challenge.example.com could not be added: the zone example.com is locked
   (Forbidden.DomainLocked, request id 536E9CAD-DB30-4647-AC87-AA5CC38C5382); unlock it in the
   Alibaba Cloud DNS console.

Paste the sentence, as it is, into the search of the `site
<https://certbot-dns-aliyun.readthedocs.io>`_, or search this page for its code. ``<zone>`` and the
like stand for what is filled in. Certbot's log (``/var/log/letsencrypt/letsencrypt.log``) names the
entry of each sentence, the end of an address of this page (``errors.html#forbidden-ram``), and has
a line for each call, with its code, HTTP status, request id and time; access keys and signatures
are not in it.

`certbot-dns-aliyun check <commands/check.rst>`_ goes the same way without the CA, name by name, and
says which permission lacks, who serves the record, and what stands in the way of the CA.

What may pass is tried again before you read of it: until nothing has helped for
{PATIENCE:.0f} seconds. Those sentences are marked with |again|.

.. |again| replace:: **(tried again)**
""".strip()


def guide() -> str:
    """Give the text of errors.rst."""
    parts = [INTRODUCTION, *_about_codes(), *_about_sentences(list(sentences()))]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Give the text of guide.json: patterns, each with the entry of what it matches, in turn."""
    codes = [(_code_pattern(code), _slug(code)) for code, _ in _meanings() if isinstance(code, str)]
    reasons = [
        (_pattern(_filled(meaning.reason)), _slug(code.name))
        for code, meaning in _meanings()
        if not isinstance(code, str)
    ]
    said = [
        (_pattern(each), _slug(words[0]))
        for notes in SENTENCES.values()
        for words in notes
        for each in words
    ]
    # Codes that are known by their form come after those with a sentence of their own.
    codes.sort(key=lambda each: "[" in each[0][:-4])
    reasons.sort(key=lambda each: -len(each[0]))
    return json.dumps([*codes, *reasons, *said], indent=0) + "\n"


def _code_pattern(code: str) -> str:
    known, form, _ = code.partition("…")
    return re.escape(f"({known}") + (r"[\w.]+" if form else "") + "[,)]"


def _pattern(text: str) -> str:
    """Give a pattern for a sentence, or for a part of one, that may begin within a placeholder."""
    text = re.sub(r"^[^<>]*>|<[^<>]*$", "", text)
    parts = re.split("<[^<>]+>", text)
    return ".+?".join(re.escape(part).replace(r"\ ", r"\s+") for part in parts)


def sentences() -> Iterator[str]:
    """Find what the code says to users in other places than the table of error codes."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "errors.py":
            yield from _sentences_in(ast.parse(path.read_text(encoding="utf-8")))


def _meanings() -> Iterator[tuple[Code, Meaning]]:
    yield from MEANINGS.items()
    for code, status in KNOWN_BY_FORM.items():
        yield code, meaning_of(code, status)


def _about_codes() -> Iterator[str]:
    groups: dict[Meaning, list[Code]] = {}
    for code, meaning in _meanings():
        groups.setdefault(meaning, []).append(code)
    for topic, notes in CODES.items():
        yield _heading(topic)
        for code, note in notes.items():
            meaning = meaning_of(code, KNOWN_BY_FORM.get(str(code), 400))
            codes = groups.pop(meaning)
            yield _anchors(code if isinstance(code, str) else code.name for code in codes)
            yield _entry(_codes(codes), _said(meaning), note)
    if groups:
        raise SystemExit(f"make_errors.py has no note on {list(groups.values())}")


def _codes(codes: Iterable[Code]) -> str:
    """Give the API's codes of a meaning; our own never reach the user as such."""
    return ", ".join(f"``{code}``" for code in codes if isinstance(code, str))


def _said(meaning: Meaning) -> str:
    said = f"``… {_filled(meaning.reason)}; {_filled(meaning.advice)}.``"
    return said + (" |again|" if meaning.verdict in PASSING else "")


def _filled(text: str) -> str:
    words = {
        "zone": "<zone>",
        "source": "<origin>",
        "key": "the access key from <origin>",
        "origin": "<origin>",
        "detail": " (<detail>)",
        "action": "<action>",
        "proxy": "<variable>",
        "host": "<host>",
        "port": "<port>",
        "status": "",
        "clock": " by <n> seconds",
    }
    return text.format(**words)


def _about_sentences(said: list[str]) -> Iterator[str]:
    for topic, notes in SENTENCES.items():
        yield _heading(topic)
        for words, note in notes.items():
            found = [text for text in said if any(each in text for each in words)]
            if not found:
                raise SystemExit(f"make_errors.py has a note on {words}, which the code never says")
            said = [text for text in said if text not in found]
            yield _anchors(words[:1])
            yield _entry("", "\n\n".join(f"``{text}``" for text in dict.fromkeys(found)), note)
    if said:
        raise SystemExit(f"make_errors.py has no note on {said}")


def _anchors(names: Iterable[str]) -> str:
    """Give a target for each code, or for the words that tell a sentence from all others."""
    return "\n".join(f".. _{_slug(name)}:" for name in names)


def _slug(name: str) -> str:
    """Give a code, or words, as the fragment of an address: docutils would change no letter."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _heading(topic: str) -> str:
    return f"{topic}\n{'-' * len(topic)}"


def _entry(codes: str, said: str, note: str) -> str:
    head = f"{codes}\n\n" if codes else ""
    paragraphs = (head + said).split("\n\n")
    body = [_fill(paragraph) for paragraph in paragraphs]
    return "\n\n".join([*body, textwrap.indent(_fill(note), "   ")])


def _fill(text: str) -> str:
    return textwrap.fill(text, 96, break_long_words=False, break_on_hyphens=False)


def _sentences_in(tree: ast.AST) -> Iterator[str]:
    for function in ast.walk(tree):
        if (
            isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            and function.name not in _NOT_SAID
        ):
            yield from _Said(function).sentences()


class _Said:
    """What one function says to users."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._function = function
        self._variables = {
            _name(node.targets[0]): node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr)
        }
        self._parts = {
            id(part)
            for node in ast.walk(function)
            if isinstance(node, ast.JoinedStr)
            for part in list(ast.walk(node))[1:]
        }

    def sentences(self) -> Iterator[str]:
        """Find what is shown, logged or raised, and what is handed on as a whole sentence."""
        documentation = ast.get_docstring(self._function, clean=False)
        for node in ast.walk(self._function):
            if isinstance(node, ast.Call) and _name(node.func) in _SAYING and node.args:
                text = self._text(node.args[0])
                for argument in node.args[1:]:
                    text = _FORMAT.sub(self._placeholder(argument), text, count=1)
            elif isinstance(node, ast.Yield) and node.value:
                text = self._text(node.value)
                if not text[:1].isupper():
                    continue
            elif id(node) not in self._parts and isinstance(node, (ast.JoinedStr, ast.Constant)):
                text = self._text(node)
                if not text.endswith(".") or _FORMAT.search(text):
                    continue
            else:
                continue
            if text.count(" ") > 1 and text != documentation:
                yield text.strip()

    def _text(self, node: ast.AST) -> str:
        """Give the text of a string, with names in angle brackets for what is filled in."""
        if isinstance(node, ast.Name) and node.id in self._variables:
            return self._text(self._variables[node.id])
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text(part) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._placeholder(node.value)
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    def _placeholder(self, node: ast.AST) -> str:
        return self._text(node) or FILLED_IN.get(ast.unparse(node), f"<{_name(node)}>")


def _name(node: ast.AST) -> str:
    """Give the last name in an expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    return names[-1] if names else ""


if __name__ == "__main__":
    GUIDE.write_text(guide(), encoding="utf-8")
    INDEX.write_text(index(), encoding="ascii")
