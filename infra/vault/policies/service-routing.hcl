# routing: its own certificate and its own database login.
path "pki-services/sign/routing" { capabilities = ["update"] }
path "database/creds/routing" { capabilities = ["read"] }

# The key under which a question is remembered by its request id.
path "transit/datakey/plaintext/request-id" { capabilities = ["update"] }
path "transit/decrypt/request-id" { capabilities = ["update"] }
path "transit/hmac/request-id*" { capabilities = ["update"] }
