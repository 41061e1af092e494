# The job that takes OpenBao's snapshots (infra/openbao/snapshots.yaml): they are sealed, it opens none.
path "sys/storage/raft/snapshot" { capabilities = ["read"] }
