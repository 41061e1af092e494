# publisher: its own certificate. It has no database.
path "pki-services/sign/publisher" { capabilities = ["update"] }
