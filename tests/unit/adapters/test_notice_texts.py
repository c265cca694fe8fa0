"""Every notice has its text in every language, and each says what the rulings ask for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from crossport.adapters.notify.facts import words_of
from crossport.adapters.notify.formats import LANGUAGES
from crossport.adapters.notify.render import OF_ACCOUNTS, render
from crossport.application.ports import Message
from crossport.application.send_notices import NoticeNotRenderedError, UnknownNoticeError
from crossport.domain.connection import Connection
from crossport.domain.maintenance import KINDS_OF_RECORDS
from crossport.domain.vocabulary import OrderMode, Party, Phase, RequestKind
from tests.unit.adapters.notice_samples import (
    ENABLED,
    POLICY,
    STRANGER_ID,
    TENANT_ID,
    after,
    asked,
    context_of,
    declared_notices,
    notice_of,
    offered,
    ordered,
    render_samples,
    saw_port,
    saw_vbr,
    states,
    tenant,
    works,
)

MASKED = "1290********0011"
#: The modules of the domain that refuse something.
_REFUSING = ("checks.py", "orders.py", "requests.py")


def rendered(connection: Connection, kind: str, party: Party, language: str = "en") -> Message:
    return render(context_of(notice_of(connection, kind, party), connection, language))


class Page(HTMLParser):
    """The words of a page, the tags opened and those that were not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data.split()


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_exist_for_exactly_the_notices_that_the_domain_calls_for(language: str) -> None:
    folder = files("crossport.adapters.notify").joinpath("templates", language)
    names = {entry.name for entry in folder.iterdir() if not entry.name.startswith("_") and entry.name != "words.toml"}
    assert len(declared_notices()) >= 27
    of_accounts = {f"{kind}.partner.txt" for kind in OF_ACCOUNTS}
    assert names == {f"{kind}.{party}.txt" for kind, party in declared_notices()} | of_accounts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_of_every_state_renders_whole(language: str) -> None:
    told = set()
    for name, context in render_samples(language):
        message = render(context)
        told.add((context.request.kind, context.request.party))
        page = Page(message.html)
        plain = " ".join(message.text.replace("-" * 3, "").split())
        assert message.key == context.request.key
        assert message.language == language
        assert message.subject.isprintable(), name
        assert page.open == [], name
        assert ("lang", language) in page.attributes
        assert "script" not in page.tags
        assert "img" not in page.tags
        for text in (message.subject, message.text, message.html):
            assert TENANT_ID not in text, name
            assert STRANGER_ID not in text, name
            assert "{{" not in text, name
            assert "None" not in text, name
            assert "Undefined" not in text, name
            assert "|" not in text, name
        for word in page.words:
            # The text alternative is complete: whatever the page says, the text says.
            assert word in plain or word in message.subject, (name, word)
    assert told == declared_notices()


@pytest.mark.parametrize("language", LANGUAGES)
def test_subjects_carry_the_order_or_the_port(language: str) -> None:
    for name, context in render_samples(language):
        connection = context.connection
        subject = render(context).subject
        if context.request.kind in KINDS_OF_RECORDS and context.request.party is Party.PARTNER:
            # One for the whole circuit, whatever connection it hangs on.
            assert "mnt-1" in subject, name
            assert connection.circuit_id in subject, name
            continue
        assert (connection.client_order_id or "-none-") in subject or (connection.port_id or "-none-") in subject, name


