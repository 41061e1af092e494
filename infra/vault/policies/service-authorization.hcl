# authorization: its own certificate and its own database login.
path "pki-services/sign/authorization" { capabilities = ["update"] }
path "database/creds/authorization" { capabilities = ["read"] }
