"""The Kubernetes API, as `crossroads cluster check` asks it: reads, and whether it may.

Contract: objects are JSON as the API gives them, whole lists. The client library is imported here
and nowhere else: it takes two seconds. Raises PlatformError when the API does not answer.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.platform.home import PlatformError

Json = dict[str, Any]
PAGE = 500
SECONDS = (3.0, 20.0)  # to connect, to answer
PROXY_SECONDS = (3.0, 5.0)
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Resource:
    """A sort of objects, or a part of one ("pods/proxy").

    `namespace` "" is the whole cluster's, or those of no namespace.
    """

    group: str
    version: str
    plural: str
    namespace: str = ""

    @property
    def path(self) -> str:
        """Where its list is."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/{self._within}{self.plural}"

    @property
    def _within(self) -> str:
        return f"namespaces/{self.namespace}/" if self.namespace else ""

    def __str__(self) -> str:
        """As in a role: plural.group."""
        name = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{name} in {self.namespace}" if self.namespace else name


class Api:
    """One API server, as whom the kubeconfig says."""

    def __init__(self, *, kubeconfig: Path | None = None, context: str = "") -> None:
        """`kubeconfig` None: $KUBECONFIG, ~/.kube/config, or the pod's own account."""
        try:
            from kubernetes import client, config  # noqa: PLC0415 - two seconds
        except ImportError:
            raise PlatformError(
                "the package kubernetes is missing: pip install 'crossroads[cluster]'"
            ) from None
        configuration = client.Configuration()
        try:
            load: Any = config.load_config
            load(
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context or None,
                client_configuration=configuration,
            )
        except config.ConfigException as error:
            raise PlatformError(f"no cluster: {error}; give --kubeconfig, or a context") from None
        configuration.retries = False
        self._client: Any = client.ApiClient(configuration)
        self._refused = client.exceptions.ApiException
        self.address = str(configuration.host)

    def version(self) -> Json:
        """What the server says of itself."""
        return self._ask("GET", "/version") or {}

    def items(self, resource: Resource) -> list[Json] | None:
        """All of them; None when the cluster does not know this sort."""
        found: list[Json] = []
        more = ""
        while True:
            query = [("limit", str(PAGE)), *([("continue", more)] if more else [])]
            page = self._ask("GET", resource.path, query=query)
            if page is None:
                return None
            found += page.get("items") or []
            more = page.get("metadata", {}).get("continue") or ""
            if not more:
                return found

    def may(self, verb: str, resource: Resource) -> bool:
        """Whether this login may do that (SelfSubjectAccessReview)."""
        plural, _, part = resource.plural.partition("/")
        asked = {
            "verb": verb,
            "group": resource.group,
            "resource": plural,
            "subresource": part,
            "namespace": resource.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = self._ask("POST", REVIEWS, body=review) or {}
        return bool(answer.get("status", {}).get("allowed"))

    def proxied(self, namespace: str, pod: str, port: int, path: str) -> str:
        """What a pod answers there (http), through the API server; "" when it is not reached."""
        within = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        try:
            status, data = self._answer("GET", within, seconds=PROXY_SECONDS)
        except PlatformError:
            return ""
        return data.decode(errors="replace") if status == 200 else ""

    def close(self) -> None:
        """Give the connections back."""
        self._client.rest_client.pool_manager.clear()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Json | None = None,
    ) -> Json | None:
        """The JSON object, None when there is no such thing."""
        status, data = self._answer(method, path, query=query, body=body)
        if status == 404:
            return None
        if status == 401:
            raise PlatformError(f"{self.address}: the login has ended; log in again")
        if status >= 400:
            raise PlatformError(f"{self.address}{path}: status {status}")
        answer: Json = json.loads(data)
        return answer

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Json | None = None,
        seconds: tuple[float, float] = SECONDS,
    ) -> tuple[int, bytes]:
        """Status and body, whatever they are. Raises PlatformError when nothing answers."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client

        headers = {"Accept": "application/json, */*", "Content-Type": "application/json"}
        request = self._client.param_serialize(
            method,
            path,
            query_params=query,
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*request, _request_timeout=seconds)
            return int(response.status), bytes(response.read())
        except (HTTPError, OSError) as error:
            raise PlatformError(f"{self.address} does not answer: {error}") from None