def test_chinese_notices_are_chinese_and_english_ones_hold_no_chinese() -> None:
    chinese = re.compile(r"[一-鿿]")
    for name, context in render_samples("zh-CN"):
        assert chinese.search(render(context).subject), name
    for name, context in render_samples("en"):
        assert not chinese.search(render(context).text), name


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                f"Your Alibaba Cloud account (UID): {MASKED}",
                "Region: US (Virginia), us-east-1",
                "Shared port: pc-port1",
                "VLAN ID: 120",
                "Bandwidth: 200 Mbit/s (200M)",
                "Paid by: you, the tenant",
                "USD 55.00 per month",
                "Accept by: 17 March 2026, 00:04 (Asia/Shanghai, UTC+08:00)",
                "1. Enable outbound data transfer billing first",
                "open the Physical Connection page",
                "click Accept and Pay",
                "with VLAN ID 120. The VLAN ID is inherited from the port and cannot be changed",
                "A shared port carries exactly one VBR",
                "cross-border product",
                "It is not part of this offer",
            ],
        ),
        (
            "zh-CN",
            [
                f"您的阿里云账号ID（UID）：{MASKED}",
                "地域：美国（弗吉尼亚） us-east-1",
                "共享端口（共享物理专线）：pc-port1",
                "VLAN ID：120",
                "带宽规格：200 Mbit/s（200M）",
                "付费方：您（租户）",
                "每月 USD 55.00",
                "接受截止时间：2026年3月17日 00:04（Asia/Shanghai, UTC+08:00）",
                "1. 先开通出方向流量计费",
                "打开“物理专线”页面",
                "单击“接受并支付”",
                "VLAN ID继承自共享端口，不可修改",
                "一个共享端口只能创建一个VBR",
                "跨境产品",
                "不在本次提供范围之内",
            ],
        ),
    ],
)
def test_the_offer_states_what_the_tenant_needs(language: str, sentences: list[str]) -> None:
    text = rendered(offered(), "offer", Party.TENANT, language).text
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_an_offer_that_the_partner_pays_asks_for_no_payment_and_names_the_partners_price() -> None:
    text = rendered(offered(OrderMode.PARTNER_PAYS), "offer", Party.TENANT).text
    assert "EUR 90.00 per month, billed by Equinix" in text
    assert "click Accept." in text
    assert "Accept and Pay" not in text
    assert "USD" not in text


def test_the_partner_sees_cost_and_price_of_a_port_that_it_pays() -> None:
    text = rendered(offered(OrderMode.PARTNER_PAYS), "offer", Party.PARTNER).text
    assert "Price to the tenant: EUR 90.00 per month" in text
    assert "Cost: USD 55.00 per month" in text
    assert MASKED in text
    assert "Northwind Trading" in text


def test_an_offer_that_is_paid_already_asks_for_no_payment() -> None:
    text = rendered(after(offered(), ENABLED), "offer", Party.TENANT).text
    assert "has been paid for already" in text
    assert "Accept and Pay" not in text


def test_vlan_zero_is_shown_as_what_it_is() -> None:
    text = rendered(offered(vlan_id=0), "offer", Party.TENANT).text
    assert "VLAN ID: 0 (whole circuit, untagged)" in text
    assert "with VLAN ID 0." in text


def test_resources_in_the_ports_own_region_need_nothing_more() -> None:
    assert "another region" not in rendered(offered(tenant_region="us-east-1"), "offer", Party.TENANT).text
    assert "another region" not in rendered(offered(tenant_region=""), "offer", Party.TENANT).text


def test_another_region_on_the_same_side_of_the_border_needs_no_cross_border_product() -> None:
    text = rendered(offered(tenant_region="eu-central-1"), "offer", Party.TENANT).text
    assert "inter-region connection" in text
    assert "cross-border" not in text


def test_the_deadline_follows_the_policy() -> None:
    connection = offered()
    context = context_of(notice_of(connection, "offer", Party.TENANT), connection)
    longer = replace(context, policy=replace(POLICY, offer_lifetime=timedelta(days=15)))
    assert "18 March 2026, 00:04 (Asia/Shanghai, UTC+08:00)" in render(longer).text


