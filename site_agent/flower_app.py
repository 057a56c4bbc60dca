"""The courier: a ClientApp that carries bytes between Flower and the site agent's socket, and returns codes.

It opens no parcel, signs nothing and reads no image. Whatever goes wrong, the answer is a code: an exception's text
would otherwise travel to the coordinator as the reason of a failed message. It imports Flower, gRPC and the standard
library only, so that a message costs no more than the start of a small process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import grpc
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

AGENT = "/consilium.site.Agent/"
MAX_SECONDS = 3600.0
CODES = {grpc.StatusCode.DEADLINE_EXCEEDED: "late", grpc.StatusCode.UNAVAILABLE: "unreachable"}

app = ClientApp()


@app.query("exchange")
def exchange(message: Message, context: Context) -> Message:
    """Hands the parcels of a message to the site agent, and its answer back.

    Message: ``request`` holds ``header`` (bytes for the agent) and ``seconds`` (how long it may take), ``parcels`` one
    array of bytes a parcel. Reply: ``answer`` holds ``header`` (bytes from the agent, or ``{"code": …}``), ``parcels``.
    """
    return _carry("Exchange", message, context)


@app.query("witness")
def witness(message: Message, context: Context) -> Message:
    """Hands a checkpoint of the coordinator's log to the site agent, and its answer back.

    Message and reply are those of `exchange`; the header is the request, and the answer the only parcel.
    """
    return _carry("Witness", message, context)


def _carry(method: str, message: Message, context: Context) -> Message:
    try:
        header, *parcels = _ask(method, message.content, str(context.node_config["socket"]))
    except grpc.RpcError as error:
        header, parcels = _code(CODES.get(error.code(), "failed")), []
    except Exception:  # noqa: BLE001  its text would leave the hospital
        header, parcels = _code("failed"), []
    content = RecordDict({"answer": ConfigRecord({"header": header}), "parcels": pack(parcels)})
    return Message(content=content, reply_to=message)


def pack(parcels: Iterable[bytes]) -> ArrayRecord:
    """Byte strings as one record of arrays, in their order."""
    arrays = {f"{i:06d}": Array("uint8", (len(parcel),), "bytes", parcel) for i, parcel in enumerate(parcels)}
    return ArrayRecord(arrays)


def unpack(record: ArrayRecord) -> list[bytes]:
    """The byte strings of such a record."""
    return [record[name].data for name in sorted(record)]


def _ask(method: str, content: RecordDict, socket: str) -> list[bytes]:
    request, parcels = content["request"], content["parcels"]
    if not (isinstance(request, ConfigRecord) and isinstance(parcels, ArrayRecord)):
        return [_code("invalid")]
    header, seconds = request["header"], request["seconds"]
    if not (isinstance(header, bytes) and isinstance(seconds, float) and 0 < seconds <= MAX_SECONDS):
        return [_code("invalid")]
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        call = channel.stream_stream(AGENT + method)
        return list(call(iter([header, *unpack(parcels)]), timeout=seconds))


def _code(code: str) -> bytes:
    return json.dumps({"code": code}).encode()
