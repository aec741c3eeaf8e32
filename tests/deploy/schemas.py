"""Checks objects against the schemas of Kubernetes, and those of KEDA's that are used here against one of our own."""

from functools import lru_cache
from typing import Any

import jsonschema
from kubernetes_validate import utils

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""What docs/operations/kubernetes.md says is supported."""

# The package reads its megabytes again for each object otherwise.
utils.schema_contents = lru_cache(maxsize=None)(utils.schema_contents)


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required.split(),
    }


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_MANY = {"type": "array", "minItems": 1}
_NUMBER = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_NAME = _object("name", name=_TEXT)
_POLICY = _object("type value periodSeconds", type={"enum": ["Percent", "Pods"]}, value=_COUNT, periodSeconds=_COUNT)
_RULES = _object(
    stabilizationWindowSeconds={**_COUNT, "maximum": 3600},
    policies={**_MANY, "items": _POLICY},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
)
_MONGODB = _object(
    "dbName collection query queryValue",
    **dict.fromkeys(("dbName", "collection", "query"), _TEXT),
    **dict.fromkeys(("queryValue", "activationQueryValue"), _NUMBER),
)
_TRIGGER = _object(
    "type metadata authenticationRef", type={"const": "mongodb"}, metadata=_MONGODB, authenticationRef=_NAME
)
_SCALED_OBJECT = _object(
    "scaleTargetRef triggers",
    scaleTargetRef=_NAME,
    **dict.fromkeys(("pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount"), _COUNT),
    advanced=_object(horizontalPodAutoscalerConfig=_object(behavior=_object(scaleUp=_RULES, scaleDown=_RULES))),
    triggers={**_MANY, "items": _TRIGGER},
)
_SECRET_REF = _object("parameter name key", parameter=_TEXT, name=_TEXT, key=_TEXT)
_AUTHENTICATION = _object("secretTargetRef", secretTargetRef={**_MANY, "items": _SECRET_REF})
KEDA = {"ScaledObject": _SCALED_OBJECT, "TriggerAuthentication": _AUTHENTICATION}


def check(item: dict[str, Any], version: str) -> None:
    """Raise ValidationError where the object is not one that this version of Kubernetes, or KEDA 2, knows."""
    if item["apiVersion"] == "keda.sh/v1alpha1":
        jsonschema.validate(item["spec"], KEDA[item["kind"]])
        assert item.keys() == {"apiVersion", "kind", "metadata", "spec"}
    else:
        utils.validate(item, version, strict=True)
