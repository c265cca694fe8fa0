"""The signature checks, against requests that are signed here by hand."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.accounts import AccessKey, Account, Directory
from localcloud.signing import Received, SignatureRefused, Verifier, acs3_signature, mns_signature

NOW = datetime(2026, 11, 24, 11, 10, 47, tzinfo=UTC)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def key(directory: Directory) -> AccessKey:
    return directory.add(Account(account_id="1234567890123456", name="partner"))


@pytest.fixture
def verifier(directory: Directory) -> Verifier:
    return Verifier(directory, now=lambda: NOW)


def acs3(
    key: AccessKey,
    *,
    query: str = "Name=a+b%2A&VlanId=0&Empty=",
    signed_query: str = "Empty=&Name=a%20b%2A&VlanId=0",
    at: datetime = NOW,
    nonce: str = "n1",
    body: bytes = b"",
    leave_out: str = "",
) -> Received:
    """A request signed after the published recipe; ``leave_out`` names a header that stays unsigned."""
    headers = {
        "host": "127.0.0.1:8080",
        "x-acs-action": "DescribeRegions",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
    }
    names = sorted(name for name in headers if name != leave_out)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = "\n".join(["POST", "/", signed_query, lines, ";".join(names), headers["x-acs-content-sha256"]])
    signature = acs3_signature(canonical, key.access_key_secret)
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key.access_key_id},SignedHeaders={';'.join(names)},Signature={signature}"
    )
    return Received(method="POST", path="/", query=query, headers=headers, body=body)


def mns(key: AccessKey, *, date: str = "Tue, 24 Nov 2026 11:10:47 GMT", body: bytes = b"<Message/>") -> Received:
    headers = {
        "content-md5": base64.b64encode(hashlib.md5(body).hexdigest().encode()).decode(),
        "content-type": "text/xml;charset=UTF-8",
        "date": date,
        "host": "127.0.0.1:8081",
        "x-mns-version": "2015-06-06",
    }
    unsigned = Received(method="GET", path="/queues/orders/messages", query="waitseconds=2", headers=headers, body=body)
    headers["authorization"] = f"MNS {key.access_key_id}:{mns_signature(unsigned, key.access_key_secret)}"
    return unsigned


def refusal(verifier: Verifier, received: Received, algorithm: str = "acs3") -> tuple[str, int]:
    with pytest.raises(SignatureRefused) as caught:
        getattr(verifier, algorithm)(received)
    return caught.value.code, caught.value.status


def test_a_published_vector_of_the_signature() -> None:
    # Alibaba Cloud, "V3 request structure and signature", the example with RunInstances.
    canonical = (
        "POST\n/\nImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai\n"
        "host:ecs.cn-shanghai.aliyuncs.com\nx-acs-action:RunInstances\n"
        "x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        "x-acs-date:2023-10-26T10:22:32Z\n"
        "x-acs-signature-nonce:3156853299f313e23d1673dc12e1703d\nx-acs-version:2014-05-26\n\n"
        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert acs3_signature(canonical, "YourAccessKeySecret") == expected


def test_a_right_signature_names_its_key(verifier: Verifier, key: AccessKey) -> None:
    assert verifier.acs3(acs3(key)) == key


def test_both_encodings_of_the_query_are_the_same_request(verifier: Verifier, key: AccessKey) -> None:
    assert verifier.acs3(acs3(key, query="Name=a%20b*&VlanId=0&Empty=")) == key


@pytest.mark.parametrize(
    "change",
    [{"query": "Name=a+b%2A&VlanId=1&Empty="}, {"method": "GET"}, {"path": "/other"}, {"body": b"x"}],
)
def test_what_was_changed_on_the_way_does_not_match(
    verifier: Verifier, key: AccessKey, change: dict[str, object]
) -> None:
    assert refusal(verifier, replace(acs3(key), **change)) == ("SignatureDoesNotMatch", 400)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce"])
def test_host_and_every_cloud_header_must_be_signed(verifier: Verifier, key: AccessKey, name: str) -> None:
    assert refusal(verifier, acs3(key, leave_out=name)) == ("SignatureDoesNotMatch", 400)


def test_a_wrong_secret_does_not_match(verifier: Verifier, key: AccessKey) -> None:
    wrong = replace(key, access_key_secret="wrong")
    assert refusal(verifier, acs3(wrong)) == ("SignatureDoesNotMatch", 400)


def test_an_unknown_key_is_not_found(verifier: Verifier, key: AccessKey) -> None:
    unknown = replace(key, access_key_id="LTAIunknown")
    assert refusal(verifier, acs3(unknown)) == ("InvalidAccessKeyId.NotFound", 404)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_stamp_is_good_for_fifteen_minutes(verifier: Verifier, key: AccessKey, minutes: int) -> None:
    assert verifier.acs3(acs3(key, at=NOW + timedelta(minutes=15 if minutes > 0 else -15))) == key
    late = acs3(key, at=NOW + timedelta(minutes=minutes), nonce="n2")
    assert refusal(verifier, late) == ("InvalidTimeStamp.Expired", 400)


def test_a_nonce_is_used_once(verifier: Verifier, key: AccessKey) -> None:
    verifier.acs3(acs3(key))
    assert refusal(verifier, acs3(key)) == ("SignatureNonceUsed", 400)


def test_a_refused_request_does_not_use_up_its_nonce(verifier: Verifier, key: AccessKey) -> None:
    refusal(verifier, replace(acs3(key), query="VlanId=5"))
    assert verifier.acs3(acs3(key)) == key


def test_a_nonce_is_remembered_while_its_request_could_be_repeated(directory: Directory) -> None:
    key = directory.add(Account(account_id="1", name="partner"))
    times = iter([NOW, NOW, NOW + timedelta(minutes=29), NOW + timedelta(minutes=29)])
    verifier = Verifier(directory, now=lambda: next(times))
    ahead = acs3(key, at=NOW + timedelta(minutes=15))
    verifier.acs3(ahead)
    assert refusal(verifier, ahead) == ("SignatureNonceUsed", 400)


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("authorization", "", "MissingAccessKeyId"),
        ("authorization", "acs LTAI:abc", "InvalidSignatureMethod.NotSupported"),
        ("authorization", "ACS3-HMAC-SHA256 Credential=x", "IncompleteSignature"),
        ("x-acs-date", "24 Nov 2026", "InvalidTimeStamp.Format"),
        ("x-acs-security-token", "temporary", "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
def test_malformed_headers_are_named(verifier: Verifier, key: AccessKey, header: str, value: str, code: str) -> None:
    request = acs3(key)
    assert refusal(verifier, replace(request, headers={**request.headers, header: value})) == (code, 400)


def test_an_mns_signature_names_its_key(verifier: Verifier, key: AccessKey) -> None:
    assert verifier.mns(mns(key)) == key


def test_mns_refusals_have_the_names_of_mns(verifier: Verifier, key: AccessKey) -> None:
    request = mns(key)
    without_date = {name: value for name, value in request.headers.items() if name != "date"}
    without_authorization = {n: v for n, v in request.headers.items() if n != "authorization"}
    cases = [
        (replace(request, query="waitseconds=3"), ("SignatureDoesNotMatch", 403)),
        (mns(replace(key, access_key_secret="wrong")), ("SignatureDoesNotMatch", 403)),
        (mns(replace(key, access_key_id="LTAIunknown")), ("InvalidAccessKeyId", 403)),
        (mns(key, date="Tue, 24 Nov 2026 10:55:46 GMT"), ("TimeExpired", 408)),
        (mns(key, date="yesterday"), ("InvalidDateHeader", 400)),
        (replace(request, headers=without_date), ("MissingDateHeader", 400)),
        (replace(request, headers=without_authorization), ("MissingAuthorizationHeader", 400)),
        (
            replace(request, headers={**request.headers, "authorization": "MNS x"}),
            ("InvalidAuthorizationHeader", 400),
        ),
        (replace(request, body=b"<Other/>"), ("InvalidDegist", 400)),
    ]
    assert [refusal(verifier, received, "mns") for received, _ in cases] == [wanted for _, wanted in cases]


def test_nothing_that_can_be_logged_holds_a_secret(verifier: Verifier, key: AccessKey) -> None:
    request = replace(acs3(key), query="VlanId=7")
    with pytest.raises(SignatureRefused) as caught:
        verifier.acs3(request)
    assert key.access_key_secret not in f"{caught.value} {request!r} {key!r}"
