"""Asks the node to attack its site, and writes down what it found."""

from __future__ import annotations

import json
import time
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """One message to every node; the answers, or the errors instead, as JSON in a file."""
    content = RecordDict({"wanted": ConfigRecord({"json": str(context.run_config["wanted"])})})
    asked = set(
        grid.push_messages(
            [Message(content=content, dst_node_id=node, message_type="query.attack") for node in grid.get_node_ids()]
        )
    )
    deadline, found = time.monotonic() + 120, []
    while asked and time.monotonic() < deadline:
        for reply in grid.pull_messages(list(asked)):
            asked.discard(reply.metadata.reply_to_message_id)
            found.append({"error": reply.error.reason} if reply.has_error() else _answer(reply))
        time.sleep(0.1)
    partial = Path(str(context.run_config["out"])).with_suffix(".partial")
    partial.write_text(json.dumps(found))
    partial.rename(partial.with_suffix(".json"))


def _answer(reply: Message) -> object:
    record = reply.content["found"]
    assert isinstance(record, ConfigRecord)
    return json.loads(str(record["json"]))
