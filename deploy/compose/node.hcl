# SPDX-License-Identifier: Apache-2.0
# Each of the three nodes; its name and addresses come from its environment (docker-compose.yml).
storage "raft" {
  path = "/var/lib/coffer"

  # Three nodes share one machine with whatever else runs there: a leader is given longer than 300 ms to be heard.
  election_ms  = 1500
  heartbeat_ms = 150

  retry_join {
    leader_api_addr     = "https://node1:8200"
    leader_ca_cert_file = "/run/coffer-tls/ca.pem"
  }
  retry_join {
    leader_api_addr     = "https://node2:8200"
    leader_ca_cert_file = "/run/coffer-tls/ca.pem"
  }
  retry_join {
    leader_api_addr     = "https://node3:8200"
    leader_ca_cert_file = "/run/coffer-tls/ca.pem"
  }
}

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/run/coffer-tls/node.pem"
  tls_key_file    = "/run/coffer-tls/node.key"

  telemetry {
    unauthenticated_metrics_access = true # Prometheus is in the same network, and nobody else
  }
}

seal "static" {
  current_key_id = "compose-1"
  current_key    = "file:///run/coffer-tls/unseal.key"
}
