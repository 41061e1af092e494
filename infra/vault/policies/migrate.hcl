# The job that brings the tables of ${service} up: a login to its database, and nothing else.
path "database/creds/${service}" { capabilities = ["read"] }