def test_an_unknown_zone_is_utc_and_says_so() -> None:
    connection = offered()
    context = context_of(notice_of(connection, "offer", Party.TENANT), connection, known=tenant(zone="Mars/Olympus"))
    assert "16 March 2026, 16:04 (UTC)" in render(context).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_code_of_the_domain_has_a_sentence(language: str) -> None:
    folder = files("crossport.domain")
    sources = [entry.read_text("utf-8") for entry in folder.iterdir() if entry.name in _REFUSING]
    codes = set(re.findall(r'Refusal\(\s*code="(\w+)"', "\n".join(sources)))
    codes |= {"contract_missing", "contract_not_in_force"}
    assert len(codes) >= 25
    assert codes - words_of(language)["reasons"].keys() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_violation_code_of_the_domain_has_words_and_advice(language: str) -> None:
    source = files("crossport.domain").joinpath("violations.py").read_text("utf-8")
    codes = set(re.findall(r'code="(\w+)"', source)) | set(re.findall(r'\("(wrong_\w+)",', source))
    assert len(codes) >= 8
    words = words_of(language)["violations"]
    assert codes - words.keys() == set()
    assert all(entry["what"] and entry["do"] for entry in words.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phase_has_a_word(language: str) -> None:
    assert set(Phase) - words_of(language)["phases"].keys() == set()


def test_languages_know_the_same_words() -> None:
    english, chinese = words_of("en"), words_of("zh-CN")
    assert {part: set(english[part]) for part in english} == {part: set(chinese[part]) for part in chinese}


@pytest.mark.parametrize("party", Party)
def test_a_refusal_lists_all_reasons_in_words_and_unknown_codes_as_they_are(party: Party) -> None:
    connection = states()["refused"]
    notice = notice_of(connection, "order_refused", party)
    notice = replace(notice, details={"reasons": [*notice.details["reasons"], "no_such_code"]})
    text = render(context_of(notice, connection)).text
    assert "- “7M” is not a bandwidth spec of Alibaba Cloud. (spec_unknown)" in text
    assert "- VLAN ID 3000 is not valid: a shared port takes 0 to 2999. (vlan_out_of_range)" in text
    assert "(tenant_uid_malformed)" in text
    assert "(order_mode_unknown)" in text
    assert "- no_such_code\n" in text


def test_a_refusal_does_not_tell_the_tenant_how_much_of_the_circuit_is_free() -> None:
    connection = ordered(spec="10G", vlan_id=5)
    refusal = rendered(replace(connection, refusals=states()["refused"].refusals), "order_refused", Party.TENANT)
    assert "10000" not in refusal.text.replace(",", "").replace("10000 Mbit/s (10G)", "")


@pytest.mark.parametrize(("language", "sentence"), [("en", "not a line fault"), ("zh-CN", "不是线路故障")])
@pytest.mark.parametrize("party", Party)
@pytest.mark.parametrize("state", ["locked", "locked, partner pays", "locked for security", "disabled by partner"])
def test_a_suspension_is_never_taken_for_a_line_fault(state: str, party: Party, language: str, sentence: str) -> None:
    assert sentence in rendered(states()[state], "suspended", party, language).text


def test_a_billing_lock_names_the_shorter_term_and_who_is_waited_for() -> None:
    connection = states()["locked"]
    told = rendered(connection, "suspended", Party.TENANT)
    assert told.subject.startswith("Urgent: shared port pc-port1 locked by Alibaba Cloud for billing")
    assert "Settle before: 10 March 2026, 08:04 (Asia/Shanghai, UTC+08:00)" in told.text
    assert "Waiting for: you, the tenant" in told.text
    assert "Waiting for: the tenant" in rendered(connection, "suspended", Party.PARTNER).text
    paid_by_us = states()["locked, partner pays"]
    assert "Waiting for: you, the partner" in rendered(paid_by_us, "suspended", Party.PARTNER).text
    assert "Waiting for: Equinix" in rendered(paid_by_us, "suspended", Party.TENANT).text


def test_an_active_port_tells_the_tenant_what_works_and_who_answers_for_what() -> None:
    text = rendered(states()["active"], "active", Party.TENANT).text
    for sentence in (
        "VBR: vbr-1",
        "frames tagged with VLAN ID 120",
        "BGP peer",
        "static routes",
        "- Equinix: the line between your site and Alibaba Cloud's access point, its service level (SLA)",
        "- You: the VBR",
    ):
        assert sentence in text


def test_a_violation_shows_what_was_seen_and_what_was_agreed_with_accounts_masked() -> None:
    owner = after(states()["active"], saw_vbr(7, "vbr-1", owner_uid=STRANGER_ID))
    text = rendered(owner, "violation", Party.PARTNER).text
    assert "VBR vbr-1 belongs to account 1666********0099; the port was made for account 1290********0011." in text
    vlan = after(states()["enabled"], saw_vbr(7, "vbr-1", vlan_id=0))
    assert "VBR vbr-1 has VLAN ID 0; the port has VLAN ID 120." in rendered(vlan, "violation", Party.PARTNER).text


def test_a_port_without_a_contract_is_the_partners_finding() -> None:
    text = rendered(states()["adopted without contract"], "port_adopted", Party.PARTNER).text
    assert "The tenant has not been told" in text


def test_a_port_that_vanished_while_locked_was_lost_in_arrears() -> None:
    assert "lost in arrears" in rendered(states()["lost in arrears"], "port_gone", Party.PARTNER).text
    assert "lost in arrears" not in rendered(states()["gone"], "port_gone", Party.PARTNER).text
    assert "taken back" in rendered(states()["withdrawn"], "port_gone", Party.TENANT).subject


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["Old bandwidth: 200 Mbit/s (200M)", "New bandwidth: 500 Mbit/s (500M)", "only when you have paid"]),
        ("zh-CN", ["原带宽规格：200 Mbit/s（200M）", "新带宽规格：500 Mbit/s（500M）", "支付差价"]),
    ],
)
def test_a_new_spec_takes_effect_when_the_tenant_has_paid(language: str, sentences: list[str]) -> None:
    text = rendered(states()["new spec"], "spec_change", Party.TENANT, language).text
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_a_new_spec_that_the_partner_pays_asks_nothing_of_the_tenant() -> None:
    connection = states()["new spec, partner pays"]
    assert "There is nothing for you to do" in rendered(connection, "spec_change", Party.TENANT).text
    assert "Forced because: agreed by phone" in rendered(connection, "spec_change", Party.PARTNER).text


