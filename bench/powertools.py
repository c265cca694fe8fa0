"""AWS Lambda Powertools on the unit of work: an SQL persistence layer, a parsed model, one record a batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.parser import parse
from pydantic import BaseModel, ConfigDict

from bench.plain import Facts, facts_of


class _Data(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    eventName: str  # noqa: N815 - the record's own name
    eventTime: str  # noqa: N815
    requestParameters: dict[str, Any]  # noqa: N815
    responseElements: dict[str, Any]  # noqa: N815


class CloudEvent(BaseModel):
    """The envelope and the part of the record that the work needs."""

    model_config = ConfigDict(extra="allow", strict=True)
    id: str
    source: str
    specversion: str
    type: str
    time: str
    aliyunaccountid: str
    data: _Data


class SqlLayer(BasePersistenceLayer):
    """Idempotency records in the database of the business rows, each in a transaction of its own, as Powertools do."""

    def __init__(self, database: Any) -> None:
        self._database = database
        super().__init__()

    def _get_record(self, idempotency_key: str) -> DataRecord:
        row = self._database.execute(
            "SELECT id, status, expiry, in_progress_expiry, data, payload_hash FROM idempotency WHERE id = :id",
            {"id": idempotency_key},
        ).fetchone()
        if row is None:
            raise IdempotencyItemNotFoundError
        return _record(row)

    def _put_record(self, data_record: DataRecord) -> None:
        values = {"id": data_record.idempotency_key, "status": data_record.status,
                  "expiry": data_record.expiry_timestamp, "running": data_record.in_progress_expiry_timestamp,
                  "hash": data_record.payload_hash}  # fmt: skip
        wrote = self._database.execute(
            """INSERT INTO idempotency VALUES (:id, :status, :expiry, :running, '', :hash)
            ON CONFLICT (id) DO NOTHING""",
            values,
        )
        if wrote.rowcount == 0:
            raise IdempotencyItemAlreadyExistsError(old_data_record=self._get_record(data_record.idempotency_key))

    def _update_record(self, data_record: DataRecord) -> None:
        self._database.execute(
            """UPDATE idempotency SET status = :status, expiry = :expiry, data = :data, payload_hash = :hash
            WHERE id = :id""",
            {"id": data_record.idempotency_key, "status": data_record.status, "expiry": data_record.expiry_timestamp,
             "data": data_record.response_data, "hash": data_record.payload_hash},
        )  # fmt: skip

    def _delete_record(self, data_record: DataRecord) -> None:
        self._database.execute("DELETE FROM idempotency WHERE id = :id", {"id": data_record.idempotency_key})


def handler_on(database: Any, write: Callable[[Facts], str]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """A Lambda handler over the database; ``write`` is the business transaction."""
    config = IdempotencyConfig(event_key_jmespath="id", payload_validation_jmespath="data")
    layer = SqlLayer(database)
    processor = BatchProcessor(event_type=EventType.SQS)

    @idempotent_function(data_keyword_argument="event", config=config, persistence_store=layer)
    def apply(event: dict[str, Any]) -> str:
        return write(facts_of(event))

    def record_handler(record: SQSRecord) -> str:
        body = json.loads(record.body)
        parse(event=body, model=CloudEvent)
        return str(apply(event=body))

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        config.register_lambda_context(context)
        answer: dict[str, Any] = process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )
        return answer

    return handler


def _record(row: tuple[Any, ...]) -> DataRecord:
    key, status, expiry, running, data, payload_hash = row
    return DataRecord(key, status, expiry, running, data, payload_hash)
