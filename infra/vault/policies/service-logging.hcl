# logging: its own certificate and its own database login.
path "pki-services/sign/logging" { capabilities = ["update"] }
path "database/creds/logging" { capabilities = ["read"] }

# It signs checkpoints; it can't rotate the key, export it or end it.
path "transit/keys/log-checkpoint" { capabilities = ["read"] }
path "transit/sign/log-checkpoint" { capabilities = ["update"] }

# Months and legal holds come and go: it makes a key for each, and deletes it (which its
# configuration must allow first) to erase what it wrapped.
path "transit/keys/log-month-*" { capabilities = ["create", "update", "read", "delete"] }
path "transit/datakey/plaintext/log-month-*" { capabilities = ["update"] }
path "transit/decrypt/log-month-*" { capabilities = ["update"] }
path "transit/keys/log-hold-*" { capabilities = ["create", "update", "read", "delete"] }
path "transit/datakey/plaintext/log-hold-*" { capabilities = ["update"] }
path "transit/decrypt/log-hold-*" { capabilities = ["update"] }
