# The operator compares everything that is declared here with what Vault has, and applies again what
# concerns the services (and so, through the policies that it writes, is as strong as what it
# writes). It can't sign with an authority of the PKI but for the genesis and the demo, use a Transit
# key, read a database login, or change what is only root's: engines, ways to log in, this policy.
path "sys/mounts" { capabilities = ["read"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/policies/acl/*" { capabilities = ["read", "list"] }
path "sys/policies/acl/service-*" { capabilities = ["create", "update", "read", "delete"] }

path "auth/approle/role" { capabilities = ["list"] }
path "auth/approle/role/operator" { capabilities = ["read"] }
path "auth/approle/role/service-*" { capabilities = ["create", "update", "read", "delete"] }
path "auth/kubernetes/config" { capabilities = ["read"] }
path "auth/kubernetes/role" { capabilities = ["list"] }
path "auth/kubernetes/role/*" { capabilities = ["create", "update", "read", "delete"] }
path "auth/kubernetes/role/operator" { capabilities = ["read"] }

path "pki-services/roles/*" { capabilities = ["create", "update", "read", "delete", "list"] }
path "pki-services/sign/genesis" { capabilities = ["update"] }
path "pki-institutions/roles/*" { capabilities = ["create", "update", "read", "list"] }
path "pki-institutions/sign/*" { capabilities = ["update"] }
path "pki-persons/roles/*" { capabilities = ["create", "update", "read", "list"] }
path "pki-persons/sign/*" { capabilities = ["update"] }

path "database/config/*" { capabilities = ["create", "update", "read", "list"] }
path "database/rotate-root/*" { capabilities = ["update"] }
path "database/roles/*" { capabilities = ["create", "update", "read", "delete", "list"] }

# When a zone or a node is lost, a node is replaced, a database login is somebody else's
# (infra/runbooks). The last two are what only root may do, unless it says sudo.
path "sys/storage/raft/configuration" { capabilities = ["read"] }
path "sys/step-down" { capabilities = ["update", "sudo"] }
path "sys/leases/revoke-prefix/database/creds/*" { capabilities = ["update", "sudo"] }

# Keys: see that they are there, make another version, say from which version on one signs.
path "transit/keys" { capabilities = ["list"] }
path "transit/keys/log-checkpoint" { capabilities = ["create", "update", "read"] }
path "transit/keys/log-checkpoint/config" { capabilities = ["update"] }
path "transit/keys/request-id" { capabilities = ["create", "update", "read"] }
path "transit/keys/+/rotate" { capabilities = ["update"] }
