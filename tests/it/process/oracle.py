"""What other people's packages make of deliveries: standardwebhooks and cloudevents of PyPI.

Reads a list of deliveries from the standard input, prints for each whether its signature was accepted and which events
were read from it.
"""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook, WebhookVerificationError


def read(headers, body):
    """The events, each as the package sees it."""
    kind = headers.get("content-type", "")
    if kind.startswith("application/cloudevents-batch+json"):
        # The package has no reader of batches; their elements are structured events.
        structured = {"content-type": "application/cloudevents+json"}
        return [one for event in json.loads(body) for one in read(structured, json.dumps(event))]
    event = from_http(HTTPMessage(headers=headers, body=body.encode()), JSONFormat())
    seen = dict(event.get_attributes())
    seen["time"] = event.get_time().isoformat()
    data = event.get_data()
    seen["data"] = data if isinstance(data, dict) else json.loads(data)
    return [seen]


answers = []
for delivery in json.load(sys.stdin):
    try:
        Webhook(delivery["secret"]).verify(delivery["body"].encode(), delivery["headers"])
    except (WebhookVerificationError, ValueError):
        answers.append({"accepted": False})
        continue
    answers.append({"accepted": True, "events": read(delivery["headers"], delivery["body"])})
print(json.dumps(answers, default=str))
