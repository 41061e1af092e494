# registry: its own certificate and its own database login.
path "pki-services/sign/registry" { capabilities = ["update"] }
path "database/creds/registry" { capabilities = ["read"] }

# It sets the names in the certificates of institutions and persons: a role for each holder.
path "pki-institutions/roles/*" { capabilities = ["create", "update", "read", "delete"] }
path "pki-institutions/sign/*" { capabilities = ["update"] }
path "pki-persons/roles/*" { capabilities = ["create", "update", "read", "delete"] }
path "pki-persons/sign/*" { capabilities = ["update"] }
