"""What a person is told about the wait: which sentence when, and with which names in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest

from certbot_dns_aliyun.propagation import words
from certbot_dns_aliyun.propagation.follower import Cap
from certbot_dns_aliyun.propagation.question import NameServer, Outcome
from certbot_dns_aliyun.propagation.watch import Limits

NAME = "_acme-challenge.example.com"
ALIDNS = NameServer("ns1.alidns.com", "192.0.2.1")
OTHER = NameServer("ns1.provider.example", "192.0.2.2")
LIMITS = Limits(600.0, 30.0, 60.0)


@dataclass
class Follower:
    server: NameServer
    outcome: Outcome | None = None
    missing: dict[str, None] = field(default_factory=dict)
    is_complete: bool = False


@dataclass
class Watch:
    """A zone's watch as it is at one moment."""

    zone: str = "example.com"
    servers: list[NameServer] = field(default_factory=lambda: [ALIDNS])
    followers: list[Follower] = field(default_factory=list)
    is_blind: bool = False
    is_absent: bool = False
    is_elsewhere: bool = False
    switched: bool = False
    added_to: str | None = None
    complete: list[NameServer] = field(default_factory=list)
    incomplete: dict[NameServer, str] = field(default_factory=dict)
    caps: dict[str, Cap] = field(default_factory=dict)
    lacking: str = ""
    unserved: set[str] = field(default_factory=set)
    served_since: datetime | None = None


def notices(watch: Any, waited: float = 60.0, ended: bool = False) -> list[str]:
    return list(words.notices(watch, waited, ended, LIMITS))


def blind(*outcomes: Outcome | None, **more: Any) -> Watch:
    followers = [Follower(ALIDNS, outcome) for outcome in outcomes]
    return Watch(is_blind=True, followers=followers, **more)


def cap(size: int = 8, known: int = 9) -> Cap:
    return Cap(size, {str(n) for n in range(known)}, 0.0)


def test_nothing_is_told_of_a_wait_as_it_should_be() -> None:
    assert notices(Watch(complete=[ALIDNS])) == []


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (blind(is_absent=True, servers=[]), "Public DNS knows no zone example.com"),
        (blind(Outcome.SILENT, is_absent=True), "is port 53 closed"),
        (blind(servers=[]), "is port 53 closed"),
        (blind(None, Outcome.SILENT, Outcome.UNREACHABLE), "is port 53 closed"),
        (blind(Outcome.SILENT), "is port 53 closed"),
        (blind(Outcome.SILENT, Outcome.INTERCEPTED), "would remember"),
        (
            blind(Outcome.SILENT, Outcome.REFUSING, lacking="ns1 refuses"),
            "No name server of example.com answers with authority for it (ns1 refuses)",
        ),
    ],
)
def test_why_no_name_server_tells(watch: Watch, told: str) -> None:
    (sentence,) = notices(watch)
    assert told in sentence
    assert "aiting 30 seconds" in sentence


@pytest.mark.parametrize(
    ("waited", "ended", "servers", "is_told"),
    [
        (5.9, False, [ALIDNS], False),
        (6.0, False, [ALIDNS], True),
        (5.9, True, [ALIDNS], True),
        (0.1, False, [], True),
    ],
)
def test_silence_takes_some_seconds_to_be_told(
    waited: float, ended: bool, servers: list[NameServer], is_told: bool
) -> None:
    watch = blind(Outcome.SILENT, servers=servers)
    assert bool(notices(watch, waited, ended)) == is_told


def test_who_answers_for_all_and_who_is_not_there_are_told_at_once() -> None:
    assert notices(blind(Outcome.INTERCEPTED), waited=0.1)
    assert notices(blind(is_absent=True, servers=[]), waited=0.1)


