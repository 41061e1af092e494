# publication (public cloud): its own certificate and its own database login.
path "pki-services/sign/publication" { capabilities = ["update"] }
path "database/creds/publication" { capabilities = ["read"] }
