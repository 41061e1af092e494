# contact: its own certificate and its own database login.
path "pki-services/sign/contact" { capabilities = ["update"] }
path "database/creds/contact" { capabilities = ["read"] }