def test_a_zone_of_its_own_below_that_of_the_record_is_told_at_once() -> None:
    (sentence,) = notices(Watch(added_to="com", complete=[ALIDNS]), waited=0.0)
    assert "a zone example.com of its own (at ns1.alidns.com)" in sentence
    assert "stands in com," in sentence
    assert not notices(Watch(added_to="com", switched=True), waited=0.0)


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (
            Watch(is_elsewhere=True, servers=[OTHER]),
            "None of the name servers of example.com (ns1.provider.example) looks like",
        ),
        (Watch(switched=True), "those of the registry (ns1.alidns.com)"),
    ],
)
def test_doubts_are_told_after_three_seconds(watch: Watch, told: str) -> None:
    assert notices(watch, waited=2.9) == []
    (sentence,) = notices(watch, waited=3.0)
    assert told in sentence


def test_another_providers_servers_that_serve_a_value_are_beyond_doubt() -> None:
    assert notices(Watch(is_elsewhere=True, servers=[OTHER], complete=[OTHER])) == []


@pytest.mark.parametrize(
    ("waited", "complete", "incomplete", "is_told"),
    [
        (9.9, [ALIDNS], [OTHER], False),
        (10.0, [ALIDNS], [OTHER], True),
        (10.0, [OTHER], [OTHER], False),
        (10.0, [ALIDNS], [ALIDNS], False),
        (10.0, [], [OTHER], False),
    ],
)
def test_whoever_is_waited_for_beside_alidns_is_told_after_ten_seconds(
    waited: float, complete: list[NameServer], incomplete: list[NameServer], is_told: bool
) -> None:
    watch = Watch(complete=complete, incomplete=dict.fromkeys(incomplete, "does not serve it"))
    told = notices(watch, waited)
    assert bool(told) == is_told
    assert not told or "another provider's (ns1.provider.example) do not" in told[0]


def test_values_that_are_left_out_are_told() -> None:
    (sentence,) = notices(Watch(caps={NAME: cap()}))
    assert f"give only 8 of at least 9 TXT values at {NAME}" in sentence


# Progress


def some_way(*others: Any) -> list[Any]:
    lacking = {ALIDNS: "does not serve the value yet", OTHER: "does not answer"}
    followers = [
        Follower(NameServer("ns0.alidns.com", "192.0.2.9"), missing={}, is_complete=True),
        Follower(ALIDNS, missing={"a": None}),
        Follower(OTHER, missing={"a": None, "b": None}),
    ]
    return [Watch(complete=[ALIDNS], incomplete=lacking, followers=followers), *others]


def test_progress_counts_addresses_and_names_those_that_lack_something() -> None:
    not_counted = Watch(is_blind=True, complete=[ALIDNS], incomplete={OTHER: "?"})
    assert words.progress(some_way(not_counted)) == (
        "1 of 3 name server addresses serve all TXT records; ns1.alidns.com (192.0.2.1) does not "
        "serve the value yet; ns1.provider.example (192.0.2.2) does not answer"
    )
    done: Any = Watch(complete=[ALIDNS, OTHER])
    assert words.progress([done]) == "2 of 2 name server addresses serve all TXT records"


def test_the_line_names_the_server_that_lacks_most() -> None:
    line = "1 of 3 addresses serve all records, 1.2 s, waiting for ns1.provider.example"
    assert words.progress_line(some_way(), 1.24) == line
    done: Any = Watch(complete=[ALIDNS], followers=[Follower(ALIDNS, is_complete=True)])
    assert words.progress_line([done], 2.0) == "1 of 1 addresses serve all records, 2.0 s"


# The end


def conclude(watch: Any) -> list[str]:
    return [str(error) for error in words.conclude(watch, 61.7)]


def test_a_name_that_is_served_nowhere_is_told_with_what_the_servers_do() -> None:
    other = "_acme-challenge.www.example.com"
    sentences = conclude(Watch(unserved={other, NAME}, lacking="ns1 does not serve it"))
    assert [sentence.split()[3] for sentence in sentences] == [NAME, other]
    assert "no name server of example.com served it within 62 seconds" in sentences[0]
    assert "(ns1 does not serve it)" in sentences[0]
    assert sentences[0].endswith("or raise --dns-aliyun-wait-limit.")


