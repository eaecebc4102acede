"""Athena's UpdateWorkGroup, which moto lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


def updated(configuration: dict[str, Any], updates: dict[str, Any]) -> dict[str, Any]:
    """A workgroup's configuration after ``ConfigurationUpdates``: what they name changes, ``Remove...`` removes."""
    result = dict(configuration)
    for name, value in updates.items():
        if name == "ResultConfigurationUpdates":
            result["ResultConfiguration"] = updated(result.get("ResultConfiguration", {}), value)
        elif name.startswith("Remove"):
            if value:
                result.pop(name.removeprefix("Remove"), None)
        else:
            result[name] = value
    return result


def _update_work_group(response: Any) -> Any:
    body = json.loads(response.body)
    found = response.athena_backend.work_groups.get(body["WorkGroup"])
    if found is None:
        error = {"__type": "InvalidRequestException", "Message": f"WorkGroup {body['WorkGroup']} is not found."}
        return json.dumps(error), {"status": 400}
    found.configuration = updated(found.configuration or {}, body.get("ConfigurationUpdates", {}))
    found.description = body.get("Description", found.description)
    found.state = body.get("State", found.state)
    return "{}"


@contextmanager
def installed() -> Iterator[None]:
    """While inside, workgroups can be updated."""
    from moto.athena.responses import AthenaResponse

    with patch.object(AthenaResponse, "update_work_group", _update_work_group, create=True):
        yield
