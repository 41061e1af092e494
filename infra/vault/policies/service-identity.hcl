# identity: its own certificate and its own database login.
path "pki-services/sign/identity" { capabilities = ["update"] }
path "database/creds/identity" { capabilities = ["read"] }
