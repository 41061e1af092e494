"""One blocking connection to Vault (or OpenBao), for one thread.

Contract: `Session` sends requests and knows the token; every failure is VaultError, which holds the
path and the status and no secret. hvac is imported when a session is made, not before.
"""

from typing import Any

CONNECT_SECONDS, READ_SECONDS = 2.0, 10.0


class VaultError(Exception):
    """Vault said no (an HTTP status), or nothing at all (status 0). Holds no secret."""

    def __init__(self, status: int, path: str) -> None:
        super().__init__(f"{path}: {f'status {status}' if status else 'no answer'}")
        self.status = status
        self.path = path


class Session:
    """One connection to Vault, blocking; for one thread. Raises VaultError."""

    def __init__(self, *, address: str, ca_file: str = "", token: str = "") -> None:
        import hvac  # noqa: PLC0415 - 0.2 s of CPU that only those who log in should pay
        import requests  # noqa: PLC0415

        http = requests.Session()
        http.trust_env = False  # no proxy and no token from the environment
        http.verify = ca_file or True
        timeout: Any = (CONNECT_SECONDS, READ_SECONDS)
        self._failures = (requests.RequestException, OSError)
        self._refusal = hvac.exceptions.VaultError
        self._http = http
        client: Any = hvac.Client
        self._client = client(url=address, token="", session=http, timeout=timeout)
        self._client.token = token

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's JSON object, {} when there is none."""
        try:
            response = self._client.adapter.request(
                method, f"/v1/{path}", json=body, raise_exception=False
            )
        except self._failures as error:
            raise VaultError(0, path) from error
        except self._refusal as error:  # hvac's own refusals carry no status
            raise VaultError(0, path) from error
        if isinstance(response, dict):
            return response
        if response.status_code >= 400:
            raise VaultError(response.status_code, path)
        return {}

    def become(self, token: str) -> None:
        """Go on with a token that somebody has."""
        self._client.token = token

    def login(self, role_id: str, secret_id: str) -> float:
        """Become the AppRole; how many seconds the token lives."""
        return self._login("approle", {"role_id": role_id, "secret_id": secret_id})

    def login_by_kubernetes(self, mount: str, role: str, token: str) -> float:
        """Become the role that the pod with this token may have; seconds that Vault's lives."""
        return self._login(mount, {"role": role, "jwt": token})

    def _login(self, mount: str, body: dict[str, Any]) -> float:
        self._client.token = ""
        auth = self.request("POST", f"auth/{mount}/login", body)["auth"]
        self._client.token = auth["client_token"]
        return float(auth["lease_duration"])

    def close(self) -> None:
        """Forget the token and the connections."""
        self._client.token = ""
        self._http.close()
