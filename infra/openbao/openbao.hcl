# Every node has this; what differs (name, addresses) comes from the environment of its pod.
ui = false

listener "tcp" {
  address         = "[::]:8200"
  cluster_address = "[::]:8201"
  tls_cert_file   = "/openbao/tls/tls.crt"
  tls_key_file    = "/openbao/tls/tls.key"
  tls_min_version = "tls13"
  telemetry {
    # Numbers only; the network policy lets the monitoring namespace come for them.
    unauthenticated_metrics_access = true
  }
}

storage "raft" {
  path = "/openbao/data"
  retry_join {
    leader_api_addr       = "https://openbao-0.openbao-internal.vault.svc:8200"
    leader_ca_cert_file   = "/openbao/tls/ca.crt"
    leader_tls_servername = "openbao-internal.vault.svc"
  }
  retry_join {
    leader_api_addr       = "https://openbao-1.openbao-internal.vault.svc:8200"
    leader_ca_cert_file   = "/openbao/tls/ca.crt"
    leader_tls_servername = "openbao-internal.vault.svc"
  }
  retry_join {
    leader_api_addr       = "https://openbao-2.openbao-internal.vault.svc:8200"
    leader_ca_cert_file   = "/openbao/tls/ca.crt"
    leader_tls_servername = "openbao-internal.vault.svc"
  }
}

# Labels its pod openbao-active: what the service openbao-active selects.
service_registration "kubernetes" {}

# Without a place to write this, nothing is answered: the log of who used which key is complete.
audit "file" "stdout" {
  description = "Every request and answer, secrets as HMAC."
  options {
    file_path = "stdout"
  }
}

telemetry {
  prometheus_retention_time = "2m"
  disable_hostname          = true
}
