"""What a user reads when the API refuses: what, for which name, the code, and what to do."""

from __future__ import annotations

import datetime
import time

import pytest
import trustme

from tests.end_to_end.helpers import RECORD, MakeWorld, assert_refused
from tests.world import EVERYTHING, Key, World, present_certificate, zone_policy

FAILED = f"The TXT record {RECORD} could not be added"


@pytest.mark.newest
def test_a_wrong_access_key(world: World) -> None:
    ini = world.credentials_ini(Key())
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_refused(outcome, FAILED, "InvalidAccessKeyId.NotFound", str(ini))


@pytest.mark.newest
def test_a_wrong_secret(world: World) -> None:
    ini = world.credentials_ini(Key(id=world.key.id))
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_refused(outcome, FAILED, "SignatureDoesNotMatch", str(ini), "secret")


def test_a_missing_permission_is_named_with_its_resource(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key(zone_policy("example.com", actions=["DescribeDomainRecords"]))])
    outcome = world.issue("example.com")
    assert_refused(
        outcome,
        FAILED,
        "Forbidden.RAM",
        "alidns:AddDomainRecord on acs:alidns:*:*:domain/example.com",
    )
    assert "AccessDeniedDetail" not in outcome.log_text


@pytest.mark.newest
def test_a_zone_that_is_in_no_account(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key(EVERYTHING)])
    world.add_zone("example.net", hosted=False)
    outcome = world.issue("www.example.net")
    assert_refused(
        outcome,
        "_acme-challenge.www.example.net",
        "the zone example.net",
        "is not in the Alibaba Cloud account",
        "InvalidDomainName.NoExist",
    )


@pytest.mark.newest
def test_a_disabled_access_key(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key(active=False)])
    assert_refused(world.issue("example.com"), FAILED, "InvalidAccessKeyId.Inactive", "RAM console")


@pytest.mark.newest
def test_a_temporary_key_without_its_token(make_world: MakeWorld) -> None:
    key = Key.temporary()
    world = make_world(keys=[key])
    ini = world.credentials_ini(Key(id=key.id, secret=key.secret))
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_refused(outcome, FAILED, "MissingSecurityToken", "dns_aliyun_security_token")


@pytest.mark.newest
def test_a_temporary_key_that_has_run_out(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key.temporary(seconds=0)])
    outcome = world.issue("example.com")
    assert_refused(outcome, FAILED, "InvalidSecurityToken.Expired", "token")


@pytest.mark.newest
def test_a_token_of_another_key(make_world: MakeWorld) -> None:
    world = make_world(keys=[Key.temporary()])
    ini = world.credentials_ini(security_token="CAIS" + "x" * 40)
    outcome = world.certbot.run(*world.certonly("example.com", ini=ini))
    assert_refused(outcome, FAILED, "InvalidSecurityToken", "token", str(ini))


@pytest.mark.newest
@pytest.mark.parametrize(
    ("standing", "code", "advice"),
    [
        ({"expired": True}, "Forbidden.DomainExpired", "renew it at its registrar"),
        ({"locked": True}, "Forbidden.DomainLocked", "unlock it"),
        ({"quota": 1}, "QuotaExceeded.Record", "remove records that nobody needs"),
        ({"min_ttl": 3600}, "QuotaExceeded.TTL", "plan"),
    ],
)
def test_a_zone_that_takes_no_record(
    make_world: MakeWorld, standing: dict[str, int], code: str, advice: str
) -> None:
    world = make_world([], keys=[Key(EVERYTHING)])
    world.add_zone("example.com", **standing)
    world.records.add_stranger("example.com", "_acme-challenge", "the only one that fits")
    outcome = world.issue("example.com")
    assert_refused(outcome, FAILED, code, advice)
    assert not world.records.made()


@pytest.mark.newest
def test_a_cname_in_the_way_that_only_the_api_knows_yet(make_world: MakeWorld) -> None:
    world = make_world(lags=(60,))
    world.records.add_stranger("example.com", "_acme-challenge", "x.example.net", type="CNAME")
    assert_refused(world.issue("example.com"), FAILED, "DomainRecordConflict", "CNAME")


@pytest.mark.newest
def test_a_cname_that_leads_into_somebody_elses_zone(world: World) -> None:
    world.records.add_stranger("example.com", "_acme-challenge", "x.example.net", type="CNAME")
    time.sleep(world.slowest_lag)
    assert_refused(world.issue("example.com"), "could not be added", RECORD, "x.example.net")


@pytest.mark.newest
def test_a_clock_that_is_off_by_an_hour(world: World) -> None:
    world.alidns.clock_offset = 3600
    assert_refused(world.issue("example.com"), FAILED, "clock", "InvalidTimeStamp.Expired")


@pytest.mark.newest
def test_a_name_in_a_script_that_the_api_does_not_accept(world: World) -> None:
    name = "xn--bcher-kva.example.com"  # bücher
    outcome = world.issue(name)
    assert_refused(outcome, f"_acme-challenge.{name}", "SubDomainInvalid.RR")


@pytest.mark.newest
def test_a_certificate_of_an_unknown_authority(world: World) -> None:
    present_certificate(world.alidns.tls, "alidns.aliyuncs.com", authority=trustme.CA())
    outcome = world.issue("example.com")
    assert_refused(outcome, FAILED, "certificate", "alidns.aliyuncs.com", "REQUESTS_CA_BUNDLE")
    assert not world.alidns.calls


YEAR_AGO, HOUR_AGO, IN_AN_HOUR, IN_A_YEAR = (
    datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    for hours in (-8760, -1, 1, 8760)
)


@pytest.mark.newest
@pytest.mark.parametrize(
    ("host", "dates", "words", "logged"),
    [
        ("alidns.aliyuncs.com", (YEAR_AGO, HOUR_AGO), "has expired", "certificate has expired"),
        ("alidns.aliyuncs.com", (IN_AN_HOUR, IN_A_YEAR), "is not valid yet", "not yet valid"),
        ("portal.example", (None, None), "is for another host", "ostname mismatch"),
    ],
)
def test_a_certificate_out_of_date_or_of_another_host(
    world: World, host: str, dates: tuple[object, object], words: str, logged: str
) -> None:
    present_certificate(world.alidns.tls, host, not_before=dates[0], not_after=dates[1])
    outcome = world.issue("example.com")
    assert_refused(outcome, FAILED, f"the TLS certificate shown for alidns.aliyuncs.com {words}")
    assert "CERTIFICATE_VERIFY_FAILED: " in outcome.log_text
    assert logged in outcome.log_text
    assert not world.alidns.calls


@pytest.mark.newest
@pytest.mark.nightly
def test_no_connection_for_two_minutes(world: World) -> None:
    world.alidns.refuse_connections()
    outcome = world.issue("example.com")
    assert 100 < outcome.seconds < 240
    assert_refused(outcome, FAILED, "alidns.aliyuncs.com cannot be reached on port 443", "firewall")


@pytest.mark.newest
@pytest.mark.parametrize("option", ["wait-limit", "propagation-seconds"])
@pytest.mark.parametrize("seconds", [-1, 90000])
def test_an_option_out_of_bounds(world: World, option: str, seconds: int) -> None:
    outcome = world.issue("example.com", options=[f"--dns-aliyun-{option}={seconds}"])
    assert_refused(outcome, f"--dns-aliyun-{option} must be between 0 and 86400 seconds")
    assert not world.alidns.calls
