"""Renders notices: jinja2 text templates in zh-CN and en, laid out as plain text and as HTML.

jinja2 and babel are imported when the first notice is rendered, so that they cost other functions nothing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from crossport.adapters.notify.blocks import blocks_of, plain_text
from crossport.adapters.notify.facts import account_facts_of, facts_of
from crossport.adapters.notify.formats import MASKED_FROM, language_of, masked, one_line
from crossport.application.ports import Message
from crossport.application.send_notices import (
    AccountNoticeContext,
    AnyNoticeContext,
    NoticeNotRenderedError,
    UnknownNoticeError,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

#: Longer values are cut: nothing that a notice says is longer, what an attacker puts into an order may be.
MAX_VALUE = 500
#: Kinds of notices that are about a partner account and no connection.
OF_ACCOUNTS = frozenset({"dead_letters"})
#: Where a value of the context is the account id that no text may show in full.
_UID = "full_account_id"


def render(context: AnyNoticeContext) -> Message:
    """The notice's message in the recipient's language.

    Raises UnknownNoticeError when no text exists for the kind and party, NoticeNotRenderedError when a template fails.
    """
    from jinja2 import TemplateError, TemplateNotFound

    request = context.request
    if isinstance(context, AccountNoticeContext) and request.kind not in OF_ACCOUNTS:
        raise UnknownNoticeError(f"a notice {request.kind} needs a connection")
    language = language_of(context.recipient.language)
    name = f"{language}/{request.kind}.{request.party}.txt"
    try:
        template = _texts().get_template(name)
    except TemplateNotFound as error:
        raise UnknownNoticeError(f"there is no text for {request.kind} to the {request.party}") from error
    try:
        source = template.render(_facts(context))
        subject, _, body = source.lstrip().partition("\n")
        subject = one_line(subject)
        blocks = blocks_of(body, language)
        html = _pages().get_template("layout.html").render(language=language, subject=subject, blocks=blocks)
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise NoticeNotRenderedError(f"{name} could not be rendered: {error}", template=name) from error
    return Message(key=request.key, subject=subject, text=plain_text(blocks, language), html=html, language=language)


def _facts(context: AnyNoticeContext) -> dict[str, Any]:
    if isinstance(context, AccountNoticeContext):
        return account_facts_of(context)
    return {**facts_of(context), _UID: context.connection.tenant_uid}


@cache
def _texts() -> Environment:
    """Text templates: no escaping, but every value is one printable line and shows no account id in full."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("crossport.adapters.notify"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - plain text; HTML is laid out from its blocks by _pages, escaped
        finalize=_value_as_text(),
    )


@cache
def _pages() -> Environment:
    """The HTML layout: everything escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("crossport.adapters.notify"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


def _value_as_text() -> Any:
    """What every value that a text template puts out passes through."""
    from jinja2 import pass_context

    @pass_context
    def value_as_text(context: Context, value: object) -> str:
        text = one_line(value)
        account_id = context.get(_UID, "")
        if len(account_id) >= MASKED_FROM:
            text = text.replace(account_id, masked(account_id))
        return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"

    return value_as_text