def test_a_vlan_change_shows_both_ids_and_warns_of_the_outage_when_it_was_forced() -> None:
    told = rendered(states()["new VLAN ID by force"], "vlan_change", Party.TENANT)
    assert told.subject.startswith("Outage ahead")
    for sentence in ("Old VLAN ID: 120", "New VLAN ID: 300", "VBR vbr-1 shows VLAN ID 300", "not a line fault"):
        assert sentence in told.text
    renumbered = after(states()["new VLAN ID by force"], saw_port(21, vlan_id=300))
    twice = asked(renumbered, RequestKind.CHANGE_VLAN, "CR-2", vlan_id=301, forced="again")
    text = rendered(twice, "vlan_change", Party.TENANT).text
    assert "Old VLAN ID: 300" in text
    assert "New VLAN ID: 301" in text


@pytest.mark.parametrize(
    ("language", "steps"),
    [("en", ["1. Move", "2. Delete the VBR", "3. Terminate", "4. Unsubscribe"]), ("zh-CN", ["2. 删除VBR", "4. 退订"])],
)
def test_a_tenant_who_pays_gets_the_steps_that_end_the_service(language: str, steps: list[str]) -> None:
    text = rendered(states()["ceased"], "cease", Party.TENANT, language).text
    assert [step for step in steps if step not in text] == []
    assert "Unsubscribe" not in rendered(states()["ceased, partner pays"], "cease", Party.TENANT).text


def test_an_expired_order_says_what_it_waited_for() -> None:
    text = rendered(states()["expired"], "order_expired", Party.PARTNER).text
    assert "more than 30 days" in text
    assert "Still missing: line to the tenant's site, confirmation of the tenant's account ID (UID)" in text


