"""What can be said of the one-VBR rule (rule 14; ruling 8: the tenant's word is no check)."""

from __future__ import annotations

import pytest

from crossport.domain.violations import ONE_VBR_CODES, OneVbr, one_vbr_result


@pytest.mark.parametrize(
    ("active", "accepted_vbr", "codes", "result"),
    [
        (True, True, (), OneVbr.KEPT),
        (True, True, ("wrong_port_vlan",), OneVbr.KEPT),
        (True, False, (), OneVbr.CANNOT_CHECK),
        (False, True, (), OneVbr.KEPT),
        (False, False, (), OneVbr.NOT_DUE),
        *(
            (active, vbr, (code,), OneVbr.BROKEN)
            for code in sorted(ONE_VBR_CODES)
            for active in (True, False)
            for vbr in (True, False)
        ),
    ],
)
def test_nothing_seen_is_never_kept(active: bool, accepted_vbr: bool, codes: tuple[str, ...], result: OneVbr) -> None:
    assert one_vbr_result(active=active, accepted_vbr=accepted_vbr, codes=codes) is result