def test_at_another_provider_the_way_out_is_to_name_the_servers() -> None:
    (sentence,) = conclude(Watch(unserved={NAME}, is_elsewhere=True))
    assert sentence.endswith("or name these by --dns-aliyun-name-servers if they are its own.")


def test_a_value_among_too_many_is_told_as_that() -> None:
    (sentence,) = conclude(Watch(unserved={NAME}, caps={NAME: cap(8, 11), "other": cap()}))
    assert NAME in sentence
    assert "of example.com give only 8 of at least 11 values" in sentence


def test_who_is_blind_or_sees_all_says_no_more_than_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    assert conclude(Watch(is_blind=True, unserved={NAME})) == []
    assert conclude(Watch(complete=[ALIDNS, OTHER])) == []
    blind_line, good_line = caplog.records
    assert (blind_line.levelname, good_line.levelname) == ("WARNING", "INFO")
    assert "the TXT records in example.com is not known" in blind_line.getMessage()
    assert good_line.getMessage() == (
        "2 addresses of the name servers of example.com serve the TXT records, after 61.7 seconds"
    )


# When the CA says no

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
NINE = [NameServer("ns1.alidns.com", f"192.0.2.{n}") for n in range(9)]


def hint(watch: Any, **more: Any) -> str:
    return words.hint(watch, **more)


def test_all_have_served_it() -> None:
    sentence = hint(Watch(complete=NINE, served_since=SINCE))
    assert sentence.startswith("All of the name servers of example.com that can be reached have")
    assert "since 2026-01-02 03:04:05 UTC" in sentence
    assert "192.0.2.7" in sentence
    assert "192.0.2.8" not in sentence
    assert "registry" in sentence


def test_the_ca_saw_it_from_some_places() -> None:
    sentence = hint(Watch(complete=[ALIDNS], served_since=SINCE), from_elsewhere=True)
    assert "ns1.alidns.com (192.0.2.1) of example.com have served" in sentence
    assert "since 2026-01-02 03:04:05 UTC" in sentence
    assert "firewall" in sentence


@pytest.mark.parametrize(("since", "lacking"), [(None, ""), (None, "ns2 lacks it"), (SINCE, "ns2")])
def test_some_did_not_serve_it(since: datetime | None, lacking: str) -> None:
    watch = Watch(complete=[ALIDNS], served_since=since, lacking=lacking)
    for sentence in (hint(watch), hint(watch, from_elsewhere=True)):
        assert sentence.startswith("Of the name servers of example.com these served")
        assert "ns1.alidns.com (192.0.2.1); but these did not" in sentence
        assert sentence.endswith(f": {lacking}.")


def test_none_could_be_asked() -> None:
    sentence = hint(Watch(is_blind=True, served_since=SINCE))
    assert sentence.startswith("None of the name servers of example.com could be asked")


def test_servers_are_named_once_and_eight_at_most() -> None:
    servers = [NameServer(f"ns{n}.example", f"192.0.2.{n}") for n in range(9)]
    (sentence,) = notices(Watch(switched=True, servers=[*servers, *servers]))
    assert "ns7.example" in sentence
    assert "ns8.example" not in sentence
    assert sentence.count("ns0.example") == 1


def test_who_is_gone_on_without_is_told_once_for_all_zones_alike(
    caplog: pytest.LogCaptureFixture,
) -> None:
    some: Any = [
        Watch("a.example", lacking="ns1 lacks it"),
        Watch("b.example", lacking="ns1 lacks it"),
        Watch("c.example", lacking="ns2 lacks it"),
        Watch("d.example", lacking="ns3 does not answer", is_blind=True),
        Watch("e.example"),
    ]
    words.warn_of_incomplete(some)
    assert [record.getMessage().partition("servers of ")[2] for record in caplog.records] == [
        "a.example, b.example serve the TXT records: ns1 lacks it.",
        "c.example serve the TXT records: ns2 lacks it.",
    ]


def test_three_zones_are_named_and_more_are_counted() -> None:
    assert words.some_of(["a", "b", "c"]) == "a, b, c"
    assert words.some_of(["a", "b", "c", "d"]) == "a, b, c and 1 more zones"