def test_what_the_cloud_said_is_shown_when_provisioning_failed() -> None:
    text = rendered(states()["failed"], "provisioning_failed", Party.PARTNER).text
    assert "Reason: The quota of ports is used up. (QuotaExceeded.VPCONN)" in text


ATTACK = "x\r\nBcc: all@example.com\u2028# Heading\n| Price: 0\u202e<script>alert(1)</script> {{ 7*7 }} & \x00\x1b[31m"


def test_hostile_values_stay_one_line_and_are_escaped() -> None:
    connection = offered(client_order_id=ATTACK, customer_reference=ATTACK, tenant_region="")
    message = rendered(connection, "offer", Party.TENANT)
    assert "\n" not in message.subject
    assert message.subject.isprintable()
    assert "\nBcc" not in message.text
    assert "\n# Heading" not in message.text
    assert not set(message.text) & set("\r\x00\x1b\u2028\u202e")
    assert "49" not in message.text
    assert "<script>" not in message.html
    assert "&lt;script&gt;" in message.html
    assert Page(message.html).tags.count("table") == 1


def test_a_value_that_holds_the_full_account_id_is_masked() -> None:
    connection = offered(client_order_id=f"SO-{TENANT_ID}-7")
    message = rendered(connection, "offer", Party.TENANT)
    assert f"SO-{MASKED}-7" in message.subject
    assert TENANT_ID not in message.html


def test_an_endless_value_is_cut() -> None:
    assert len(rendered(offered(client_order_id="9" * 5_000), "offer", Party.TENANT).subject) < 700


def test_a_language_without_texts_gets_english() -> None:
    connection = offered()
    context = context_of(
        notice_of(connection, "offer", Party.TENANT), connection, known=replace(tenant(), language="fr")
    )
    message = render(context)
    assert message.language == "en"
    assert "Action required" in message.subject


def test_an_unknown_circuit_and_an_unknown_tenant_do_not_stop_the_partners_notice() -> None:
    connection = offered()
    context = context_of(notice_of(connection, "offer", Party.PARTNER), connection, circuit=None, tenant=None)
    text = render(context).text
    assert "Tenant: not on record" in text
    assert "please pass the offer on yourself" in text


@pytest.mark.parametrize("kind", ["no_such_kind", "../words", "_mail", ""])
def test_a_kind_without_a_text_is_unknown(kind: str) -> None:
    connection = offered()
    notice = replace(notice_of(connection, "offer", Party.TENANT), kind=kind)
    with pytest.raises(UnknownNoticeError):
        render(context_of(notice, connection))


def test_a_fault_of_ours_is_told_apart_and_may_be_tried_again() -> None:
    connection = states()["refused"]
    notice = replace(notice_of(connection, "order_refused", Party.TENANT), details={"reasons": 5})
    with pytest.raises(NoticeNotRenderedError) as raised:
        render(context_of(notice, connection))
    assert raised.value.retryable


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Window begins: 2 March 2026, 23:04 (Asia/Shanghai, UTC+08:00)",
                "Window ends: 3 March 2026, 03:04 (Asia/Shanghai, UTC+08:00)",
                "Lies with: Alibaba Cloud",
                "Who is responsible for what",
                "Your other connection of the same redundancy group is in service",
            ],
        ),
        ("zh-CN", ["维护窗口开始：2026年3月2日 23:04（Asia/Shanghai, UTC+08:00）", "责任方：阿里云", "责任划分"]),
    ],
)
def test_planned_work_names_the_window_in_the_readers_zone_and_the_demarcation(
    language: str, sentences: list[str]
) -> None:
    wanted = "planned alibaba_cloud"
    contexts = [c for name, c in works(language) if name.startswith(wanted) and name.endswith("planned:mnt-1:tenant")]
    text = render(contexts[0]).text
    assert [sentence for sentence in sentences if sentence not in text] == []
